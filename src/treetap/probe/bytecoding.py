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
#: Instructions that must stay next to the one before them, and one that is only ever reached by an
#: exception that its own line has raised.
_NEVER_BEFORE = frozenset({"PRECALL", "CALL", "END_ASYNC_FOR"})
#: Instructions that the next one is not reached from.
_ENDS = frozenset(
    {"RETURN_VALUE", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD", "JUMP_BACKWARD"}
    | {"JUMP_BACKWARD_NO_INTERRUPT", "JUMP_NO_INTERRUPT"}
)


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
    jumps = _jumps_by_label(instructions)
    result: list[Any] = []
    labels: list[Label] = []
    before: Instr | None = None
    has_entered = False
    for position, item in enumerate(instructions):
        if not isinstance(item, Instr):
            if isinstance(item, Label):
                labels.append(item)
            result.append(item)
            continue
        if has_entered and item.name not in _NEVER_BEFORE and item.lineno in calls:
            here = [jump for label in labels for jump in jumps.get(id(label), ())]
            result += _arrivals(calls[item.lineno], item, position, before, here)
        labels = []
        if has_entered:
            before = item
        result.append(item)
        if item.name == "RESUME" and not has_entered:
            has_entered = True
            if _ENTRY in calls:
                result += _call(calls[_ENTRY], item)
    instructions[:] = result
    spliced_code: CodeType = instructions.to_code()
    return spliced_code


def _jumps_by_label(instructions: Bytecode) -> dict[int, list[tuple[int, Instr]]]:
    """``{id(label): where the jumps to it stand}``."""
    jumps: dict[int, list[tuple[int, Instr]]] = {}
    for position, item in enumerate(instructions):
        if isinstance(item, Instr) and isinstance(item.arg, Label):
            jumps.setdefault(id(item.arg), []).append((position, item))
    return jumps


def _arrivals(
    call: Callable[[], None],
    item: Instr,
    position: int,
    before: Instr | None,
    jumps: list[tuple[int, Instr]],
) -> list[Any]:
    """What goes in front of ``item``, so that those who come from another line pass the call.

    An instruction may be reached from its own line and from others, so each way to it is led past
    the call or around it; a jump back counts as another line, for it begins the line once more.
    """
    passing, around = Label(), Label()
    is_passed = False
    for jumped_from, jump in jumps:
        is_back = jumped_from > position and jump.name != "JUMP_BACKWARD_NO_INTERRUPT"
        passes = is_back or jump.lineno != item.lineno
        jump.arg = passing if passes else around
        is_passed |= passes
    falls_through = before is not None and before.name not in _ENDS
    falls_in_line = falls_through and before is not None and before.lineno == item.lineno
    if falls_in_line and not is_passed:
        return [around]
    way_around = [Instr("JUMP_FORWARD", around, location=item.location)] if falls_in_line else []
    return [*way_around, passing, *_call(call, item), around]


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
        except Exception:
            pass

    return call
