"""3.11 only: calls spliced into bytecode, for code whose source can't be compiled into it.

Without ``sys.monitoring`` this is what is left for a file that was edited since its import, for code
without source, and for places where no statement can stand. The ``bytecode`` library knows the
instructions, the exception tables and the stack; we say where the calls go.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bytecode import Bytecode, Instr, Label

from treetap.probe.code import nested_codes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    Hit = Callable[[FrameType], None]
    #: ``{id of an original code object: {line: hits}}``.
    HitsByCode = dict[int, dict[int, list[Hit]]]

#: The line of a function's entry.
_ENTRY = 0


def spliced(
    root: CodeType, pairs: list[tuple[CodeType, CodeType]], hits: HitsByCode
) -> list[tuple[CodeType, CodeType]]:
    """``pairs`` of ``(original, stand-in)``, with the hits spliced in where no stand-in has them.

    Args:
        root: The outermost original.
        pairs: What was injected already, in this root.
        hits: What to call where.
    """
    known = {id(original): stand_in for original, stand_in in pairs}
    found: list[tuple[CodeType, CodeType]] = []
    _walk(root, known, hits, found)
    return found


def _walk(
    original: CodeType,
    known: dict[int, CodeType],
    hits: HitsByCode,
    found: list[tuple[CodeType, CodeType]],
) -> CodeType:
    base = known.get(id(original), original)
    replaced: dict[int, CodeType] = {}
    for inner, present in zip(nested_codes(original), nested_codes(base), strict=True):
        stand_in = _walk(inner, known, hits, found)
        if stand_in is not present:
            replaced[id(present)] = stand_in
    result = base
    if replaced:
        result = base.replace(
            co_consts=tuple(replaced.get(id(value), value) for value in base.co_consts)
        )
    if id(original) in hits:
        result = _with_calls(result, hits[id(original)])
    if result is not original:
        found.append((original, result))
    return result


def _with_calls(code: CodeType, hits: dict[int, list[Hit]]) -> CodeType:
    calls = {line: _caller(tuple(of_line)) for line, of_line in hits.items()}
    instructions = Bytecode.from_code(code)
    heads = _lines_after_labels(instructions)
    result: list[Any] = []
    line_before = None
    has_entered = False
    for item in instructions:
        if not isinstance(item, Instr):
            result.append(item)
            continue
        line = item.lineno
        if has_entered and line != line_before and line in calls:
            result += _call(calls[line], item)
        elif item.name == "JUMP_BACKWARD" and isinstance(item.arg, Label):
            # Back to a loop's header: its line is hit once more.
            head = heads.get(id(item.arg))
            if head in calls:
                result += _call(calls[head], item)
        if has_entered:
            line_before = line
        result.append(item)
        if item.name == "RESUME" and not has_entered:
            has_entered = True
            if _ENTRY in calls:
                result += _call(calls[_ENTRY], item)
    instructions[:] = result
    return instructions.to_code()


def _lines_after_labels(instructions: Bytecode) -> dict[int, int | None]:
    """``{id(label): line of the instruction behind it}``."""
    lines: dict[int, int | None] = {}
    waiting: list[int] = []
    for item in instructions:
        if isinstance(item, Label):
            waiting.append(id(item))
        elif isinstance(item, Instr):
            lines.update(dict.fromkeys(waiting, item.lineno))
            waiting.clear()
    return lines


def _call(call: Callable[[], None], at: Instr) -> list[Instr]:
    return [
        Instr("PUSH_NULL", location=at.location),
        Instr("LOAD_CONST", call, location=at.location),
        Instr("PRECALL", 0, location=at.location),
        Instr("CALL", 0, location=at.location),
        Instr("POP_TOP", location=at.location),
    ]


def _caller(hits: tuple[Hit, ...]) -> Callable[[], None]:
    getframe = sys._getframe

    def call() -> None:
        try:
            for hit in hits:
                hit(getframe(1))
        except Exception:  # noqa: S110 - it would surface in the program
            pass

    return call
