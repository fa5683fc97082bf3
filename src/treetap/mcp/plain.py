"""Captured values as plain JSON for a model: no marks of ours where JSON has a word for it.

What JSON has no word for is an object that says what it is: ``{"type": …}``, ``{"error": …}``,
``{"not_captured": …}``, ``{"items": …, "len": …}`` of a container that was cut. So a text is a text,
and a list is never a text that looks like one.
"""

from __future__ import annotations

from typing import Any

from treetap.model.captured import KIND, render

_SEQUENCES = frozenset({"list", "tuple", "set", "frozenset"})


def plain(captured: Any) -> Any:
    """One captured value."""
    if not isinstance(captured, dict):
        return captured
    kind = captured.get(KIND, "")
    if kind in _SEQUENCES:
        items = [plain(item) for item in captured["items"]]
        return _whole(captured, items, items)
    if kind == "dict":
        pairs = [(plain(key), plain(value)) for key, value in captured["items"]]
        if all(isinstance(key, str) for key, _ in pairs):
            found = dict(pairs)
            return _whole(captured, found, found)
        return _whole(captured, {"items": [list(pair) for pair in pairs]}, [list(p) for p in pairs])
    if kind == "object":
        fields = {name: plain(value) for name, value in captured["fields"]}
        told = {"type": captured["type"], "fields": fields}
        return told if captured["len"] == len(fields) else {**told, "len": captured["len"]}
    return _single(kind, captured)


def snapshot(
    captured: dict[str, Any],
    *,
    shows_stack: bool = True,
    shows_locals: bool = True,
    stack_slice: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """A snapshot; of its stack, innermost frame first, the first and last so many frames."""
    told: dict[str, Any] = {}
    if shows_stack:
        frames = [f"{function} {file}:{line}" for function, file, line in captured["stack"]]
        if stack_slice is not None and sum(stack_slice) < len(frames):
            first, last = stack_slice
            frames = [*frames[:first], *frames[len(frames) - last :]]
        told["stack"] = frames
    if shows_locals:
        told["locals"] = {name: plain(value) for name, value in captured["locals"]}
    return told


def _single(kind: str, form: dict[str, Any]) -> Any:
    match kind:
        case "int":
            return {"type": "int", "text": form["v"]}
        case "float":
            return {"type": "float", "text": form["v"]}
        case "str":
            is_cut = form.get("len", 0) > len(form["v"])
            return {"text": form["v"], "len": form["len"]} if is_cut else form["v"]
        case "bytes":
            return {"type": "bytes", "text": form["v"], "len": form["len"]}
        case "text":
            return {"type": form["type"], "text": form["v"]}
        case "error":
            return {"error": f"{form['type']}: {form['text']}" if form["text"] else form["type"]}
        case "not-captured":
            told = {"not_captured": form["reason"]}
            return {**told, "type": form["type"]} if form.get("type") else told
        case "snapshot":
            return snapshot(form)
    return {"text": render(form, 1000)}


def _whole(form: dict[str, Any], whole: Any, items: Any) -> Any:
    """``whole`` where it is all there is and JSON has a word for it."""
    told: dict[str, Any] = {"items": items}
    if form[KIND] not in ("list", "dict"):
        told["type"] = form[KIND]
    if form.get("type"):
        told["type"] = form["type"]
    if form["len"] > len(form["items"]):
        told["len"] = form["len"]
    return whole if len(told) == 1 else told
