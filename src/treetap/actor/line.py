"""The spawner's end of a control socket."""

from __future__ import annotations

from treetap.actor.control import ControlInbox, ControlOutbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from treetap.actor.family import Member

    Message = tuple[dict[str, Any], list[int]]


class Line:
    """A control socket, and the member of the tree at its other end.

    Args:
        sock: Doesn't block.
        member: Who speaks.
    """

    __slots__ = ("_inbox", "_unread", "member", "outbox", "sock")

    def __init__(self, sock: socket.socket, member: Member) -> None:
        self.sock = sock
        self.member = member
        self.outbox = ControlOutbox(sock)
        self._inbox = ControlInbox(sock)
        self._unread: list[Message] = []

    def put(self, fields: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Have a message sent; never blocks. The descriptors are ours to close."""
        self.outbox.put(fields, descriptors)

    def flush(self) -> None:
        """Send what can be sent; a line that is broken is noticed by ``receive``."""
        try:
            self.outbox.flush()
        except OSError:
            self.outbox.close()

    def receive(self) -> list[Message] | None:
        """The messages that are there; ``None`` at its end."""
        unread, self._unread = self._unread, []
        try:
            messages = self._inbox.receive()
        except BlockingIOError:
            return unread
        return messages if messages is None else unread + messages

    def unread(self, messages: list[Message]) -> None:
        """Have ``receive`` give these first."""
        self._unread = messages

    def close(self) -> None:
        """Close the socket, and all that was on its way."""
        self._inbox.close()
        self.outbox.close()
        self.sock.close()
