"""Which logpoints are set in which file, and what the adapter says of each.

DAP sets all breakpoints of a file at once, and tells of their later moves by numbers of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from treetap.dap.logpoint import Placed
from treetap.errors import DapError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treetap.dap.channel import Channel
    from treetap.dap.logpoint import Logpoint
    from treetap.dap.message import Message

_TIMEOUT_S = 10.0


class Placing:
    """Sets breakpoints, one request at a time.

    Args:
        channel: To the adapter.
        on_placed: Of a file, and of what is true now of one of its logpoints.
    """

    def __init__(self, channel: Channel, on_placed: Callable[[str, Placed], None]) -> None:
        self._channel = channel
        self._on_placed = on_placed
        self._one_at_a_time = asyncio.Lock()
        self._by_number: dict[int, tuple[str, Placed]] = {}
        #: What is set now; no entry for a file without.
        self.points: dict[str, tuple[Logpoint, ...]] = {}

    async def set(
        self, file: str, points: Sequence[Logpoint], breakpoint_of: Callable[[Logpoint], Any]
    ) -> list[Placed]:
        """Make ``points`` all that is set in ``file``.

        Raises:
            DapError: See ``Channel.request``.
        """
        async with self._one_at_a_time:
            answer = await self._channel.request(
                "setBreakpoints",
                {
                    "source": {"path": file, "name": file.rpartition("/")[2]},
                    "breakpoints": [breakpoint_of(point) for point in points],
                    "lines": [point.line for point in points],
                    "sourceModified": False,
                },
                timeout_s=_TIMEOUT_S,
            )
            made = answer.field("breakpoints", [])
            if not isinstance(made, list) or len(made) != len(points):
                raise DapError(
                    f"The adapter was given {len(points)} logpoints in {file}, and answered for "
                    f"{len(made) if isinstance(made, list) else 'none'}.",
                    "It doesn't keep to the protocol: one answer for each.",
                    slug="dap-refused",
                )
            gone = [number for number, (where, _) in self._by_number.items() if where == file]
            for number in gone:
                del self._by_number[number]
            placed = [
                _placed(each, point.id, point.line)
                for each, point in zip(made, points, strict=True)
            ]
            for each, of in zip(made, placed, strict=True):
                if isinstance(each.get("id"), int):
                    self._by_number[each["id"]] = file, of
            self.points[file] = tuple(points)
            if not points:
                del self.points[file]
            return placed

    def changed(self, event: Message) -> None:
        """An event of the adapter: a breakpoint moved, or its code was loaded or is gone."""
        about = event.field("breakpoint")
        known = self._by_number.get(about.get("id", -1)) if isinstance(about, dict) else None
        if known is None or event.field("reason") == "removed":
            return
        file, before = known
        now = _placed(about, before.id, before.line)
        if now != before:
            self._by_number[about["id"]] = file, now
            self._on_placed(file, now)

    def at(self, number: int) -> tuple[str, str] | None:
        """File, and id of the logpoint, of the adapter's breakpoint number."""
        known = self._by_number.get(number)
        return None if known is None else (known[0], known[1].id)

    def on_line(self, file: str, line: int) -> list[str]:
        """The ids of the logpoints that sit there."""
        return [
            placed.id
            for where, placed in self._by_number.values()
            if placed.line == line and where == file
        ]


def _placed(made: Any, point_id: str, asked_line: int) -> Placed:
    if not isinstance(made, dict):
        return Placed(point_id, False, asked_line, "The adapter says nothing of it.")
    line = made.get("line")
    message = made.get("message")
    return Placed(
        point_id,
        made.get("verified") is True,
        line if isinstance(line, int) and line > 0 else asked_line,
        message if isinstance(message, str) else "",
    )
