"""A look into a source file: what is at a line, what can be read there, where a name is bound.

The daemon reads the file from its own disk, as its own user; a program that runs elsewhere, or that
was started before the file changed, has lines of its own.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from treetap.daemon.naming import Names
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

MAX_FILE_BYTES = 2 * 1024 * 1024
#: The parser has the interpreter to itself; a larger file would hold up links and answers.
MAX_PARSED_CHARS = 512 * 1024
#: Lines shown before and after the wanted one, and of a file that is only looked at.
CONTEXT_LINES = 10
OVERVIEW_LINES = 20
_MAX_PATH_CHARS = 4096
_MAX_NAMES = 200
_MAX_LINES = 50
_MAX_LINE_CHARS = 500

#: By suffix: the language's name, and what binds a name in it.
_LANGUAGES: dict[str, tuple[str, str]] = {
    ".py": ("Python", r"\b{0}\s*(?::[^=]*)?=[^=]"),
    ".pyw": ("Python", r"\b{0}\s*(?::[^=]*)?=[^=]"),
    ".go": ("Go", r"(?:\b(?:var|const)\s+{0}\b|\b{0}\b[\w\s,]*:=|\b{0}\s*=[^=])"),
    ".rs": ("Rust", r"(?:\b(?:let|const|static)\s+(?:mut\s+)?{0}\b|\b{0}\s*=[^=])"),
}
_UNKNOWN = ("Text", r"\b{0}\s*=[^=]")


class Inspection(NamedTuple):
    """Attributes:
    path: Of the file, absolute.
    language: ``Python``, ``Go``, ``Rust`` or ``Text``.
    lines: All of its lines.
    context: ``(line number, text)`` of what is to be shown.
    line: The line that was asked for; 0 for none.
    holds_code: Whether a probe can sit at ``line``; ``None`` where that can't be told.
    nearest: Lines next to it that hold code, if it doesn't.
    available: Names that can be read at ``line``.
    name: The name that was asked for; ``""`` for none.
    definitions: ``(line number, scope, text)`` where ``name`` is bound.
    suggested: Lines where ``name`` has just got its value.
    similar: Names like ``name``, if there is no such name.
    complaint: Why the file's names aren't known; ``""`` if they are.
    """

    path: str
    language: str
    lines: list[str]
    context: list[tuple[int, str]]
    line: int = 0
    holds_code: bool | None = None
    nearest: list[int] = []  # noqa: RUF012 - defaults that nobody writes to
    available: list[str] = []  # noqa: RUF012
    name: str = ""
    definitions: list[tuple[int, str, str]] = []  # noqa: RUF012
    suggested: list[int] = []  # noqa: RUF012
    similar: list[str] = []  # noqa: RUF012
    complaint: str = ""


def inspect_file(path: str, *, line: int = 0, name: str = "") -> Inspection:
    """Look into a file. Reads and parses it: not for the loop's own thread.

    Args:
        path: Absolute.
        line: Show this line, and what can be read there; 0 for none.
        name: Find where this name is bound; ``""`` for none.

    Raises:
        DaemonError: Slug ``source-path`` (no path of a file), ``source-missing``,
            ``source-unreadable`` or ``source-line`` (it has no such line).
    """
    text = read_source(path)
    lines = text.splitlines()
    language, _ = _language(path)
    seen = Inspection(path, language, lines, [], line=line, name=name)
    names: Names | None = None
    if language == "Python" and len(text) > MAX_PARSED_CHARS:
        seen = seen._replace(
            complaint=f"The file isn't parsed: it has more than {MAX_PARSED_CHARS} characters."
        )
    elif language == "Python":
        try:
            names = Names(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
            seen = seen._replace(complaint=f"The file can't be parsed: {exc}.")
    if line:
        seen = _at_line(seen, text, names)
    if name:
        seen = _of_name(seen, names)
    if not line and not name:
        seen = seen._replace(context=_cut(lines, 1, OVERVIEW_LINES))
    return seen


def read_source(path: str) -> str:
    """The text of a source file; raises as ``inspect_file``."""
    if not path or "\0" in path or len(path) > _MAX_PATH_CHARS or not Path(path).is_absolute():
        raise DaemonError(
            f"{path[:200]!r} is no path of a file.",
            "Give an absolute path, as /srv/app/shop.py.",
            slug="source-path",
        )
    try:
        content = _read(path)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise DaemonError(
            f"There is no file {path}.",
            "The daemon looks on its own disk; a program of another machine has files of its own.",
            slug="source-missing",
        ) from exc
    except OSError as exc:
        raise _unreadable(path, exc.strerror or str(exc)) from exc
    if len(content) > MAX_FILE_BYTES:
        raise _unreadable(path, f"it has more than {MAX_FILE_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _unreadable(path, "it is no text in UTF-8") from exc


def _read(path: str) -> bytes:
    # Without waiting for a writer, should it be a pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _unreadable(path, "it is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)


def _unreadable(path: str, why: str) -> DaemonError:
    return DaemonError(
        f"{path} can't be read: {why}.", "Give a file of source text.", slug="source-unreadable"
    )


def _at_line(seen: Inspection, text: str, names: Names | None) -> Inspection:
    line = seen.line
    if not 1 <= line <= len(seen.lines):
        raise DaemonError(
            f"{seen.path} has no line {line}.",
            f"It has {len(seen.lines)} lines.",
            slug="source-line",
        )
    seen = seen._replace(context=_cut(seen.lines, line - CONTEXT_LINES, line + CONTEXT_LINES))
    if names is None:
        return seen
    try:
        held = _code_lines(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        # What the parser takes and the compiler doesn't, as a `return` outside of a function.
        return seen._replace(complaint=f"The file can't be compiled: {exc}.")
    before = [each for each in held if each < line]
    after = [each for each in held if each > line]
    return seen._replace(
        available=names.available(line)[:_MAX_NAMES],
        holds_code=line in held,
        nearest=[] if line in held else [*before[-1:], *after[:1]],
    )


def _of_name(seen: Inspection, names: Names | None) -> Inspection:
    lines, name = seen.lines, seen.name
    context = seen.context or _cut(lines, 1, OVERVIEW_LINES)
    if names is None:
        pattern = re.compile(_language(seen.path)[1].format(re.escape(name)))
        found = [i for i, each in enumerate(lines, 1) if pattern.search(each)] if name else []
        return seen._replace(
            context=context,
            definitions=[(i, "", _short(lines[i - 1].strip())) for i in found[:_MAX_LINES]],
            suggested=[i + 1 for i in found[:_MAX_LINES] if i < len(lines)],
        )
    bound = names.definitions(name)
    similar = []
    if not bound:
        known = list(dict.fromkeys(each.name for each in names.bindings))
        similar = difflib.get_close_matches(name[:200], known[:2000], 5)
    return seen._replace(
        context=context,
        definitions=[
            (each.line, names.scopes[each.scope].name, _short(lines[each.line - 1].strip()))
            for each in bound[:_MAX_LINES]
        ],
        suggested=names.readable_lines(name)[:_MAX_LINES],
        similar=similar,
    )


def _code_lines(text: str) -> list[int]:
    """Lines where an instruction begins, in order."""
    found: set[int] = set()
    for code in _codes(compile(text, "<inspected>", "exec", dont_inherit=True)):
        found.update(line for _start, _end, line in code.co_lines() if line)
    return sorted(found)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if hasattr(constant, "co_lines"):
            yield from _codes(constant)


def _cut(lines: list[str], first: int, last: int) -> list[tuple[int, str]]:
    first = max(1, first)
    return [(i, _short(each)) for i, each in enumerate(lines[first - 1 : last], first)]


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LINE_CHARS else text[: _MAX_LINE_CHARS - 1] + "…"


def _language(path: str) -> tuple[str, str]:
    return _LANGUAGES.get(Path(path).suffix.lower(), _UNKNOWN)
