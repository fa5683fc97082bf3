"""Observing a program through delve or lldb-dap: it stops, is asked, and goes on.

Breakpoints rather than the adapter's own logpoints: those put the values of a hit into one line of text,
each cut at a length of the adapter's, with errors and values in one; lldb-dap has them since version 16
only. Here each value is asked for by itself, so that nothing can be taken for anything else, a stack and
locals come as the adapter knows them, and it works the same with both. The price is that the program
stands for some milliseconds at each hit; a logpoint that wants no more hits is taken out at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.dap.asking import Asking
from treetap.dap.hit import Fault, Hit
from treetap.dap.inside.turn import Turn, hit_condition
from treetap.dap.logpoint import Counts, Placed
from treetap.dap.placing import Placing
from treetap.errors import DapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treetap.dap.channel import Channel
    from treetap.dap.listener import Listener
    from treetap.dap.logpoint import Logpoint
    from treetap.dap.message import Message

log = logging.getLogger(__name__)

#: For all that is asked at one stop: the program stands meanwhile.
_STOP_S = 5.0
_NUMBER = re.compile(r"\b([0-9]+)\.[0-9]+\b")


class _Point:
    """A logpoint that is set: its memory."""

    def __init__(self, file: str, point: Logpoint) -> None:
        self.file = file
        self.point = point
        self.turn = Turn(point.mode, point.rate, point.max_hits, hit_condition(point.hit_condition))
        self.hits = self.recorded = 0
        self.skipped: dict[str, int] = {}
        self.condition_error = ""

    @property
    def is_done(self) -> bool:
        limit = 1 if self.point.mode == "first" else self.point.max_hits
        return 0 < limit <= self.recorded

    def counts(self) -> Counts:
        return Counts(self.hits, self.recorded, dict(self.skipped), self.condition_error)


class _Stop(NamedTuple):
    time_ns: int
    event: Message


class ByStopping:
    """The stops of one program, one after the other."""

    def __init__(
        self, channel: Channel, listener: Listener, language: str, pid: int, program: str
    ) -> None:
        self._channel = channel
        self._listener = listener
        self._is_go = language == "go"
        self._pid = pid
        self._program = program
        self._placing = Placing(channel, listener.on_placed)
        self._points: dict[str, _Point] = {}
        self._stops: asyncio.Queue[_Stop] = asyncio.Queue()
        self._serving: asyncio.Task[None] | None = None
        self._goes = asyncio.Event()
        self._goes.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_leaving = False
        self.is_answering = True

    def attach_arguments(self, child_pid: int) -> list[dict[str, Any]]:
        pid = child_pid or self._pid
        if self._is_go:
            # `dlv --headless` has the program already; `dlv dap` wants to be told whom to take.
            options = {"stopOnEntry": False, "stackTraceDepth": 100}
            local = {**options, "mode": "local", "processId": pid}
            return [{**options, "mode": "remote"}, *([local] if pid else [])]
        return [
            {
                "stopOnEntry": False,
                # Of a string that is longer, lldb shows the beginning.
                "initCommands": ["settings set target.max-string-summary-length 1000000"],
                **({"pid": pid} if pid else {}),
                **({"program": self._program} if self._program else {}),
            }
        ]

    async def begin(self) -> None:
        self._serving = asyncio.create_task(self._serve(), name="dap stops")

    async def set_logpoints(self, file: str, points: Sequence[Logpoint]) -> list[Placed]:
        now = {point.id: _Point(file, point) for point in points}
        for point_id, before in list(self._points.items()):
            if before.file == file:
                if point_id in now and now[point_id].point == before.point:
                    now[point_id] = before
                else:
                    del self._points[point_id]
        self._points.update(now)
        wanted = [each.point for each in now.values() if not each.is_done]
        placed = {each.id: each for each in await self._placing.set(file, wanted, _breakpoint)}
        done = "It has recorded all that it was to."
        return [
            placed.get(point.id) or Placed(point.id, True, point.line, done) for point in points
        ]

    async def counts(self) -> dict[str, Counts]:
        return {point_id: point.counts() for point_id, point in self._points.items()}

    async def find_sources(self, suffix: str) -> list[str]:
        del suffix
        return []

    async def find_function(self, module: str, qualname: str) -> tuple[str, int] | None:
        del module, qualname
        return None

    def hear(self, event: Message) -> None:
        if event.event == "stopped":
            self._goes.clear()
            self._stops.put_nowait(_Stop(time.time_ns(), event))
        elif event.event == "breakpoint":
            self._placing.changed(event)
        elif event.event == "output" and event.field("category") == "important":
            self._listener.on_fault(Fault("", "adapter", str(event.field("output", "")).strip()))

    async def leave(self) -> None:
        """No breakpoint is left, and the program runs: delve would leave it stopped. Never raises."""
        self._is_leaving = True
        with contextlib.suppress(DapError, TimeoutError):
            async with asyncio.timeout(_STOP_S):
                self._points.clear()
                for file in list(self._placing.points):
                    await self._placing.set(file, (), _breakpoint)
                await self._goes.wait()
        self.stop()

    def stop(self) -> None:
        for task in (self._serving, *self._tasks):
            if task is not None:
                task.cancel()

    # -- inside -------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            stop = await self._stops.get()
            thread_id = stop.event.field("threadId", 0)
            try:
                async with asyncio.timeout(_STOP_S):
                    await self._look(stop, thread_id)
                    # Threads that stopped at the same moment: they go on together.
                    while not self._stops.empty():
                        stop = self._stops.get_nowait()
                        await self._look(stop, stop.event.field("threadId", 0))
            except (DapError, TimeoutError) as exc:
                why = exc.line if isinstance(exc, DapError) else f"no answer within {_STOP_S:g} s"
                self._listener.on_fault(Fault("", "hit", f"A hit could not be read: {why}"))
            try:
                await self._channel.request("continue", {"threadId": thread_id}, timeout_s=_STOP_S)
            except DapError as exc:
                if self._channel.is_open:
                    self._listener.on_fault(Fault("", "adapter", exc.line))
            if self._stops.empty():
                self._goes.set()

    async def _look(self, stop: _Stop, thread_id: int) -> None:
        """Take what the logpoints of one stopped thread want."""
        points = self._points_of(stop.event)
        levels = max([1, *(each.point.max_frames for each in points if each.point.wants_stack)])
        asking = Asking(self._channel, is_go=self._is_go)
        frames = await asking.frames(thread_id, levels)
        if not frames:
            return
        here = self._placing.on_line(frames[0].file, frames[0].line)
        if stop.event.field("reason") != "breakpoint":
            await self._other_stop(stop.event, here, frames[0].number, asking)
            return
        # An adapter need not say which breakpoint it was.
        for each in points or [self._points[name] for name in here if name in self._points]:
            await self._hit(each, stop.time_ns, thread_id, frames, asking)

    async def _other_stop(
        self, event: Message, here: list[str], frame: int, asking: Asking
    ) -> None:
        """A panic, a signal, a breakpoint of the program's own; or, of delve, a condition that failed."""
        for name in here:
            each = self._points.get(name)
            if each is not None and each.point.condition:
                reason = await self._why_not_by_condition(each, frame, asking)
                if reason == "condition-error":
                    each.hits += 1
                    each.skipped[reason] = each.skipped.get(reason, 0) + 1
                    return
        reason = event.field("description") or event.field("reason")
        if self._is_leaving or reason in (None, "", "none", "pause"):
            return
        self._listener.on_fault(Fault("", "stop", f"It stopped ({reason}); it was let go on."))

    def _points_of(self, event: Message) -> list[_Point]:
        numbers = event.field("hitBreakpointIds", [])
        if not numbers:  # lldb: "breakpoint 1.1 2.1"
            numbers = [int(text) for text in _NUMBER.findall(str(event.field("description", "")))]
        places = [self._placing.at(number) for number in numbers]
        return [self._points[place[1]] for place in places if place and place[1] in self._points]

    async def _hit(
        self, each: _Point, time_ns: int, thread_id: int, frames: list[Any], asking: Asking
    ) -> None:
        point = each.point
        each.hits += 1
        reason = await self._why_not_by_condition(each, frames[0].number, asking)
        reason = reason or each.turn.why_not(time.monotonic())
        if reason:
            each.skipped[reason] = each.skipped.get(reason, 0) + 1
            return
        values = await asking.values(point.expressions, frames[0].number, point.limits)
        snapshot = None
        if point.wants_stack or point.wants_locals:
            found = (
                await asking.locals(frames[0].number, point.limits) if point.wants_locals else []
            )
            stack = [[frame.function, frame.file, frame.line] for frame in frames]
            stack = stack[: point.max_frames] if point.wants_stack else []
            snapshot = {"$": "snapshot", "locals": found, "stack": stack}
        number, each.recorded = each.recorded, each.recorded + 1
        self._listener.on_hit(
            Hit(
                point.id,
                number,
                time_ns,
                tuple(values),
                snapshot,
                thread_id,
                function=frames[0].function,
            )
        )
        if each.is_done:
            # In a moment: breakpoints can be set only when this stop is over.
            task = asyncio.create_task(self._take_out(each.file), name="dap take out")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _why_not_by_condition(self, each: _Point, frame: int, asking: Asking) -> str:
        """The adapter has tested the condition; but it stops as well where that failed."""
        if not each.point.condition:
            return ""
        value = await asking.value(each.point.condition, frame, each.point.limits)
        if isinstance(value, dict) and value.get("$") == "error":
            if not each.condition_error:
                self._listener.on_fault(Fault(each.point.id, "condition", value["text"]))
            each.condition_error = value["text"]
            return "condition-error"
        return "" if value else "condition"

    async def _take_out(self, file: str) -> None:
        wanted = [
            each.point for each in self._points.values() if each.file == file and not each.is_done
        ]
        with contextlib.suppress(DapError):
            await self._placing.set(file, wanted, _breakpoint)


def _breakpoint(point: Logpoint) -> dict[str, Any]:
    return {"line": point.line, **({"condition": point.condition} if point.condition else {})}
