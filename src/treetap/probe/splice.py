"""Putting snippets into a function's syntax tree, so that each runs when its line is reached.

A line is *hit* when Python's own LINE event would tell of it: once for each time that a statement
beginning there is executed, and for the header of a loop once a round, and once more when it ends.
"""

from __future__ import annotations

from treetap.expression import tree as ast
from treetap.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

    from treetap.probe.snippet import Snippet

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.Module | ast.expr
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_BLOCK_FIELDS = ("body", "orelse", "finalbody")
_COMPREHENSIONS: dict[str, type[ast.expr]] = {
    "<listcomp>": ast.ListComp,
    "<setcomp>": ast.SetComp,
    "<dictcomp>": ast.DictComp,
    "<genexpr>": ast.GeneratorExp,
}


class Placement(Record):
    """A snippet and the line in front of which it goes."""

    line: int
    snippet: Snippet


def scope_of(tree: ast.Module, code: CodeType) -> Scope | None:
    """The node that compiles to ``code``; ``None`` if there is none or more than one."""
    found = [node for node in ast.walk(tree) if _compiles_to(node, code)]
    return found[0] if len(found) == 1 else None  # type: ignore[return-value]


def splice(scope: Scope, placements: Iterable[Placement]) -> bool:
    """Change ``scope`` so that each snippet runs at its line; ``False`` if one can't stand there."""
    is_placed = True
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        _declare_first(scope)
    for line, snippet in placements:
        is_placed &= _splice_one(scope, line, snippet)
    return is_placed


def _compiles_to(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, ast.Module):
        return code.co_name == "<module>"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return node.name == code.co_name and first == code.co_firstlineno
    if isinstance(node, ast.Lambda):
        return (
            code.co_name == "<lambda>"
            and node.lineno == code.co_firstlineno
            and _spans(node.body, code)
        )
    kind = _COMPREHENSIONS.get(code.co_name)
    return kind is not None and type(node) is kind and node.lineno == code.co_firstlineno


def _spans(body: ast.expr, code: CodeType) -> bool:
    """Whether the code's own instructions stand where the body of this lambda stands."""
    for line, _end_line, column, _end_column in code.co_positions():
        if line and column is not None and (line, column) >= (body.lineno, body.col_offset):
            return (line, column) <= (body.end_lineno or line, body.end_col_offset or column)
    return False


def _splice_one(scope: Scope, line: int, snippet: Snippet) -> bool:
    if isinstance(scope, ast.Lambda):
        scope.body = _wrapped(scope.body, line, snippet)
        return True
    if isinstance(scope, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        scope.elt = _wrapped(scope.elt, line, snippet)
        return True
    if isinstance(scope, ast.DictComp):
        scope.key = _wrapped(scope.key, line, snippet)
        return True
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module | ast.ClassDef):
        return False
    if line < _first_line(scope):
        _insert(scope.body, _entry_index(scope), line, snippet)
        return True
    for block in _blocks(scope):
        for index, statement in enumerate(block):
            if _begins(statement, line):
                _insert_at_statement(block, index, line, snippet)
                return True
    return _splice_clause(scope, line, snippet) or _splice_spanning(scope, line, snippet)


def _splice_clause(scope: ast.AST, line: int, snippet: Snippet) -> bool:
    """The line of an ``except``: its type is asked for each time that the handler is tried."""
    for node in _own_nodes(scope):
        if isinstance(node, ast.ExceptHandler) and node.lineno == line and node.type is not None:
            node.type = _wrapped(node.type, line, snippet)
            return True
        if isinstance(node, ast.match_case) and node.pattern.lineno == line:
            # No expression and no statement runs before the pattern is tried.
            return False
    return False


def _splice_spanning(scope: ast.AST, line: int, snippet: Snippet) -> bool:
    """A line in the middle of a statement: the innermost one that has it."""
    found: tuple[list[ast.stmt], int] | None = None
    for block in _blocks(scope):
        for index, statement in enumerate(block):
            if statement.lineno < line <= _header_end(statement) and not hasattr(
                statement, "is_ours"
            ):
                found = (block, index)
    if found is None:
        return False
    _insert_at_statement(*found, line, snippet)
    return True


def _insert_at_statement(block: list[ast.stmt], index: int, line: int, snippet: Snippet) -> None:
    statement = block[index]
    if isinstance(statement, _LOOPS):
        _insert_at_rounds(statement, line, snippet)
    _insert(block, index, line, snippet)


