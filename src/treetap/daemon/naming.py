"""Which names a Python file binds, where, and which of them can be read at a line.

From the syntax tree alone: the file is on disk, and nothing of it runs here.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)
#: Their names are nobody's but their own.
_CLOSED = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
MODULE = "module"


class Binding(NamedTuple):
    """Attributes:
    name: ``total``, or ``self.total``.
    line: Where it is bound.
    scope: Which of ``Names.scopes``.
    is_variable: Not an import, a function or a class.
    """

    name: str
    line: int
    scope: int
    is_variable: bool = True


class Scope(NamedTuple):
    """Attributes:
    name: ``module``, or the qualified name of a function or class.
    parent: Index of the one around it; -1 for none.
    first_line: Of its body.
    last_line: Of its body.
    is_class: Whether it is the body of a class.
    used: Names that are read in it.
    statements: First lines of its own statements.
    """

    name: str
    parent: int
    first_line: int
    last_line: int
    is_class: bool
    used: set[str]
    statements: list[int]


class Names:
    """All names of a file.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: As ``ast.parse``.
    """

    def __init__(self, text: str) -> None:
        tree = ast.parse(text)
        last = text.count("\n") + 1
        self.scopes = [Scope(MODULE, -1, 1, last, is_class=False, used=set(), statements=[])]
        self.bindings: list[Binding] = []
        self._read(tree)
        self.bindings.sort(key=lambda each: each.line)
        for scope in self.scopes:
            scope.statements.sort()

    def available(self, line: int) -> list[str]:
        """Variables that a probe at ``line`` can read: of the function, around it, of the module."""
        here = self._scope_at(line)
        # A class's body sees its own names; a function in it doesn't.
        found = [b.name for b in self._bound(here, before=line)]
        used = self.scopes[here].used
        outer = self.scopes[here].parent
        while outer > 0:
            if not self.scopes[outer].is_class:
                # A name that the function doesn't use isn't in its closure.
                found += [b.name for b in self._bound(outer) if b.name in used]
            outer = self.scopes[outer].parent
        if here:
            found += [b.name for b in self._bound(0)]
        return [name for name in dict.fromkeys(found) if "." not in name]

    def definitions(self, name: str) -> list[Binding]:
        return [binding for binding in self.bindings if binding.name == name]

    def readable_lines(self, name: str) -> list[int]:
        """For each definition, the next line of its scope: there the name has its new value."""
        found = []
        for binding in self.definitions(name):
            later = (n for n in self.scopes[binding.scope].statements if n > binding.line)
            found += [next(later, 0)]
        return sorted({line for line in found if line})

    def _bound(self, scope: int, before: int = 0) -> list[Binding]:
        return [
            b
            for b in self.bindings
            if b.scope == scope and b.is_variable and (not before or b.line < before)
        ]

    def _scope_at(self, line: int) -> int:
        """The innermost one; a function's head belongs to what is around it."""
        return max(
            (i for i, s in enumerate(self.scopes) if s.first_line <= line <= s.last_line),
            key=lambda i: (self.scopes[i].first_line, i),
            default=0,
        )

    def _read(self, tree: ast.Module) -> None:
        # A stack instead of recursion: a long sum is a deep tree.
        waiting: list[tuple[ast.AST, int]] = [(each, 0) for each in reversed(tree.body)]
        while waiting:
            node, scope = waiting.pop()
            if isinstance(node, ast.stmt):
                self.scopes[scope].statements.append(node.lineno)
            if isinstance(node, _SCOPES):
                waiting += self._enter(node, scope)
                continue
            self._bind(node, scope)
            if isinstance(node, _CLOSED):
                for each in ast.walk(node):
                    if isinstance(each, ast.Name):
                        self._use(each.id, scope)
                continue
            waiting += [(child, scope) for child in ast.iter_child_nodes(node)]

    def _enter(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: int
    ) -> Iterator[tuple[ast.AST, int]]:
        outer = self.scopes[scope]
        self.bindings.append(Binding(node.name, node.lineno, scope, is_variable=False))
        inner = len(self.scopes)
        self.scopes.append(
            Scope(
                node.name if not scope else f"{outer.name}.{node.name}",
                scope,
                node.body[0].lineno,
                node.end_lineno or node.lineno,
                isinstance(node, ast.ClassDef),
                set(),
                [],
            )
        )
        if isinstance(node, _FUNCTIONS):
            for argument in _arguments(node.args):
                self.bindings.append(Binding(argument.arg, argument.lineno, inner))
        yield from ((each, inner) for each in node.body)
        yield from ((each, scope) for each in node.decorator_list)

    def _bind(self, node: ast.AST, scope: int) -> None:
        match node:
            case ast.Name(id=name, ctx=ast.Store(), lineno=line):
                self.bindings.append(Binding(name, line, scope))
            case ast.Name(id=name):
                self._use(name, scope)
            case ast.Attribute(ctx=ast.Store(), lineno=line):
                self.bindings.append(Binding(ast.unparse(node), line, scope))
            case ast.ExceptHandler(name=str(name), lineno=line):
                self.bindings.append(Binding(name, line, scope))
            case (
                ast.MatchAs(name=str(name), lineno=line)
                | ast.MatchStar(name=str(name), lineno=line)
            ):
                self.bindings.append(Binding(name, line, scope))
            case (
                ast.Import(names=aliases, lineno=line) | ast.ImportFrom(names=aliases, lineno=line)
            ):
                for alias in aliases:
                    name = alias.asname or alias.name.partition(".")[0]
                    self.bindings.append(Binding(name, line, scope, is_variable=False))

    def _use(self, name: str, scope: int) -> None:
        # What an inner function reads, those around it have to have, to hand it on.
        while scope > 0:
            self.scopes[scope].used.add(name)
            scope = self.scopes[scope].parent


def _arguments(spec: ast.arguments) -> list[ast.arg]:
    every = [*spec.posonlyargs, *spec.args, spec.vararg, *spec.kwonlyargs, spec.kwarg]
    return [each for each in every if each is not None]
