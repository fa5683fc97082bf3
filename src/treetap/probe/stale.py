"""Constants of code objects that run, exchanged in place.

Two things can't be reached by swapping code objects. A frame that runs in an older stand-in goes on to
execute the snippets in it, though the probe was taken off. And the body of a script that begins to run
holds, as constants, the code of the functions that it is about to make. In both cases the running
code object's tuple of constants is written to. Tuples are immutable to Python; to CPython their items
are an array of pointers, which ``LOAD_CONST`` reads anew each time (3.11 to 3.13).
"""

from __future__ import annotations

from treetap.interpreter import MethodType, deque
from treetap.probe.memory import WORD_BYTES, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType
    from typing import Any

    from treetap.probe.recorder import Recorder

#: Where a tuple's items begin.
_ITEMS_OFFSET = tuple.__basicsize__
#: Takes what a stale snippet appends, and keeps nothing.
_NOWHERE: deque[Any] = deque(maxlen=0)


def exchange_constants(code: CodeType, replaced: dict[int, Any]) -> bool:
    """Put other objects in the place of constants of ``code``, for the frames that run it.

    Args:
        code: Any code object that isn't equal to another one by intention: it is changed.
        replaced: ``{id of a constant: what stands there from now on}``.

    Returns:
        Whether there was any.
    """
    constants = code.co_consts
    found = False
    for index, value in enumerate(constants):
        if id(value) in replaced:
            _swap_items(constants, index, (replaced[id(value)],), 0)
            found = True
    return found


def _swap_items(
    one: tuple[Any, ...], one_index: int, other: tuple[Any, ...], other_index: int
) -> None:
    """Exchange an item of a tuple and one of another: each goes on to own as many as it has.

    Between the two writes both hold the same object, which the caller keeps alive.
    """
    slot = Word.from_address(id(one) + _ITEMS_OFFSET + one_index * WORD_BYTES)
    other_slot = Word.from_address(id(other) + _ITEMS_OFFSET + other_index * WORD_BYTES)
    before = slot.value
    slot.value = other_slot.value
    other_slot.value = before


def defuse(code: CodeType, recorders: Iterable[Recorder]) -> None:
    """Cut the snippets of these recorders off: their hits go nowhere."""
    gone = {id(recorder) for recorder in recorders}
    rows = {id(recorder.ring.rows) for recorder in recorders}
    replaced: dict[int, Any] = {}
    for value in code.co_consts:
        if id(value) in rows:
            replaced[id(value)] = _NOWHERE
        elif type(value) is MethodType and id(value.__self__) in gone:
            replaced[id(value)] = _nothing
    if replaced:
        exchange_constants(code, replaced)


def _nothing(*_values: Any) -> None:
    """What a stale snippet calls instead of its recorder."""