def _insert_at_rounds(
    loop: ast.For | ast.AsyncFor | ast.While, line: int, snippet: Snippet
) -> None:
    """Where control goes back to the header: at the body's end, and before each ``continue``."""
    continues = [
        (block, index)
        for block in _loop_blocks(loop.body)
        for index, statement in enumerate(block)
        if isinstance(statement, ast.Continue)
    ]
    for block, index in reversed(continues):
        _insert(block, index, line, snippet)
    _insert(loop.body, len(loop.body), line, snippet)


def _insert(block: list[ast.stmt], index: int, line: int, snippet: Snippet) -> None:
    statements = snippet.statements()
    for statement in statements:
        _locate(statement, line)
        statement.is_ours = True  # type: ignore[attr-defined]
    block[index:index] = statements


def _wrapped(value: ast.expr, line: int, snippet: Snippet) -> ast.expr:
    """``(snippet, value)[1]``: the snippet runs first, and the value is what it was."""
    call = snippet.expression()
    _locate(call, line)
    pair = ast.Tuple([call, value], ast.Load())
    wrapped = ast.Subscript(pair, ast.Constant(1), ast.Load())
    for node in (pair, wrapped, wrapped.slice):
        ast.copy_location(node, value)
    return wrapped


def _locate(tree: ast.AST, line: int) -> None:
    """All of the tree stands on ``line``, so that tracebacks and coverage see nothing new."""
    for node in ast.walk(tree):
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = line  # type: ignore[attr-defined]
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]


def _declare_first(scope: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """``global`` and ``nonlocal`` before all else: a snippet must not use a name before they do.

    They are declarations; where in a function they stand means nothing.
    """
    declarations: list[ast.stmt] = []
    for block in list(_blocks(scope)):
        found = [
            statement for statement in block if isinstance(statement, ast.Global | ast.Nonlocal)
        ]
        if found:
            declarations += found
            kept = [statement for statement in block if statement not in found]
            block[:] = kept or [ast.copy_location(ast.Pass(), found[0])]
    for declaration in declarations:
        declaration.is_ours = True  # type: ignore[attr-defined]
    entry = _entry_index(scope)
    scope.body[entry:entry] = declarations


def _first_line(scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Module | ast.ClassDef) -> float:
    """Where the body begins to do something; what stands above it is the entry."""
    if isinstance(scope, ast.Module):
        return 0
    for statement in scope.body[_entry_index(scope) :]:
        if not hasattr(statement, "is_ours"):
            decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
            return min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    return float("inf")


def _entry_index(scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Module | ast.ClassDef) -> int:
    """Behind the docstring, which has to stay the first statement, and behind the declarations."""
    first = scope.body[0]
    is_docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and type(first.value.value) is str
    )
    index = 1 if is_docstring else 0
    while index < len(scope.body) and isinstance(scope.body[index], ast.Global | ast.Nonlocal):
        index += 1
    return index


def _begins(statement: ast.stmt, line: int) -> bool:
    if hasattr(statement, "is_ours"):
        return False
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return line in {
            statement.lineno,
            *(decorator.lineno for decorator in statement.decorator_list),
        }
    return statement.lineno == line


def _header_end(statement: ast.stmt) -> int:
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if not body:
        return statement.end_lineno or statement.lineno
    first = body[0].pattern.lineno if isinstance(body[0], ast.match_case) else body[0].lineno
    return max(statement.lineno, first - 1)


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The statement lists of a scope, outer ones first; not those of scopes inside it."""
    blocks = [block for name in _BLOCK_FIELDS if type(block := getattr(node, name, None)) is list]
    yield from blocks
    for block in blocks:
        for statement in block:
            if not isinstance(statement, _SCOPES):
                yield from _blocks(statement)
    for clause in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield from _blocks(clause)


def _loop_blocks(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """The statement lists whose ``continue`` belongs to the loop with this body."""
    yield body
    for statement in body:
        if isinstance(statement, _SCOPES):
            continue
        if isinstance(statement, _LOOPS):
            yield from _loop_blocks(statement.orelse)
        else:
            yield from (block for block in _inner_blocks(statement))


def _inner_blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for _name, field in ast.iter_fields(node):
        if isinstance(field, list) and field and isinstance(field[0], ast.stmt):
            yield from _loop_blocks(field)
        elif isinstance(field, list):
            for child in field:
                if isinstance(child, ast.ExceptHandler | ast.match_case):
                    yield from _inner_blocks(child)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, _SCOPES):
            yield from _own_nodes(child)
