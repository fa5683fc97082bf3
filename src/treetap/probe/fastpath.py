"""Which reads need no care: what the types seen at the first hits allow the injected code to do itself.

``strict`` promises that a probe runs no code of the program. Reading ``order.total`` keeps that
promise when ``order`` is exactly of a class whose ``total`` is a plain attribute. So the first hits,
which the recorder serves, are watched: a ``Learner`` notes the type of every part of every
expression. ``plan`` then decides whether the whole probe can be served by plain code under guards
(``type(order) is Order``). A guard that fails sends that hit to the recorder, which is always right.

A node is evaluated twice, in its guard and in the row; that is cheaper than a name of our own, which
would show in ``locals()``.
"""

from __future__ import annotations

from treetap.expression import tree as ast
from treetap.expression.evaluation import compile_reader
from treetap.expression.reading import SCALARS, is_plain_attribute
from treetap.interpreter import deque
from treetap.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from treetap.probe.recorder import Recorder

Guard = tuple[ast.expr, tuple[type, ...]]

#: Hits that are watched before the first plan.
WATCHED_HITS = 3
#: A part with more types than this is left to the recorder.
MAX_KINDS = 2

_SIZED = frozenset({list, tuple, dict, set, frozenset, str, bytes, bytearray, range, deque})
_INDEXED = frozenset({list, tuple, str})
_NUMBERS = frozenset({int, float, bool})
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


class FastPath(Record):
    """A probe as plain code.

    Attributes:
        values: One node an expression; ``None`` if the recorder must take the values.
        value_guards: What must hold before they are read.
        condition: The probe's condition; ``None`` if it has none.
        condition_guards: What must hold before it is tested.
        assumptions: ``(class, attribute)`` pairs that were plain when this was planned.
        names: What the code above reads by name.
    """

    values: tuple[ast.expr, ...] | None
    value_guards: tuple[Guard, ...]
    condition: ast.expr | None
    condition_guards: tuple[Guard, ...]
    assumptions: frozenset[tuple[type, str]]
    names: tuple[str, ...]

    def still_holds(self) -> bool:
        """Whether nobody has turned one of the attributes into a property since."""
        return all(is_plain_attribute(kind, name) for kind, name in self.assumptions)


