from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from treetap.actor.frame import Outbox
from treetap.actor.sending import FULL_BYTES, HIGH_BYTES, Sender
from treetap.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


class Valve:
    """A pipe that takes as many bytes as it is opened for."""

    def __init__(self) -> None:
        self.open_bytes = 0
        self.calls: list[int] = []
        self.is_broken = False
        self._changed = trio.Event()

    def open(self, count: int) -> None:
        self.open_bytes += count
        self._changed.set()
        self._changed = trio.Event()

    def break_it(self) -> None:
        self.is_broken = True
        self.open(0)

    @property
    def taken_bytes(self) -> int:
        return sum(self.calls)

    async def receive_into(self, room: memoryview) -> int:
        await trio.sleep_forever()
        return 0

    def send_now(self, pieces: Sequence[bytes | bytearray | memoryview]) -> int:
        if self.is_broken:
            raise BrokenPipeError
        count = min(self.open_bytes, sum(map(len, pieces)))
        self.open_bytes -= count
        if count:
            self.calls.append(count)
        return count

    async def send_some(self, pieces: Sequence[bytes | bytearray | memoryview]) -> int:
        while not self.open_bytes and not self.is_broken:
            await self._changed.wait()
        return self.send_now(pieces)

    async def aclose(self) -> None: ...


def sender_to(valve: Valve) -> Sender:
    sender = Sender(valve, Outbox(), lambda: broken.append(1))
    broken.clear()
    return sender


broken: list[int] = []


async def later(action: Callable[[int], None], argument: int) -> None:
    await trio.sleep(0.02)
    action(argument)


@asynccontextmanager
async def running(sender: Sender, grace_s: float = 1) -> AsyncIterator[trio.Nursery]:
    """With its task, which isn't cancelled by others."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        try:
            yield nursery
        finally:
            sender.close(grace_s)


@trio_test
async def test_what_is_put_in_one_turn_goes_out_together():
    valve = Valve()
    valve.open(10**6)
    sender = sender_to(valve)
    async with running(sender):
        await wait_all_tasks_blocked()
        for _ in range(10):
            sender.put(1, 1, b"x")
        assert valve.calls == []
        await wait_all_tasks_blocked()
        assert valve.calls == [100]


@trio_test
async def test_what_is_urgent_goes_out_at_once_with_what_waits():
    valve = Valve()
    valve.open(10**6)
    sender = sender_to(valve)
    sender.put(1, 1, b"x")
    sender.put_now(1, 1, b"y")
    assert valve.calls == [20]
    sender.flush()
    assert valve.calls == [20]


@trio_test
async def test_much_is_not_gathered_further():
    valve = Valve()
    valve.open(10**6)
    sender = sender_to(valve)
    sender.put(1, 1, bytes(FULL_BYTES))
    assert valve.taken_bytes > FULL_BYTES


@pytest.mark.parametrize("first", [1, HIGH_BYTES // 2, HIGH_BYTES * 3])
@trio_test
async def test_who_waits_for_room_goes_on_however_the_room_came_about(first):
    valve = Valve()
    sender = sender_to(valve)
    async with running(sender) as nursery:
        for _ in range(3):
            sender.put(1, 1, bytes(HIGH_BYTES))
        assert sender.is_full
        nursery.start_soon(sender.room)
        nursery.start_soon(sender.room)
        await wait_all_tasks_blocked()
        # First so much that the task of run() is woken, then the rest, which a flush may take.
        valve.open(first)
        valve.open(HIGH_BYTES * 4)
        await wait_all_tasks_blocked()
        assert not sender.is_full
        assert len(nursery.child_tasks) == 1


@trio_test
async def test_closing_waits_for_what_is_to_go_out_but_not_for_ever():
    valve = Valve()
    sender = sender_to(valve)
    async with running(sender) as nursery:
        sender.put(1, 1, b"last words")
        await wait_all_tasks_blocked()
        nursery.start_soon(later, valve.open, 19)
    assert valve.taken_bytes == 19
    sender = sender_to(valve)
    begun = trio.current_time()
    async with running(sender, 0.05):
        sender.put(1, 1, b"never")
        await wait_all_tasks_blocked()
    assert trio.current_time() - begun < 20


@trio_test
async def test_a_cancelled_nursery_does_not_cut_off_the_last_words():
    valve = Valve()
    sender = sender_to(valve)
    async with running(sender) as nursery:
        sender.put(1, 1, b"last words")
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        trio.lowlevel.spawn_system_task(later, valve.open, 100)
    assert valve.taken_bytes == 19


@trio_test
async def test_a_broken_pipe_frees_who_waits_keeps_nothing_and_is_told_once():
    valve = Valve()
    sender = sender_to(valve)
    async with running(sender) as nursery:
        sender.put(1, 1, bytes(HIGH_BYTES * 2))
        nursery.start_soon(sender.room)
        await wait_all_tasks_blocked()
        valve.break_it()
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        for _ in range(5):
            sender.put(1, 1, bytes(HIGH_BYTES))
            sender.put_now(1, 1, bytes(HIGH_BYTES))
        assert not sender.is_full
        assert broken == [1]


def test_what_is_too_large_is_not_put():
    sender = Sender(Valve(), Outbox(max_frame_bytes=10), lambda: None)
    with pytest.raises(PayloadError):
        sender.put(1, 1, bytes(11))
    with pytest.raises(PayloadError):
        sender.put_now(1, 1, bytes(11))
    assert not sender._outbox.size_bytes
