"""Trusted expressions: compiled by Python, and evaluated over a copy of the names.

A copy, for writing through a frame's ``f_locals`` (3.13) would change the program: ``(x := 100)``
in a probe must not.
"""

from __future__ import annotations

import builtins

from treetap.expression import tree as ast
from treetap.expression.reading import STOPPING, Unsafe
from treetap.expression.syntax import names, quietly
from treetap.model.captured import NotCaptured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def trusted_reader(tree: ast.expr) -> Callable[[Mapping[str, Any]], Any]:
    """A function from names to the value of any expression."""
    free = names(tree)

    def build(source: ast.expr) -> Any:
        return compile(ast.Expression(source), "<probe>", "eval", dont_inherit=True)

    code = quietly(build, tree) if _may_warn(tree) else build(tree)

    def read(known: Mapping[str, Any]) -> Any:
        copies: dict[str, Any] = {"__builtins__": builtins}
        for name in free:
            try:
                copies[name] = known[name]
            except KeyError:
                continue
        try:
            return eval(code, copies)  # noqa: S307 - what `trusted` means
        except STOPPING as exc:
            # `exit()` in a probe must not end the program.
            raise Unsafe(NotCaptured.ERROR, type(exc).__name__) from exc

    return read


def _may_warn(tree: ast.expr) -> bool:
    """Whether compiling may give a SyntaxWarning (``x is 1``, ``(1)(2)``, ``"a"[b"c"]``)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops
        ):
            return True
        target = (
            node.func
            if isinstance(node, ast.Call)
            else node.value
            if isinstance(node, ast.Subscript)
            else None
        )
        if target is not None and not isinstance(
            target, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
        ):
            return True
    return False
