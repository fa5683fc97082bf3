"""Who is at a prompt and who waits for one, as the brokers of this user's trees tell it.

For who must not end such a process (a supervisor), and for who shows it (``treetap ps``). It asks, and
never starts a broker; where nobody has paused that costs one look into a directory.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from treetap.config.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDING = "holding"
WAITING = "waiting"

#: A broker does nothing but answer; one that is silent for so long is stopped, or dying. Less, and on
#: a busy machine somebody is ended at a prompt that nobody knew of.
_TIMEOUT_S = 5.0


class Standing(NamedTuple):
    """One pause of one thread.

    Attributes:
        pid: Of the process; 0 where the kernel doesn't tell.
        label: ``"name (pid)"``.
        state: ``HOLDING``: at its prompt, or in a step from there; or ``WAITING``.
        place: In the queue for the tree's terminal, 1 for the next; 0 for who doesn't queue.
        since_s: Seconds that it has held, or waited.
        by: Who answers it from another terminal; ``""`` for who holds the tree's own.
        id: By which the broker knows it.
        tree: The tree's id, or ``session-SID`` where it is of no tree.
        broker: Name of the broker's place.
    """

    pid: int
    label: str
    state: str
    place: int
    since_s: float
    by: str
    id: int
    tree: str
    broker: str

    @property
    def name(self) -> str:
        """The label without the pid."""
        return self.label.rpartition(" (")[0] or self.label


def holders(
    tree: str | int = "", *, home: str = "", timeout_s: float = _TIMEOUT_S
) -> list[Standing]:
    """Those of one tree who hold or wait: holders first, then the queue in its order.

    Args:
        tree: The tree's id, or the pid of its root; ``""`` for this process's own.
        home: treetap's home; ``""`` for the configured one.
        timeout_s: For each terminal of the tree that somebody has paused on.

    Returns:
        Of a terminal that has no broker, or one that doesn't answer in time, at most who holds it.
    """
    if not tree:
        tree = os.environ.get("TREETAP_TREE", "") or f"session-{os.getsid(0)}"
    found = trees_with_prompts(tree, home=home, timeout_s=timeout_s).values()
    return sorted(
        (one for standings in found for one in standings),
        key=lambda one: (one.state != HOLDING, one.place),
    )


def trees_with_prompts(
    tree: str | int = "", *, home: str = "", timeout_s: float = _TIMEOUT_S
) -> dict[str, list[Standing]]:
    """All trees of this user in which somebody holds or waits, by id; see ``holders``."""
    directory = f"{home or resolve().home}/run/debug"
    found: dict[str, list[Standing]] = {}
    for name in _names(directory):
        of, _, _session = name.partition(".")
        if tree and str(tree) != (of.partition("-")[0] if isinstance(tree, int) else of):
            continue
        standings = _ask(directory, name, of, timeout_s)
        if standings:
            found.setdefault(of, []).extend(standings)
    return found


def _names(directory: str) -> Iterator[str]:
    """Of the places where a broker listens, or has."""
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in sorted(names):
        if name.endswith(".sock"):
            yield name.removesuffix(".sock")


def _ask(directory: str, name: str, tree: str, timeout_s: float) -> list[Standing]:
    from treetap.debug import message
    from treetap.debug.place import Place

    deadline_s = time.monotonic() + timeout_s
    lines = message.Lines()
    try:
        connection = Place(directory, name, 0).try_to_connect(timeout_s)
        if connection is None:
            return _without_broker(directory, name, tree)
        with connection:
            connection.sendall(message.encode(message.LIST))
            while True:
                connection.settimeout(max(0.001, deadline_s - time.monotonic()))
                received = connection.recv(65536)
                if not received:
                    break
                for heard in lines.feed(received):
                    if heard["is"] == message.STANDINGS:
                        return [
                            Standing(**one, tree=tree, broker=name) for one in heard["standings"]
                        ]
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return _without_broker(directory, name, tree)


def _without_broker(directory: str, name: str, tree: str) -> list[Standing]:
    """A broker was killed, or is stopped: whoever was at the prompt then is there still."""
    from treetap.debug.record import Record

    pid = Record(f"{directory}/{name}.held").holder()
    if not pid:
        return []
    return [Standing(pid, f"({pid})", HOLDING, 0, 0.0, "", 0, tree, name)]
