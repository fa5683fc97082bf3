"""What tab offers at the prompt: pdb's commands and their arguments; names and attributes of the frame."""

from __future__ import annotations

import builtins
import keyword
from typing import Any


def candidates(pdb: Any, line: str, begin: int, end: int, *, is_python: bool = False) -> list[str]:
    """What could stand at ``line[begin:end]``.

    Args:
        pdb: The debugger that would read the line.
        line: As it is typed.
        begin: Of the word.
        end: Of the word, where the cursor is.
        is_python: The line is Python, and no command.
    """
    word = line[begin:end]
    stripped = line.lstrip()
    shift = len(line) - len(stripped)
    if is_python or stripped.startswith("!"):
        return _of_expression(pdb, word)
    arguments = word, stripped, begin - shift, end - shift
    if begin <= shift:
        return pdb.completenames(*arguments) or _of_expression(pdb, word)
    command, _, _ = pdb.parseline(stripped)
    of_command = getattr(pdb, f"complete_{command}", None) if command else None
    found = of_command(*arguments) if of_command is not None else []
    return _own_first(found, word) or _of_expression(pdb, word)


def _of_expression(pdb: Any, word: str) -> list[str]:
    found = [str(one) for one in pdb._complete_expression(word, word, 0, len(word))]
    if not found and "." not in word:
        names = [*dir(builtins), *keyword.kwlist]
        return [name for name in names if name.startswith(word)]
    return _own_first(found, word)


def _own_first(found: list[str], word: str) -> list[str]:
    """Without what begins with an underscore, unless there is nothing else, or one was typed."""
    head, dot, last = word.rpartition(".")
    if last.startswith("_"):
        return found
    skipped = len(head) + len(dot)
    return [one for one in found if not one.startswith("_", skipped)] or found
