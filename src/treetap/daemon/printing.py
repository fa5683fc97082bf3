"""Which values a piece of code would print or log."""

from __future__ import annotations

import ast
import re
import textwrap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HIGH, MEDIUM, LOW = "high", "medium", "low"
_RANKS = (HIGH, MEDIUM, LOW)

_PRINTS = frozenset({"print", "pprint", "pp"})
_LEVELS = frozenset(
    {"debug", "info", "warning", "warn", "error", "critical", "exception", "log", "fatal"}
)
_LOGGER = re.compile(r"(?:(?:^|_)log|logger|logging)$", re.IGNORECASE)
#: A statement has so many lines at most.
_MAX_LINES = 60

_CALLS = {
    ".go": re.compile(
        r"\b(?:fmt|log|logger|slog)\.(?:Print|Fatal|Panic|Debug|Info|Warn|Error)\w*\("
    ),
    ".rs": re.compile(
        r"\b(?:dbg|e?println|e?print|(?:(?:log|tracing)::)?(?:trace|debug|info|warn|error))!\("
    ),
}
_INLINE = re.compile(r"\{([A-Za-z_]\w*)(?::[^}]*)?\}")
_NAMES_ONLY = re.compile(r"[A-Za-z_][\w.]*\Z")


class Printed(NamedTuple):
    """Attributes:
    position: Of the line where it begins, among those that were given.
    indent: Columns before it.
    expressions: What is printed, without texts.
    confidence: ``high`` (names and their attributes), ``medium`` (calls) or ``low``.
    code: The text.
    """

    position: int
    indent: int
    expressions: list[str]
    confidence: str
    code: str


def printed_in(lines: list[str], suffix: str) -> list[Printed]:
    """What these lines print.

    Args:
        lines: A piece of a file; it need not be whole.
        suffix: Of the file's name; it says the language.
    """
    if suffix in (".py", ".pyw", ".pyi"):
        return list(_python(lines))
    pattern = _CALLS.get(suffix)
    return [] if pattern is None else list(_other(lines, pattern, suffix))


def _python(lines: list[str]) -> Iterator[Printed]:
    index = 0
    while index < len(lines):
        # The longest piece that can be parsed, from here on: a call may have many lines.
        tree, taken = _parsed(lines[index:])
        if tree is None:
            index += 1
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _is_print(node):
                first, last = index + node.lineno - 1, index + (node.end_lineno or node.lineno)
                text = lines[first]
                values = list(_values(node))
                yield Printed(
                    first,
                    len(text) - len(text.lstrip()),
                    [ast.unparse(each) for each in values],
                    _worst([_confidence(each) for each in values]),
                    textwrap.dedent("\n".join(lines[first:last])).strip(),
                )
        index += taken


def _parsed(lines: list[str]) -> tuple[ast.Module | None, int]:
    if not lines[0].strip():
        return None, 1
    whole = _parse(lines)
    if whole is not None:
        return whole, len(lines)
    for count in range(1, min(len(lines), _MAX_LINES) + 1):
        tree = _parse(lines[:count])
        if tree is not None:
            return tree, count
    return None, 1


def _parse(lines: list[str]) -> ast.Module | None:
    try:
        return ast.parse(textwrap.dedent("\n".join(lines)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_print(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id=name):
            return name in _PRINTS
        case ast.Attribute(value=ast.Name(id="pprint"), attr=name):
            return name in _PRINTS
        case ast.Attribute(value=ast.Name(id=owner), attr=level):
            return level in _LEVELS and _LOGGER.search(owner) is not None
        case ast.Attribute(value=ast.Attribute(attr=owner), attr=level):
            return level in _LEVELS and _LOGGER.search(owner) is not None
        case ast.Attribute(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id="logging"))), attr=level
        ):
            return level in _LEVELS
    return False


def _values(call: ast.Call) -> Iterator[ast.expr]:
    arguments = list(call.args)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "log":
        # The first one is the level.
        arguments = arguments[1:]
    for argument in arguments:
        yield from _parts(argument)


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """The values in what is printed; a text has none of its own."""
    match node:
        case ast.Constant():
            return
        case ast.JoinedStr(values=pieces):
            for piece in pieces:
                if isinstance(piece, ast.FormattedValue):
                    yield from _parts(piece.value)
        case ast.Starred(value=value):
            yield value
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=right):
            yield from _operands(right)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                yield from _parts(argument)
        case _:
            yield node


def _operands(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Tuple(elts=elements):
            each = elements
        case ast.Dict(values=values):
            each = values
        case _:
            each = [node]
    for element in each:
        yield from _parts(element)


def _confidence(node: ast.expr) -> str:
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    if isinstance(inner, ast.Name):
        return HIGH
    return MEDIUM if isinstance(node, ast.Call) else LOW


def _worst(found: list[str]) -> str:
    return max(found, key=_RANKS.index, default=LOW)


def _other(lines: list[str], pattern: re.Pattern[str], suffix: str) -> Iterator[Printed]:
    for index, text in enumerate(lines):
        found = pattern.search(text)
        if not found:
            continue
        # The call may have more lines.
        rest = "\n".join([text[found.end() :], *lines[index + 1 : index + _MAX_LINES]])
        arguments = _arguments(rest)
        expressions = []
        for argument in arguments:
            if argument.startswith(('"', "`", "'")):
                # Rust's macros take names in their text.
                expressions += _INLINE.findall(argument) if suffix == ".rs" else []
            else:
                expressions.append(argument.removeprefix("&"))
        ranks = [
            HIGH if _NAMES_ONLY.match(each) else MEDIUM if each.endswith(")") else LOW
            for each in expressions
        ]
        yield Printed(
            index, len(text) - len(text.lstrip()), expressions, _worst(ranks), text.strip()
        )


def _arguments(text: str) -> list[str]:
    """What stands between the commas of a call, up to its closing bracket; none if that is missing."""
    found, begin, depth, quote = [], 0, 0, ""
    for position, char in enumerate(text):
        if quote:
            if char == quote and text[position - 1] != "\\":
                quote = ""
        elif char in "\"`'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            if not depth:
                found.append(text[begin:position])
                return [each.strip() for each in found if each.strip()]
            depth -= 1
        elif char == "," and not depth:
            found.append(text[begin:position])
            begin = position + 1
    return []
