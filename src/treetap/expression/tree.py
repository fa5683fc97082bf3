"""Syntax trees: the part of ``ast`` that we use, without the 6 ms of modules that it loads.

The nodes are those of ``ast`` itself (``_ast`` is where it has them from), and so are the trees: the
compiler makes them and takes them. The functions have the names and the meaning that they have there.
Imported as ``ast`` where it is used.
"""

from __future__ import annotations

# Whoever reads `ast.Name` in another module finds it here under its own name.
from _ast import *  # noqa: F403
from _ast import AST, PyCF_ONLY_AST, TypeIgnore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


def parse(source: str, filename: str = "<unknown>", mode: str = "exec") -> Any:
    """The tree of ``source``.

    Raises:
        SyntaxError, ValueError: It isn't Python.
    """
    return compile(source, filename, mode, PyCF_ONLY_AST, dont_inherit=True)


def iter_fields(node: AST) -> Iterator[tuple[str, Any]]:
    """Names and values of the fields that a node has."""
    for name in node._fields:
        try:
            yield name, getattr(node, name)
        except AttributeError:
            continue


def iter_child_nodes(node: AST) -> Iterator[AST]:
    """The nodes right below, in order."""
    for _name, field in iter_fields(node):
        if isinstance(field, AST):
            yield field
        elif isinstance(field, list):
            for item in field:
                if isinstance(item, AST):
                    yield item


def walk(node: AST) -> Iterator[AST]:
    """The node and all below it, level by level."""
    met = [node]
    for each in met:  # which grows meanwhile
        met.extend(iter_child_nodes(each))
        yield each


def copied(node: Any, change: Callable[[AST], AST] | None = None) -> Any:
    """A copy of a tree, all the way down.

    Args:
        node: Of the tree; or what a field of a node may hold.
        change: Is given each new node, inner ones first, and says what stands there instead.
    """
    if isinstance(node, list):
        return [copied(item, change) for item in node]
    if not isinstance(node, AST):
        return node
    copy = type(node)(**{name: copied(value, change) for name, value in iter_fields(node)})
    copy_location(copy, node)
    return copy if change is None else change(copy)


def dump(node: Any) -> str:
    """A text that is equal for trees of equal shape and content, wherever they stand."""
    if isinstance(node, list):
        return f"[{', '.join(map(dump, node))}]"
    if not isinstance(node, AST):
        return repr(node)
    fields = ", ".join(f"{name}={dump(value)}" for name, value in iter_fields(node))
    return f"{type(node).__name__}({fields})"


def copy_location(new: Any, old: AST) -> Any:
    """Say of ``new`` that it stands where ``old`` does."""
    for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
        if name in old._attributes and name in new._attributes and hasattr(old, name):
            setattr(new, name, getattr(old, name))
    return new


def fix_missing_locations(node: Any) -> Any:
    """Give each node that has no place the place of the one around it; changes the tree."""
    _fix(node, 1, 0, 1, 0)
    return node


def _fix(node: Any, line: int, column: int, end_line: int, end_column: int) -> None:
    if "lineno" in node._attributes:
        line = _filled(node, "lineno", line)
        column = _filled(node, "col_offset", column)
    if "end_lineno" in node._attributes:
        end_line = _filled(node, "end_lineno", end_line)
        end_column = _filled(node, "end_col_offset", end_column)
    for child in iter_child_nodes(node):
        _fix(child, line, column, end_line, end_column)


def _filled(node: Any, name: str, value: int) -> int:
    """The node's own number, or ``value``, which becomes its own."""
    own: int | None = getattr(node, name, None)
    if own is None:
        setattr(node, name, value)
        return value
    return own


def increment_lineno(node: Any, count: int) -> Any:
    """Move a tree ``count`` lines down; changes it."""
    for each in walk(node):
        if "lineno" in each._attributes:
            each.lineno = getattr(each, "lineno", 0) + count  # type: ignore[attr-defined]
        if getattr(each, "end_lineno", None) is not None:
            each.end_lineno += count  # type: ignore[attr-defined]
        if isinstance(each, TypeIgnore):
            each.lineno += count
    return node
