"""Observing a Python program through debugpy: an agent in the program takes the values.

See ``inside.agent`` for why. Here is its other end: it is installed, given logpoints, and emptied.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any

from treetap.dap import inside
from treetap.dap.hit import Fault, Hit
from treetap.dap.inside.turn import hit_condition
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

_AGENT = "__treetap_dap__"
_TIMEOUT_S = 10.0
#: After the bell, for more rows to come along; and between two looks where no bell was heard.
_GATHER_S = 0.005
_LOOK_S = 1.0
#: For the last rows, and to take everything out.
_LEAVE_S = 3.0
_MAX_DRAIN_CHARS = 2_000_000


class ByAgent:
    """The agent's other end."""

    def __init__(self, channel: Channel, listener: Listener, silent_s: float) -> None:
        self._channel = channel
        self._listener = listener
        self._silent_s = silent_s
        self._placing = Placing(channel, self._moved)
        # By file and the first of them: the logpoints that share a line, and so a breakpoint.
        self._sharing: dict[tuple[str, str], list[Logpoint]] = {}
        self._nonce = f"treetap-{secrets.token_hex(16)} "
        self._keys: dict[tuple[str, str], tuple[Logpoint, int]] = {}
        self._ids: dict[int, str] = {}
        self._next_key = 1
        self._counts: dict[str, Counts] = {}
        self._told: set[int] = set()
        self._bell = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None
        self._is_leaving = False
        self.is_answering = True

    def attach_arguments(self, child_pid: int) -> list[dict[str, Any]]:
        """``subProcess`` can't be turned off from here: see ``child``."""
        arguments: dict[str, Any] = {
            "justMyCode": False,
            "redirectOutput": False,
            "showReturnValue": False,
        }
        return [{**arguments, "subProcessId": child_pid} if child_pid else arguments]

    async def begin(self) -> None:
        """Install the agent, before the program goes on.

        Raises:
            DapError: It can't be.
        """
        texts = [(name, text) for name, text in inside.TEXTS]
        await self._evaluate(
            "(lambda names: ("
            f"[exec(compile(text, name, 'exec'), names) for name, text in {texts!r}],"
            f" setattr(__import__('builtins'), {_AGENT!r},"
            f" names['Agent']({self._nonce!r}, names['Redaction']().hides)),"
            " 'installed')[-1])({'__name__': 'treetap_dap'})"
        )
        self._draining = asyncio.create_task(self._drain_forever(), name="dap drain")

    async def set_logpoints(self, file: str, points: Sequence[Logpoint]) -> list[Placed]:
        kept = {
            place: known
            for place, known in self._keys.items()
            if place[0] == file and any(known[0] == point for point in points)
        }
        wanted = dict(kept)
        new = []
        for point in points:
            if (file, point.id) not in wanted:
                wanted[file, point.id] = point, self._next_key
                new.append(_for_agent(point, self._next_key))
                self._ids[self._next_key] = point.id
                self._next_key += 1
        if new:
            await self._evaluate(f"{_AGENT}.arm({json.dumps(new)!r})")
        placed = await self._place(file, points, wanted)
        gone = [key for place, (_, key) in self._keys.items() if place[0] == file]
        gone = [key for key in gone if key not in {key for _, key in wanted.values()}]
        self._keys = {place: known for place, known in self._keys.items() if place[0] != file}
        self._keys.update(wanted)
        if gone:
            await self._drain()  # what they saw until now
            await self._evaluate(f"{_AGENT}.disarm({json.dumps(gone)!r})")
            for key in gone:
                self._counts.pop(self._ids.pop(key, ""), None)
        return placed

    async def _place(
        self,
        file: str,
        points: Sequence[Logpoint],
        keyed: dict[tuple[str, str], tuple[Logpoint, int]],
    ) -> list[Placed]:
        """One breakpoint a line: of two on one line, debugpy keeps the last."""
        lines = {point.id: point.line for point in points}
        placed: list[Placed] = []
        # Again, where lines without code moved onto those of others.
        for _ in range(2):
            groups: dict[int, list[Logpoint]] = {}
            for point in points:
                groups.setdefault(lines[point.id], []).append(point)
            firsts = {group[0].id: group for group in groups.values()}
            for place in [place for place in self._sharing if place[0] == file]:
                del self._sharing[place]
            self._sharing |= {(file, first): group for first, group in firsts.items()}
            leading = [group[0]._replace(line=line) for line, group in groups.items()]
            placed = await self._placing.set(
                file,
                leading,
                lambda first: {
                    "line": first.line,
                    "logMessage": "".join(
                        f"{{{_AGENT}.take({keyed[file, point.id][1]})}}"
                        for point in firsts[first.id]  # noqa: B023 - called at once
                    ),
                },
            )
            for each in placed:
                for point in firsts[each.id]:
                    lines[point.id] = each.line
            if len({each.line for each in placed}) == len(placed):
                break
        by_id = {
            point.id: each._replace(id=point.id) for each in placed for point in firsts[each.id]
        }
        return [by_id[point.id] for point in points]

    def _moved(self, file: str, placed: Placed) -> None:
        for point in self._sharing.get((file, placed.id), ()):
            self._listener.on_placed(file, placed._replace(id=point.id))

    async def counts(self) -> dict[str, Counts]:
        await self._drain()
        return dict(self._counts)

    async def find_sources(self, suffix: str) -> list[str]:
        return json.loads(await self._evaluate(f"{_AGENT}.sources({suffix!r})"))  # type: ignore[no-any-return]

    async def find_function(self, module: str, qualname: str) -> tuple[str, int] | None:
        found = json.loads(await self._evaluate(f"{_AGENT}.function({module!r}, {qualname!r})"))
        return (found[0], found[1]) if found else None

    def hear(self, event: Message) -> None:
        if event.event == "output":
            text = event.field("output", "")
            if isinstance(text, str) and text.startswith(self._nonce):
                last_words = text[len(self._nonce) :].strip()
                if last_words:
                    self._deliver(last_words)
                else:
                    self._bell.set()
            elif event.field("category") in ("important", "console"):
                self._listener.on_fault(Fault("", "adapter", str(text).strip()))
        elif event.event == "breakpoint":
            self._placing.changed(event)
        elif event.event == "stopped":
            # breakpoint() in the program, say: there is nobody here to answer it.
            with contextlib.suppress(DapError):
                self._channel.post("continue", {"threadId": event.field("threadId", 0)})
                self._listener.on_fault(
                    Fault("", "stop", f"It stopped ({event.field('reason')}); it was let go on.")
                )

    async def leave(self) -> None:
        """Take everything out of the program. Never raises."""
        self._is_leaving = True
        self._bell.set()
        with contextlib.suppress(DapError, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                for file in list(self._placing.points):
                    await self._placing.set(file, (), lambda _: None)
                if self._draining is not None:
                    # To its end: rows may be on their way to it.
                    await asyncio.wait([self._draining])
                await self._drain()
                await self._evaluate(f"{_AGENT}.close()")
        self.stop()

    def stop(self) -> None:
        if self._draining is not None:
            self._draining.cancel()

    # -- inside -------------------------------------------------------------------------------

    async def _evaluate(self, expression: str) -> str:
        answer = await self._channel.request(
            # Without a frame debugpy evaluates in a thread of its own; nothing has to stop. With
            # the context `repl` it would redirect the program's stdout meanwhile.
            "evaluate",
            {"expression": expression, "context": "clipboard"},
            timeout_s=_TIMEOUT_S,
        )
        return str(answer.field("result", ""))

    async def _drain_forever(self) -> None:
        try:
            while not self._is_leaving:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._bell.wait()
                        await asyncio.sleep(_GATHER_S)
                self._bell.clear()
                await self._drain()
        except DapError as exc:
            self.is_answering = False
            if self._is_leaving:
                return
            # A program that ends says so in a moment, and this task is cancelled.
            await asyncio.sleep(_LOOK_S)
            self._listener.on_fault(Fault("", "adapter", exc.line))

    async def _drain(self) -> None:
        more = True
        while more:
            answer = self._channel.post(
                "evaluate",
                {"expression": f"{_AGENT}.drain({_MAX_DRAIN_CHARS})", "context": "clipboard"},
            )
            await asyncio.wait([answer], timeout=self._silent_s)
            if not answer.done():
                self._is_silent()
            found = await answer
            self.is_answering = True
            if not found.success:
                raise DapError("The agent is gone from the program.", found.complaint)
            more = self._deliver(str(found.field("result", "")))

    def _is_silent(self) -> None:
        self.is_answering = False
        self._listener.on_fault(
            Fault("", "silent", f"The program has not answered for {self._silent_s:g} s.")
        )

    def _deliver(self, text: str) -> bool:
        """Hand on what the agent gave; whether there is more."""
        try:
            found = json.loads(text)
            for row in found["rows"]:
                point_id = self._ids.get(row[0])
                if point_id is not None:
                    self._listener.on_hit(_hit(point_id, row))
            for key, (hits, recorded, skipped, condition_error) in found["points"].items():
                self._count(int(key), Counts(hits, recorded, skipped, condition_error))
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            self._listener.on_fault(Fault("", "hit", f"Values that can't be read: {exc}"))
            return False
        return bool(found["more"])

    def _count(self, key: int, counts: Counts) -> None:
        point_id = self._ids.get(key)
        if point_id is None:
            return
        self._counts[point_id] = counts
        if counts.condition_error and key not in self._told:
            self._told.add(key)
            self._listener.on_fault(Fault(point_id, "condition", counts.condition_error))


def _for_agent(point: Logpoint, key: int) -> dict[str, Any]:
    return {
        **point._asdict(),
        "key": key,
        "limits": point.limits._asdict(),
        "hit_condition": hit_condition(point.hit_condition),
    }


def _hit(point_id: str, row: list[Any]) -> Hit:
    _, number, time_ns, thread_id, thread_name, function, values, snapshot = row
    return Hit(point_id, number, time_ns, tuple(values), snapshot, thread_id, thread_name, function)
