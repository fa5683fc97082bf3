"""The live stream of everything that happens, to whoever listens.

Publishing never waits: each listener has a queue of his own, bounded in rows. One that is too slow
loses its oldest rows, and is told how many; nobody else notices. Rows become events only when
somebody who wants them takes them, once for all listeners.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

#: Rows that wait for one listener.
MAX_WAITING_ROWS = 20_000


class FeedFilter(NamedTuple):
    """What a listener wants; ``None`` matches everything.

    Attributes:
        probe: Id of a probe.
        node: Id of a node.
        tree: Id of a tree.
        pid: Process id.
        name: Of nodes.
    """

    probe: str | None = None
    node: str | None = None
    tree: str | None = None
    pid: int | None = None
    name: str | None = None

    def matches(self, about: About) -> bool:
        return (
            self.probe in (None, about.probe)
            and self.node in (None, about.node)
            and self.tree in (None, about.tree)
            and self.pid in (None, about.pid)
            and self.name in (None, about.name)
        )


EVERYTHING = FeedFilter()


class Wanted(Protocol):
    """What a listener wants, where a ``FeedFilter`` can't say it."""

    def matches(self, about: About) -> bool:
        """Asked for each happening, on the way of each batch: to be answered at once."""


class About(NamedTuple):
    """What a happening is about; ``None`` where that says nothing (a probe is in no tree)."""

    probe: str | None = None
    node: str | None = None
    tree: str | None = None
    pid: int | None = None
    name: str | None = None


class Happening:
    """Something that happened: some hits, a loss, a change of a node or of a probe.

    Args:
        kind: ``hit``, ``loss``, ``probe`` or ``node``.
        about: What it is about.
        weight: How many events it is.
        make: Makes them.
    """

    def __init__(
        self, kind: str, about: About, weight: int, make: Callable[[], list[dict[str, Any]]]
    ) -> None:
        self.kind = kind
        self.about = about
        self.weight = weight
        self._make = make

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return self._make()


class Listener:
    """One listener's queue. Made by ``Feed.listen``; to be closed."""

    def __init__(self, feed: Feed, wanted: Wanted, max_rows: int) -> None:
        self._feed = feed
        self.wanted = wanted
        self._max_rows = max_rows
        self._waiting: deque[Happening] = deque()
        self._waiting_rows = 0
        self._lost = 0
        self._is_closed = False
        self._news = asyncio.Event()

    def offer(self, happening: Happening) -> None:
        """Take it, if it is wanted. Never waits."""
        if not self.wanted.matches(happening.about):
            return
        self._waiting.append(happening)
        self._waiting_rows += happening.weight
        while self._waiting_rows > self._max_rows and len(self._waiting) > 1:
            oldest = self._waiting.popleft()
            self._waiting_rows -= oldest.weight
            self._lost += oldest.weight
        self._news.set()

    async def next(self, timeout_s: float) -> list[dict[str, Any]] | None:
        """What waits; an empty list after ``timeout_s`` seconds; ``None`` at the end."""
        if not self._waiting and not self._is_closed:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                return []
        # What came before the end is told before the end.
        return self._take() if self._waiting or not self._is_closed else None

    def _take(self) -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = []
        if self._lost:
            # To this listener only: the store has them.
            taken.append({"kind": "loss", "where": "stream", "lost": self._lost})
            self._lost = 0
        while self._waiting and len(taken) < 2000:
            happening = self._waiting.popleft()
            self._waiting_rows -= happening.weight
            taken += happening.events
        if not self._waiting:
            self._news.clear()
        return taken

    def close(self) -> None:
        """End it: ``next`` gives what still waits, and then ``None``. Idempotent."""
        self._is_closed = True
        self._news.set()
        self._feed.forget(self)


class Feed:
    """Owns its listeners; ``close`` ends them all."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._is_closed = False

    def listen(self, wanted: Wanted = EVERYTHING, *, max_rows: int = MAX_WAITING_ROWS) -> Listener:
        listener = Listener(self, wanted, max_rows)
        self._listeners.add(listener)
        if self._is_closed:
            listener.close()
        return listener

    @property
    def listener_count(self) -> int:
        return len(self._listeners)

    def publish(self, happening: Happening) -> None:
        for listener in self._listeners:
            listener.offer(happening)

    def forget(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def close(self) -> None:
        self._is_closed = True
        for listener in list(self._listeners):
            listener.close()