class Learner:
    """Notes the types of the parts of a probe's expressions, at the first hits."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._seen: dict[str, set[type]] = {}
        self._parts: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
        self.watched = 0
        trees = list(recorder.trees)
        if recorder.condition_tree is not None:
            trees.append(recorder.condition_tree)
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
                    self._add(node)

    def _add(self, part: ast.expr) -> None:
        nodes = (node for node in ast.walk(part) if isinstance(node, ast.expr))
        # A trusted part may hold what strict has no reader for, and no plan reads.
        if all(type(node) in _PLANS for node in nodes):
            read = compile_reader(part, safety="strict", allow_calls=False)
            self._parts.setdefault(_key(part), read)

    def watch(self) -> None:
        """Have the next hits watched."""
        self.watched = 0
        self._recorder.observe = self.observe

    @property
    def has_seen_enough(self) -> bool:
        """Whether as many hits were watched as a plan takes."""
        return self.watched >= WATCHED_HITS

    def observe(self, lookup: Mapping[str, Any]) -> None:
        """Note the types at a hit."""
        for key, read in self._parts.items():
            try:
                kind = type(read(lookup))
            except Exception:
                continue
            self._seen.setdefault(key, set()).add(kind if _is_hashed_by_type(kind) else _Odd)
        self.watched += 1
        if self.has_seen_enough:
            self._recorder.observe = None

    def plan(self) -> FastPath | None:
        """The probe as plain code, or ``None`` if it has to stay with the recorder."""
        recorder, probe = self._recorder, self._recorder.probe
        may_call = probe.allow_calls or probe.safety == "trusted"
        condition, condition_planner = None, _Planner(self._seen, may_call=may_call)
        if recorder.condition_tree is not None:
            try:
                condition = condition_planner.truth(recorder.condition_tree)
            except _NotPlain:
                return None
        values, value_planner = None, _Planner(self._seen, may_call=may_call)
        if not (probe.mode != "stream" or probe.max_hits or probe.snapshot):
            try:
                values = tuple(value_planner.scalar(tree) for tree in recorder.trees)
            except _NotPlain:
                values = None
        if values is None and condition is None:
            return None
        read = [*(values or ()), *([condition] if condition is not None else [])]
        return FastPath(
            values,
            value_planner.guards_in_order,
            condition,
            condition_planner.guards_in_order,
            frozenset(value_planner.assumptions | condition_planner.assumptions),
            tuple(dict.fromkeys(name for tree in read for name in _read_names(tree))),
        )


class _NotPlain(Exception):
    """This node has to be left to the recorder."""


class _Planner:
    """Collects the guards under which nodes can be read as plain code.

    Args:
        seen: The types of the parts.
        may_call: The probe may run code of the program, so that a base needs no guard: if its class
            turns out to be another one, its property is called, as in the program's own line.
    """

    def __init__(self, seen: dict[str, set[type]], *, may_call: bool) -> None:
        self._seen = seen
        self._may_call = may_call
        self._guards: dict[str, Guard] = {}
        self.assumptions: set[tuple[type, str]] = set()

    @property
    def guards_in_order(self) -> tuple[Guard, ...]:
        return tuple(self._guards.values())

    def scalar(self, node: ast.expr) -> ast.expr:
        """The node, guarded so that its value is a plain scalar."""
        self._guarded(node, self._kinds(node), SCALARS)
        return node

    def truth(self, node: ast.expr) -> ast.expr:
        """The node, guarded so that its truth can be asked for."""
        self._guarded(node, self._kinds(node), SCALARS | _SIZED)
        return node

    def _guarded(self, node: ast.expr, kinds: frozenset[type], allowed: frozenset[type]) -> None:
        if not kinds or not kinds <= allowed:
            raise _NotPlain
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            if len(kinds) > MAX_KINDS:
                raise _NotPlain
            self._guards.setdefault(_key(node), (node, tuple(sorted(kinds, key=_by_name))))

    def _kinds(self, node: ast.expr) -> frozenset[type]:
        """The types that the node may have; guards what must hold for it to be read."""
        plan = _PLANS.get(type(node))
        if plan is None:
            raise _NotPlain
        return plan(self, node)

    def _constant(self, node: ast.Constant) -> frozenset[type]:
        return frozenset({type(node.value)})

    def _name(self, node: ast.Name) -> frozenset[type]:
        return self._seen_kinds(node)

    def _attribute(self, node: ast.Attribute) -> frozenset[type]:
        kinds = self._kinds(node.value)
        if not self._may_call:
            self._guarded(node.value, kinds, kinds)
        for kind in kinds:
            if not is_plain_attribute(kind, node.attr):
                raise _NotPlain
            self.assumptions.add((kind, node.attr))
        return self._seen_kinds(node)

    def _subscript(self, node: ast.Subscript) -> frozenset[type]:
        kinds = self._kinds(node.value)
        index = self._kinds(node.slice)
        if kinds <= _INDEXED and index <= frozenset({int}):
            self._guarded(node.slice, index, frozenset({int}))
        elif kinds == {dict} and index == {str} and self._may_call:
            # A key of the program's own class, equal in hash, would be asked whether it is equal.
            self._guarded(node.slice, index, frozenset({str}))
        else:
            raise _NotPlain
        self._guarded(node.value, kinds, kinds)
        return self._seen_kinds(node)

    def _call(self, node: ast.Call) -> frozenset[type]:
        is_len = isinstance(node.func, ast.Name) and node.func.id == "len"
        # A program may have a `len` of its own; then that one was seen.
        if not is_len or self._seen_kinds(node.func) != {type(len)}:
            raise _NotPlain
        if len(node.args) != 1 or node.keywords:
            raise _NotPlain
        kinds = self._kinds(node.args[0])
        if not kinds or not kinds <= _SIZED:
            raise _NotPlain
        if not self._may_call:
            self._guarded(node.args[0], kinds, _SIZED)
        return frozenset({int})

    def _compare(self, node: ast.Compare) -> frozenset[type]:
        for operand in (node.left, *node.comparators):
            self._guarded(operand, self._kinds(operand), SCALARS)
        if not all(isinstance(op, (*_ORDERINGS, ast.Is, ast.IsNot)) for op in node.ops):
            raise _NotPlain
        return frozenset({bool})

    def _operation(self, node: ast.BinOp) -> frozenset[type]:
        if not isinstance(node.op, _OPERATORS):
            raise _NotPlain
        for operand in (node.left, node.right):
            self._guarded(operand, self._kinds(operand), _NUMBERS)
        return frozenset({int, float})

    def _not(self, node: ast.UnaryOp) -> frozenset[type]:
        kinds = self._kinds(node.operand)
        if isinstance(node.op, ast.Not):
            self._guarded(node.operand, kinds, SCALARS | _SIZED)
            return frozenset({bool})
        if isinstance(node.op, ast.USub):
            self._guarded(node.operand, kinds, _NUMBERS)
            return frozenset({int, float})
        raise _NotPlain

    def _boolean(self, node: ast.BoolOp) -> frozenset[type]:
        kinds: frozenset[type] = frozenset()
        for operand in node.values:
            of_operand = self._kinds(operand)
            self._guarded(operand, of_operand, SCALARS)
            kinds |= of_operand
        return kinds

    def _seen_kinds(self, node: ast.expr) -> frozenset[type]:
        return frozenset(self._seen.get(_key(node), ()))


_PLANS: dict[type, Callable[[_Planner, Any], frozenset[type]]] = {
    ast.Constant: _Planner._constant,
    ast.Name: _Planner._name,
    ast.Attribute: _Planner._attribute,
    ast.Subscript: _Planner._subscript,
    ast.Call: _Planner._call,
    ast.Compare: _Planner._compare,
    ast.BinOp: _Planner._operation,
    ast.UnaryOp: _Planner._not,
    ast.BoolOp: _Planner._boolean,
}


class _Odd:
    """Stands for a class that can't even be put into a set without running code of the program."""


def _is_hashed_by_type(kind: type) -> bool:
    """Whether ``kind``'s metaclass leaves hashing and equality to ``type``."""
    for base in type.__dict__["__mro__"].__get__(type(kind)):
        if base is type:
            return True
        namespace = type.__dict__["__dict__"].__get__(base)
        if "__hash__" in namespace or "__eq__" in namespace:
            return False
    return False


def _read_names(tree: ast.expr) -> Iterator[str]:
    """The names in a plannable tree, but for the ``len`` that it calls, which is a constant."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in called:
            yield node.id


def _key(node: ast.AST) -> str:
    return ast.dump(node)


def _by_name(kind: type) -> tuple[str, int]:
    return (kind.__name__, id(kind))
