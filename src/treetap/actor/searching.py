"""How one actor finds another: the spawner knows them all, and joins two by a channel.

Who searches makes a pair of sockets and sends one end along; who is found gets it. So within a
tree nothing listens anywhere. For other trees of this host, and this user, the spawner listens on
one Unix socket; a connection there says in its first message whom it looks for, and becomes the
channel.
"""

from __future__ import annotations

import os
import select
import socket
import time

from treetap.actor.family import Member
from treetap.actor.line import Line
from treetap.link import auth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.actor.family import Family

_MAX_GUESTS = 64
#: For a guest to say what it wants.
_GUEST_TIMEOUT_S = 5.0
_BACKLOG = 64


class _Search:
    """Somebody looks for an actor.

    Args:
        uid: Of the search.
        name: Of the actor.
        line: Where the answer goes.
        channel: Descriptor of the channel to be; -1 where the line itself becomes it.
    """

    __slots__ = ("channel", "line", "name", "uid")

    def __init__(self, uid: str, name: str, line: Line, channel: int) -> None:
        self.uid = uid
        self.name = name
        self.line = line
        self.channel = channel


class Switchboard:
    """All searches of a tree.

    Args:
        family: Who there is.
        lines: To the members, by ``uid``.
        path: Of the socket for other trees; ``""`` for none.
    """

    def __init__(self, family: Family, lines: dict[str, Line], path: str) -> None:
        self._family = family
        self._lines = lines
        self._path = path
        self._waiting: list[_Search] = []
        self._guests: dict[int, tuple[Line, float]] = {}
        self._listener = _listen(path) if path else None

    def act(self, line: Line, fields: dict[str, Any], descriptors: list[int]) -> None:
        """What a member asks.

        Raises:
            KeyError, ValueError: It is nonsense.
        """
        uid = str(fields["uid"])
        if fields["op"] == "quit":
            for search in [each for each in self._waiting if each.uid == uid]:
                self._drop(search)
            return
        (channel,) = descriptors
        self._search(_Search(uid, str(fields["name"]), line, channel), str(fields["op"]))

    def connect_waiting(self) -> None:
        """Somebody has come up who may be waited for."""
        for search in list(self._waiting):
            if self._connect(search):
                self._waiting.remove(search)

    def forget(self, member: Member) -> None:
        """Drop the searches of a member that is no more."""
        for search in [each for each in self._waiting if each.line.member is member]:
            self._drop(search)

    def wanted(self) -> list[tuple[int, int]]:
        """What to wait for: descriptors, and for which events."""
        if self._listener is None:
            return []
        own = [(self._listener.fileno(), select.POLLIN)]
        return own + [(descriptor, select.POLLIN) for descriptor in self._guests]

    def deadlines(self) -> list[float]:
        """When guests that say nothing are sent away."""
        waiting = {search.line for search in self._waiting}
        return [when_s for line, when_s in self._guests.values() if line not in waiting]

    def serve(self, ready: dict[int, int]) -> None:
        """See to guests."""
        if self._listener is None:
            return
        now_s = time.monotonic()
        waiting = {search.line for search in self._waiting}
        for descriptor, (line, when_s) in list(self._guests.items()):
            if descriptor in ready:
                self._hear(descriptor, line)
            elif when_s <= now_s and line not in waiting:
                self._send_away(descriptor)
        if self._listener.fileno() in ready:
            self._welcome(now_s)

    def close(self) -> None:
        """Listen no longer."""
        if self._listener is not None:
            self._listener.close()
            _unlink(self._path)

    def detach(self) -> None:
        """In a forked process: leave the sockets alone."""
        if self._listener is not None:
            self._listener.detach()
        for line, _when_s in self._guests.values():
            line.sock.detach()

    # Inside.

    def _search(self, search: _Search, op: str) -> None:
        if self._connect(search):
            return
        if op == "wait":
            self._waiting.append(search)
            return
        search.line.put({"op": "found", "uid": search.uid, "actor": None})
        if search.channel >= 0:
            os.close(search.channel)

    def _connect(self, search: _Search) -> bool:
        found = self._family.with_name(search.name, besides=search.line.member)
        line = self._lines.get(found.uid) if found is not None else None
        if found is None or line is None:
            return False
        actor = {"name": found.name, "pid": found.pid, "uid": found.uid}
        answer = {"op": "found", "uid": search.uid, "actor": actor}
        search.line.put(answer)
        channel = search.channel
        if channel < 0:
            # The guest's own connection; it says nothing until it has the answer.
            descriptor = search.line.sock.fileno()
            search.line.flush()
            del self._guests[descriptor]
            channel = search.line.sock.detach()
        line.put({"op": "incoming"}, [channel])
        return True

    def _drop(self, search: _Search) -> None:
        self._waiting.remove(search)
        if search.channel >= 0:
            os.close(search.channel)

    def _welcome(self, now_s: float) -> None:
        assert self._listener is not None
        try:
            sock, _address = self._listener.accept()
        except OSError:
            return
        if len(self._guests) >= _MAX_GUESTS or auth.peer_uid(sock) != os.geteuid():
            sock.close()
            return
        sock.setblocking(False)
        guest = Line(sock, Member("", "", 0, None))
        self._guests[sock.fileno()] = guest, now_s + _GUEST_TIMEOUT_S

    def _hear(self, descriptor: int, line: Line) -> None:
        messages = line.receive()
        if messages == []:
            return
        is_searching = any(search.line is line for search in self._waiting)
        try:
            if messages is None or len(messages) > 1:
                raise ValueError("it has hung up, or says too much")
            fields, descriptors = messages[0]
            if descriptors or is_searching or fields["op"] not in ("find", "wait"):
                raise ValueError(fields["op"])
            search = _Search(str(fields["uid"]), str(fields["name"]), line, -1)
        except (KeyError, ValueError, TypeError):
            self._send_away(descriptor)
            return
        self._search(search, fields["op"])
        line.flush()

    def _send_away(self, descriptor: int) -> None:
        line, _when_s = self._guests.pop(descriptor)
        self._waiting = [search for search in self._waiting if search.line is not line]
        line.close()


def _listen(path: str) -> socket.socket | None:
    """A listening socket at ``path``; ``None`` where there can't be one."""
    sock = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        # By its last part alone: the whole path may be longer than an address can be. The working
        # directory of this process is nobody's concern.
        os.chdir(os.path.dirname(path))
        sock.bind(os.path.basename(path))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        return None
    finally:
        os.umask(before)
    sock.setblocking(False)
    return sock


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
