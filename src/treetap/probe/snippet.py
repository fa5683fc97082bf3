"""The code that is spliced into a program before a probed line.

A snippet reads the probe's names as the program's own code would, and comes in two forms. The *cold*
one hands every hit to the recorder::

    try:
        hit(order, qty, items)
    except Exception:
        hit_here()

The recorder's first hits tell which types the values have. If all of them are plain scalars that can
be read without running code, the *hot* form does what a programmer would have written by hand, and
asks only whether the types are still what they were::

    try:
        if type(order) is Order and type(order.total) is float and type(items) is list:
            rows.append((time_ns(), order.total, len(items)))
        else:
            hit(order, items)
    except Exception:
        hit_here()

All that is ours in it (``hit``, ``rows``, ``Order``…) is a constant of the code object: nothing is
looked up by name, nothing is added to the program's namespaces. The syntax tree holds a placeholder
text for each, and ``fill`` puts the objects in. A placeholder stands as ``"…" if True else None``, which
the compiler folds to the bare constant: bare, it would warn that a string is called.
"""

from __future__ import annotations

from time import time_ns

from treetap.expression import tree as ast
from treetap.model.captured import SkipReason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

    from treetap.probe.fastpath import FastPath
    from treetap.probe.recorder import Recorder


class Snippet:
    """One probe's code for one site, and the objects that its placeholders stand for.

    Args:
        recorder: Of the probe.
        readable: The names that code at the site can read; others are looked up in the frame.
        fast: The types that were learned, for the hot form.
        is_throttled: Record nothing, only count: for a probe over its budget.
        frame_name: The variable that holds the frame to read, where it isn't the running one.
    """

    def __init__(
        self,
        recorder: Recorder,
        readable: frozenset[str],
        fast: FastPath | None = None,
        *,
        is_throttled: bool = False,
        frame_name: str = "",
    ) -> None:
        self._recorder = recorder
        self._readable = readable
        self._fast = fast
        self._is_throttled = is_throttled
        self._frame_name = frame_name
        self.constants: dict[str, Any] = {}
        self._prefix = f"@treetap {id(recorder):x} "

    def statements(self, before: Sequence[ast.stmt] = ()) -> list[ast.stmt]:
        """The snippet as statements, to stand before the probed one.

        Args:
            before: What to do first, guarded as the rest.
        """
        if self._is_throttled:
            return [self._count(SkipReason.BUDGET)]
        body: list[ast.stmt] = [self._hit()]
        if self._fast is not None:
            body = self._hot(self._fast)
        attempt = _try([*before, *body], self._constant("Exception", Exception), [self._hit_here()])
        # Near the recursion limit even `hit_here()` may raise; counting doesn't.
        return [
            _try([attempt], self._constant("Exception", Exception), [self._count(SkipReason.FAULT)])
        ]

    def expression(self) -> ast.expr:
        """The snippet as an expression that never raises, for where no statement can stand."""
        if self._is_throttled:
            return self._count(SkipReason.BUDGET).value  # type: ignore[attr-defined, no-any-return]
        return self._read_frame()

    def _hot(self, fast: FastPath) -> list[ast.stmt]:
        record: ast.stmt
        if fast.values is None:
            record = self._hit()
        else:
            values = [self._with_builtins(value) for value in fast.values]
            row = ast.Tuple([_call(self._constant("time_ns", time_ns)), *values], ast.Load())
            record = ast.Expr(self._append(row))
        record = self._guarded(fast.value_guards if fast.values is not None else (), [record])
        if fast.condition is not None:
            skip = self._count(SkipReason.CONDITION)
            record = ast.If(self._with_builtins(fast.condition), [record], [skip])
            record = self._guarded(fast.condition_guards, [record])
        return [record]

    def _guarded(
        self, guards: Sequence[tuple[ast.expr, tuple[type, ...]]], body: list[ast.stmt]
    ) -> ast.stmt:
        tests = [self._type_is(node, kinds) for node, kinds in guards]
        if not tests:
            return body[0]
        test = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        return ast.If(test, body, [self._hit()])

    def _type_is(self, node: ast.expr, kinds: tuple[type, ...]) -> ast.expr:
        tests: list[ast.expr] = [
            ast.Compare(
                _call(self._constant("type", type), self._with_builtins(node)),
                [ast.Is()],
                [self._constant(f"type {kind.__qualname__} {id(kind):x}", kind)],
            )
            for kind in kinds
        ]
        return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)

    def _hit(self) -> ast.stmt:
        recorder = self._recorder
        if self._frame_name or recorder.probe.snapshot or not self._readable >= set(recorder.names):
            return self._hit_here()
        read = [ast.Name(name, ast.Load()) for name in recorder.names]
        return ast.Expr(_call(self._constant("hit", recorder.hit), *read))

    def _hit_here(self) -> ast.stmt:
        return ast.Expr(self._read_frame())

    def _read_frame(self) -> ast.expr:
        if self._frame_name:
            frame = ast.Name(self._frame_name, ast.Load())
            return _call(self._constant("hit_in", self._recorder.hit_in), frame)
        return _call(self._constant("hit_here", self._recorder.hit_here))

    def _count(self, reason: str) -> ast.stmt:
        ticks = self._constant(f"skipped {reason}", self._recorder.skipped[reason].ticks)
        return ast.Expr(_call(self._constant("next", next), ticks))

    def _append(self, row: ast.expr) -> ast.expr:
        ring = self._recorder.ring
        if ring.is_inlinable:
            append: ast.expr = ast.Attribute(
                self._constant("rows", ring.rows), "append", ast.Load()
            )
        else:
            append = self._constant("append", ring.append)
        return _call(append, row)

    def _with_builtins(self, value: ast.expr) -> ast.expr:
        """``value``, calling the builtin ``len`` whatever the program calls by that name."""

        def with_ours(node: ast.AST) -> ast.AST:
            if isinstance(node, ast.Call):
                node.func = self._constant("len", len)
            return node

        return ast.copied(value, with_ours)  # type: ignore[no-any-return]

    def _constant(self, name: str, value: Any) -> ast.expr:
        key = self._prefix + name
        self.constants[key] = value
        return ast.IfExp(ast.Constant(True), ast.Constant(key), ast.Constant(None))


def fill(code: CodeType, constants: dict[str, Any]) -> CodeType:
    """``code`` with the objects in the place of their placeholders."""
    filled = tuple(
        constants.get(value, value) if type(value) is str else value for value in code.co_consts
    )
    return code.replace(co_consts=filled)


def _call(function: ast.expr, *arguments: ast.expr) -> ast.expr:
    return ast.Call(function, list(arguments), [])


def _try(body: list[ast.stmt], kind: ast.expr, handler: list[ast.stmt]) -> ast.stmt:
    return ast.Try(body, [ast.ExceptHandler(kind, None, handler)], [], [])
