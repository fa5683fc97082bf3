"""Asking an adapter about a stopped thread: its frames, values of expressions, local variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.dap import foreign
from treetap.expression.redaction import Redaction
from treetap.model.captured import KIND, NotCaptured, not_captured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treetap.dap.channel import Channel
    from treetap.dap.message import Message
    from treetap.model.probe import Limits

_TIMEOUT_S = 5.0
#: The program stands while it is asked: a value with parts of parts of parts ends somewhere.
_MAX_REQUESTS = 200
#: delve gives so much of a string at once, and more by slices of it.
_MAX_SLICES = 300


class Frame(NamedTuple):
    """Attributes:
    number: The adapter's, to ask about it.
    """

    number: int
    function: str
    file: str
    line: int


class Asking:
    """What is asked at one stop.

    Args:
        channel: To the adapter.
        is_go: It is delve.
    """

    def __init__(self, channel: Channel, *, is_go: bool) -> None:
        self._channel = channel
        self._is_go = is_go
        self._left = _MAX_REQUESTS
        self._redaction = Redaction()

    async def frames(self, thread_id: int, levels: int) -> list[Frame]:
        """The innermost first.

        Raises:
            DapError: See ``Channel.request``; for all of this class.
        """
        answer = await self._channel.request(
            "stackTrace",
            {"threadId": thread_id, "startFrame": 0, "levels": levels},
            timeout_s=_TIMEOUT_S,
        )
        found = answer.field("stackFrames", [])
        return [_frame(each) for each in found if isinstance(each, dict)][:levels]

    async def values(self, expressions: Sequence[str], frame: int, limits: Limits) -> list[Any]:
        return [await self.value(text, frame, limits) for text in expressions]

    async def value(self, expression: str, frame: int, limits: Limits) -> Any:
        """The value of one expression; an ``error`` form if it has none."""
        answer = await self._evaluate(expression, frame)
        if not answer.success:
            text = answer.complaint.strip().removeprefix("Unable to evaluate expression: ")
            return {KIND: "error", "type": "EvaluationError", "text": text[:255]}
        text = str(answer.field("result", ""))
        found = foreign.quoted(text)
        if found is not None and self._is_go:
            found = await self._whole(expression, frame, found, limits.max_chars)
        if found is not None:
            return foreign.string_form(found, limits.max_chars)
        return await self._form(text, answer.body, limits, 1)

    async def locals(self, frame: int, limits: Limits) -> list[list[Any]]:
        """``[[name, value], …]`` of a frame, arguments first."""
        answer = await self._channel.request("scopes", {"frameId": frame}, timeout_s=_TIMEOUT_S)
        found: list[list[Any]] = []
        for scope in answer.field("scopes", []):
            name = str(scope.get("name", "")).lower()
            if "local" in name or "argument" in name:
                found += await self._children(scope.get("variablesReference", 0), limits, 1)
        return found[: limits.max_items]

    # -- inside -------------------------------------------------------------------------------

    async def _evaluate(self, expression: str, frame: int) -> Message:
        answer = self._channel.post(
            "evaluate",
            {
                "expression": expression,
                "frameId": frame,
                # delve gives more of a long string for the clipboard; lldb knows no such context.
                "context": "clipboard" if self._is_go else "watch",
            },
        )
        return await answer

    async def _whole(
        self, expression: str, frame: int, text: foreign.Text, max_chars: int
    ) -> foreign.Text:
        """More of a Go string that was cut, slice by slice, until there is enough of it."""
        cut = foreign.cut_by_delve(text)
        answer = await self._evaluate(f"len({expression})", frame) if cut is not None else None
        whole = foreign.plain(str(answer.field("result", ""))) if answer is not None else None
        if cut is None or type(whole) is not int or whole <= len(text.shown):
            return text  # a string that ends like that of its own
        shown = bytearray(cut.shown)
        for _ in range(_MAX_SLICES):
            # A character has at most four bytes; counted exactly below, by who makes the form.
            if len(shown) >= min(whole, 4 * max_chars):
                break
            answer = await self._evaluate(f"({expression})[{len(shown)}:{whole}]", frame)
            more = foreign.quoted(str(answer.field("result", ""))) if answer.success else None
            if more is None or not more.shown:
                break
            missing = whole - len(shown)
            rest = foreign.cut_by_delve(more) if len(more.shown) != missing else None
            shown += (rest or more).shown
        return foreign.Text(bytes(shown), whole - len(shown))

    async def _form(self, text: str, about: Any, limits: Limits, depth: int) -> Any:
        """A value of which the adapter said ``text``, and may know parts."""
        type_name = str(about.get("type") or "")
        found = foreign.quoted(text)
        if found is not None:
            return foreign.string_form(found, limits.max_chars)
        value = foreign.plain(text, type_name)
        reference = about.get("variablesReference", 0)
        if not isinstance(value, dict) or value[KIND] != "text" or not reference:
            if isinstance(value, dict) and value[KIND] == "text":
                value["v"] = value["v"][: max(limits.max_chars, 40)]
            return value
        if depth > limits.max_depth:
            return not_captured(NotCaptured.DEPTH, type_name)
        if self._left <= 0:
            return not_captured(NotCaptured.SIZE, type_name)
        fields = await self._children(reference, limits, depth + 1)
        names = [name for name, _ in fields]
        if names and all(name == f"[{number}]" for number, name in enumerate(names)):
            length = about.get("indexedVariables") or len(fields)
            items = [value for _, value in fields[: limits.max_items]]
            return {KIND: "list", "type": type_name, "items": items, "len": length}
        shown = fields[: limits.max_fields]
        return {KIND: "object", "type": type_name, "fields": shown, "len": len(fields)}

    async def _children(self, reference: int, limits: Limits, depth: int) -> list[list[Any]]:
        if not reference or self._left <= 0:
            return []
        self._left -= 1
        answer = await self._channel.request(
            "variables", {"variablesReference": reference}, timeout_s=_TIMEOUT_S
        )
        found: list[list[Any]] = []
        for each in answer.field("variables", [])[: max(limits.max_items, limits.max_fields)]:
            name = str(each.get("name", ""))
            if self._redaction.hides(name):
                found.append([name, not_captured(NotCaptured.REDACTED, str(each.get("type", "")))])
            else:
                text = str(each.get("value", ""))
                found.append([name, await self._form(text, each, limits, depth)])
        return found


def _frame(each: dict[str, Any]) -> Frame:
    source = each.get("source")
    path = source.get("path", "") if isinstance(source, dict) else ""
    return Frame(
        int(each.get("id", 0)), str(each.get("name", "")), str(path), int(each.get("line", 0))
    )
