"""Who is whose child in a tree of actors, and what is left to be ended. Bookkeeping, no I/O.

The kernel sees one family only, that of the spawner, which forks every actor. Whose child an actor
is for its user, is written down here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Member:
    """An actor of the tree, or its root.

    Attributes:
        uid: Which it is.
        name: Its name; not unique.
        pid: Of its process; not to be signalled once there is a ``status``.
        parent: Whose child it is; ``None`` for the root.
        children: Those that are left, by ``uid``; also such as have ended but left some themselves.
        status: How its process ended: the exit code, or minus the signal; ``None`` if it lives.
        text: What it said why it couldn't start.
        control_inode: Of its end of its control socket; 0 for none.
        is_up: It can be found by its name.
        kill_at_s: When what is left of it is killed, by ``time.monotonic()``; ``None`` for never.
        held_since_s: Since when its end is deferred, see ``guard``; ``None``: it isn't.
        is_postponed: It would have been killed, were it not held.
        is_orphan: Its parent died meanwhile, and it hasn't been told.
        is_forced: Its end isn't deferred any more.
    """

    __slots__ = (
        "children",
        "control_inode",
        "held_since_s",
        "is_forced",
        "is_orphan",
        "is_postponed",
        "is_up",
        "kill_at_s",
        "name",
        "parent",
        "pid",
        "status",
        "text",
        "uid",
    )

    def __init__(self, uid: str, name: str, pid: int, parent: Member | None) -> None:
        self.uid = uid
        self.name = name
        self.pid = pid
        self.parent = parent
        self.children: dict[str, Member] = {}
        self.status: int | None = None
        self.text = ""
        self.control_inode = 0
        self.is_up = False
        self.kill_at_s: float | None = None
        self.held_since_s: float | None = None
        self.is_postponed = False
        self.is_orphan = False
        self.is_forced = False

    @property
    def is_alive(self) -> bool:
        """Whether its process has not been reaped."""
        return self.status is None

    def height(self) -> int:
        """How many generations there are below it."""
        return max((1 + child.height() for child in self.children.values()), default=0)

    def descent(self) -> Iterator[Member]:
        """It and all that is left below it, parents first."""
        yield self
        for child in list(self.children.values()):
            yield from child.descent()

    def kill_by(self, when_s: float) -> None:
        """Have it and all below it killed at ``when_s``, unless that is due earlier."""
        for each in self.descent():
            if each.kill_at_s is None or when_s < each.kill_at_s:
                each.kill_at_s = when_s


class Family:
    """All members of one tree.

    Args:
        root: Its first member; this process isn't its parent.
    """

    def __init__(self, root: Member) -> None:
        self.root = root
        self._by_uid = {root.uid: root}
        self._by_pid: dict[int, Member] = {}

    def add(self, uid: str, name: str, pid: int, parent: Member) -> Member:
        """Write down a new child of ``parent``.

        Raises:
            ValueError: There is one of this ``uid``.
        """
        if uid in self._by_uid:
            raise ValueError(f"there is an actor {uid} already")
        member = Member(uid, name, pid, parent)
        # Who comes late into a tree that is being ended, is ended with it.
        member.kill_at_s = parent.kill_at_s
        parent.children[uid] = self._by_uid[uid] = self._by_pid[pid] = member
        return member

    def with_uid(self, uid: str) -> Member | None:
        """The member of this ``uid``, also one that has ended and left children."""
        return self._by_uid.get(uid)

    def with_pid(self, pid: int) -> Member | None:
        """The actor whose process this is; the root isn't among them."""
        return self._by_pid.get(pid)

    def with_name(self, name: str, *, besides: Member | None = None) -> Member | None:
        """The oldest living member of this name that can be found."""
        for member in self._by_uid.values():
            if member.name == name and member.is_up and member.is_alive and member is not besides:
                return member
        return None

    def living(self) -> list[Member]:
        """All actors whose processes live; the root isn't among them."""
        return list(self._by_pid.values())

    def end(self, pid: int, status: int) -> Member | None:
        """Write down that a process has been reaped; who it was, if it was one of ours."""
        member = self._by_pid.pop(pid, None)
        if member is not None:
            member.status = status
        return member

    def bury(self, member: Member) -> list[Member]:
        """Take out ``member``, if nothing is left of it, and then its parents likewise.

        Returns:
            Those that are taken out, children first.
        """
        buried = []
        here: Member | None = member
        while here is not None and here.parent is not None:
            if here.is_alive or here.children:
                break
            del here.parent.children[here.uid]
            del self._by_uid[here.uid]
            buried.append(here)
            here = here.parent
        return buried
