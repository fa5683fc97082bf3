"""Reading code objects: which are nested in which, and which lines hold code."""

from __future__ import annotations

import os

from treetap.interpreter import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: A function of each kind that has something before its first line: a cell, a free variable, a
#: generator. ``opcode``, where the numbers of the instructions are, takes 1 ms to import.
_SAMPLES = "def outer(cell):\n def inner():\n  yield cell"
_CACHE = 0
#: ``CO_GENERATOR``, ``CO_COROUTINE`` and ``CO_ASYNC_GENERATOR``.
_SUSPENDABLE = 0x20 | 0x80 | 0x200
#: Where the standard library's sources are.
_LIBRARY = os.path.dirname(os.__file__) + os.sep
COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


#: What ``_prologue`` says, once it was asked.
_known_prologue: list[frozenset[int]] = []


def _prologue() -> frozenset[int]:
    """The instructions that the compiler puts before the first line's own code, up to ``RESUME``."""
    if not _known_prologue:
        _known_prologue.append(_sampled_prologue())
    return _known_prologue[0]


def _sampled_prologue() -> frozenset[int]:
    module = compile(_SAMPLES, "<samples>", "exec", dont_inherit=True)
    resume = module.co_code[0]
    found = {resume, _CACHE}
    for code in walk_codes(module):
        instructions = code.co_code[::2]
        found.update(instructions[: instructions.index(resume)])
    return frozenset(found)


def nested_codes(code: CodeType) -> list[CodeType]:
    """The code objects among the constants, in the order of the source."""
    return [value for value in code.co_consts if type(value) is CodeType]


def walk_codes(code: CodeType) -> Iterator[CodeType]:
    """The code object and all below it, outer ones first."""
    yield code
    for inner in nested_codes(code):
        yield from walk_codes(inner)


def code_lines(code: CodeType) -> frozenset[int]:
    """The lines on which this code object, not one nested in it, does something."""
    lines = set()
    prologue_ends = _prologue_bytes(code)
    for start, end, line in code.co_lines():
        if line is not None and end > prologue_ends and start < end:
            lines.add(line)
    return frozenset(lines)


def is_of_standard_library(code: CodeType) -> bool:
    """Whether treetap itself may call this code: its threads use the standard library."""
    filename = code.co_filename
    return filename.startswith("<frozen") or (
        filename.startswith(_LIBRARY) and "site-packages" not in filename
    )


def _prologue_bytes(code: CodeType) -> int:
    """Offset behind what every call does before the function's first statement."""
    if code.co_name == "<module>" or not code.co_flags & 0x1:
        return 0
    if not (code.co_cellvars or code.co_freevars or code.co_flags & _SUSPENDABLE):
        return 2  # `RESUME` alone
    prologue = _prologue()
    # An instruction is two bytes: which, and with what.
    for offset, operation in enumerate(code.co_code[::2]):
        if operation not in prologue:
            return offset * 2
    return 0
