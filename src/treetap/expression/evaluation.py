"""From a checked syntax tree to a reader: a function that takes names and gives the value.

A strict tree becomes nested closures, each of which knows how to evaluate one node without
running code of the program. A trusted one is Python's own affair (``trusted``).
"""

from __future__ import annotations

import builtins

from treetap.expression import operation
from treetap.expression import tree as ast
from treetap.expression.operation import Stream, iterate
from treetap.expression.reading import STOPPING, Unsafe, static_attribute
from treetap.expression.safety import MAX_STEPS, Meter, charge, require_hashable, truth
from treetap.expression.standard import SIZED_IDS
from treetap.expression.text import formatted
from treetap.model.captured import NotCaptured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Any

    Names = Mapping[str, Any]
    #: Evaluates one node, paying from the meter.
    Evaluate = Callable[[Names, Meter], Any]

_BUILTINS = vars(builtins)


def compile_reader(
    tree: ast.expr, *, safety: str = "strict", allow_calls: bool = False
) -> Callable[[Mapping[str, Any]], Any]:
    """A function from names to the raw value of ``tree``.

    Args:
        tree: From ``syntax.check`` with the same ``safety``.
        safety: ``"strict"`` or ``"trusted"``.
        allow_calls: Strict, but properties, ``__getattr__`` and methods of user classes run.

    Returns:
        A reader. It takes a mapping that raises KeyError for an unknown name, and raises
        ``Unsafe`` where it would run code of the program (or has taken its 10 000 steps, or
        doesn't know a name), and the expression's own exception where that fails.
    """
    if safety == "trusted":
        from treetap.expression.trusted import trusted_reader  # as for `function`

        return trusted_reader(tree)
    evaluate = _Compiler(allow_calls=allow_calls).compile(tree)
    if not allow_calls:
        return lambda names: evaluate(names, [MAX_STEPS])

    def read(names: Mapping[str, Any]) -> Any:
        try:
            return evaluate(names, [MAX_STEPS])
        except STOPPING as exc:
            raise Unsafe(NotCaptured.ERROR, type(exc).__name__) from exc

    return read


def compile_condition(
    tree: ast.expr, *, safety: str = "strict", allow_calls: bool = False
) -> Callable[[Mapping[str, Any]], bool]:
    """As ``compile_reader``, for the truth of the value.

    ``bool()`` of it would run a ``__bool__`` or a ``__len__`` of the program, which strict doesn't.
    """
    read = compile_reader(tree, safety=safety, allow_calls=allow_calls)
    if safety == "trusted" or allow_calls:
        return lambda names: bool(read(names))
    return lambda names: truth(read(names))


class _Scope(dict[str, "Any"]):
    """The variables of a comprehension, over the names outside it."""

    __slots__ = ("outer",)

    def __init__(self, outer: Names) -> None:
        super().__init__()
        self.outer = outer

    def __missing__(self, name: str) -> Any:
        return self.outer[name]


class _Compiler:
    """Turns each kind of node into its evaluating closure."""

    def __init__(self, *, allow_calls: bool) -> None:
        self._allow_calls = allow_calls

    def compile(self, node: ast.expr) -> Evaluate:
        return getattr(self, f"_{type(node).__name__.lower()}")(node)  # type: ignore[no-any-return]

    def _lifted(self, safe: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
        """``safe(*operands, meter)``; with ``allow_calls``, ``real(*operands)`` where it refuses."""
        if not self._allow_calls:
            return safe

        def operate(*arguments: Any) -> Any:
            try:
                return safe(*arguments)
            except Unsafe as unsafe:
                if not unsafe.would_run_code:
                    raise
            return real(*arguments[:-1])

        return operate

    def _truth(self) -> Callable[[Any], bool]:
        safe = self._lifted(lambda value, _meter: truth(value), bool)
        return truth if not self._allow_calls else lambda value: safe(value, None)

    def _constant(self, node: ast.Constant) -> Evaluate:
        value = node.value
        return lambda _names, _meter: value

    def _name(self, node: ast.Name) -> Evaluate:
        name = node.id

        def read(names: Names, _meter: Meter) -> Any:
            try:
                return names[name]
            except KeyError:
                pass
            try:
                return _BUILTINS[name]
            except KeyError:
                raise Unsafe(NotCaptured.NO_NAME, name) from None

        return read

    def _attribute(self, node: ast.Attribute) -> Evaluate:
        value, name = self.compile(node.value), node.attr
        if not self._allow_calls:
            return lambda names, meter: static_attribute(value(names, meter), name)
        return lambda names, meter: getattr(value(names, meter), name)

    def _subscript(self, node: ast.Subscript) -> Evaluate:
        value, key = self.compile(node.value), self.compile(node.slice)
        take = self._lifted(operation.subscript, lambda container, key: container[key])
        return lambda names, meter: take(value(names, meter), key(names, meter), meter)

    def _slice(self, node: ast.Slice) -> Evaluate:
        none: Evaluate = lambda _names, _meter: None  # noqa: E731
        start, stop, step = (
            self.compile(bound) if bound else none for bound in (node.lower, node.upper, node.step)
        )
        return lambda names, meter: slice(
            start(names, meter), stop(names, meter), step(names, meter)
        )

    def _binop(self, node: ast.BinOp) -> Evaluate:
        left, right, kind = self.compile(node.left), self.compile(node.right), type(node.op)
        real = operation.BINARY[kind][1]
        operate = self._lifted(
            lambda left, right, meter: operation.binary(kind, left, right, meter), real
        )
        return lambda names, meter: operate(left(names, meter), right(names, meter), meter)

    def _unaryop(self, node: ast.UnaryOp) -> Evaluate:
        value, kind = self.compile(node.operand), type(node.op)
        if kind is ast.Not:
            is_true = self._truth()
            return lambda names, meter: not is_true(value(names, meter))
        operate = self._lifted(
            lambda value, _meter: operation.unary(kind, value), operation.UNARY[kind][1]
        )
        return lambda names, meter: operate(value(names, meter), meter)

    def _boolop(self, node: ast.BoolOp) -> Evaluate:
        parts = [self.compile(part) for part in node.values]
        stops_at, is_true = isinstance(node.op, ast.Or), self._truth()
        last = parts.pop()

        def evaluate(names: Names, meter: Meter) -> Any:
            for part in parts:
                value = part(names, meter)
                if is_true(value) is stops_at:
                    return value
            return last(names, meter)

        return evaluate

    def _compare(self, node: ast.Compare) -> Evaluate:
        first = self.compile(node.left)
        steps = [
            (self._comparison(type(op)), self.compile(right))
            for op, right in zip(node.ops, node.comparators, strict=True)
        ]
        if len(steps) == 1:
            [(only, right)] = steps
            return lambda names, meter: only(first(names, meter), right(names, meter), meter)
        is_true = self._truth()

        def evaluate(names: Names, meter: Meter) -> Any:
            left = first(names, meter)
            outcome: Any = True
            for compare, right in steps:
                value = right(names, meter)
                outcome = compare(left, value, meter)
                if not is_true(outcome):
                    return outcome
                left = value
            return outcome

        return evaluate

    def _comparison(self, kind: type[ast.cmpop]) -> Callable[[Any, Any, Meter], Any]:
        return self._lifted(
            lambda left, right, meter: operation.compare(kind, left, right, meter),
            operation.COMPARE[kind],
        )

    def _ifexp(self, node: ast.IfExp) -> Evaluate:
        test, body, orelse = map(self.compile, (node.test, node.body, node.orelse))
        is_true = self._truth()
        return lambda names, meter: (body if is_true(test(names, meter)) else orelse)(names, meter)

    def _list(self, node: ast.List) -> Evaluate:
        parts = [self.compile(part) for part in node.elts]
        return lambda names, meter: [part(names, meter) for part in parts]

    def _tuple(self, node: ast.Tuple) -> Evaluate:
        parts = [self.compile(part) for part in node.elts]
        return lambda names, meter: tuple([part(names, meter) for part in parts])

    def _set(self, node: ast.Set) -> Evaluate:
        parts = [self.compile(part) for part in node.elts]
        add = self._hashing()

        def evaluate(names: Names, meter: Meter) -> set[Any]:
            return {add(part(names, meter), meter) for part in parts}

        return evaluate

    def _dict(self, node: ast.Dict) -> Evaluate:
        pairs = [
            (self.compile(key), self.compile(value))
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        ]
        add = self._hashing()
        return lambda names, meter: {
            add(key(names, meter), meter): value(names, meter) for key, value in pairs
        }

    def _hashing(self) -> Callable[[Any, Meter], Any]:
        """Gives back a value that may be hashed."""

        def hashable(value: Any, meter: Meter) -> Any:
            require_hashable(meter, value)
            return value

        return self._lifted(hashable, lambda value: value)

    def _joinedstr(self, node: ast.JoinedStr) -> Evaluate:
        parts = [self.compile(part) for part in node.values]

        def evaluate(names: Names, meter: Meter) -> str:
            text = "".join([part(names, meter) for part in parts])
            charge(meter, len(text) >> 6)
            return text

        return evaluate

    def _formattedvalue(self, node: ast.FormattedValue) -> Evaluate:
        value = self.compile(node.value)
        spec = self.compile(node.format_spec) if node.format_spec else None
        conversion = chr(node.conversion) if node.conversion >= 0 else ""
        real = _FORMATS[conversion]
        write = self._lifted(
            lambda value, spec, meter: formatted(value, conversion, spec, meter), real
        )
        return lambda names, meter: write(
            value(names, meter), spec(names, meter) if spec else "", meter
        )

    def _listcomp(self, node: ast.ListComp) -> Evaluate:
        run = self._comprehension(node.generators, self.compile(node.elt))
        return lambda names, meter: list(run(names, meter))

    def _generatorexp(self, node: ast.GeneratorExp) -> Evaluate:
        run = self._comprehension(node.generators, self.compile(node.elt))
        if self._allow_calls:
            # A user's method may be tried after ours refused: it must get all the items.
            return lambda names, meter: list(run(names, meter))
        return lambda names, meter: Stream(run(names, meter))

    def _setcomp(self, node: ast.SetComp) -> Evaluate:
        run = self._comprehension(node.generators, self.compile(node.elt))
        add = self._hashing()
        return lambda names, meter: {add(item, meter) for item in run(names, meter)}

    def _dictcomp(self, node: ast.DictComp) -> Evaluate:
        key, value = self.compile(node.key), self.compile(node.value)
        run = self._comprehension(
            node.generators, lambda names, meter: (key(names, meter), value(names, meter))
        )
        add = self._hashing()
        return lambda names, meter: {add(key, meter): item for key, item in run(names, meter)}

    def _comprehension(
        self, generators: list[ast.comprehension], element: Evaluate
    ) -> Callable[[Names, Meter], Generator[Any, None, None]]:
        """The loops, innermost last. Each has the same scope; its first source is outside it."""
        first = self.compile(generators[0].iter)
        loops: list[tuple[Evaluate, Any, list[Evaluate]]] = [
            (self.compile(loop.iter), _binder(loop.target), [self.compile(c) for c in loop.ifs])
            for loop in generators
        ]
        is_true, over = self._truth(), self._iterating()

        def run_loop(depth: int, source: Any, scope: _Scope, meter: Meter) -> Any:
            _, bind, conditions = loops[depth]
            for item in over(source, meter):
                bind(scope, item, meter)
                if not all(is_true(condition(scope, meter)) for condition in conditions):
                    continue
                if depth + 1 == len(loops):
                    yield element(scope, meter)
                else:
                    inner = loops[depth + 1][0](scope, meter)
                    yield from run_loop(depth + 1, inner, scope, meter)

        return lambda names, meter: run_loop(0, first(names, meter), _Scope(names), meter)

    def _iterating(self) -> Callable[[Any, Meter], Any]:
        if not self._allow_calls:
            return iterate
        from treetap.expression.function import iterate_any

        return iterate_any

    def _call(self, node: ast.Call) -> Evaluate:
        arguments = [self.compile(argument) for argument in node.args]
        keywords = [(str(word.arg), self.compile(word.value)) for word in node.keywords]
        if isinstance(node.func, ast.Attribute):
            return self._method_call(node.func, arguments, keywords)
        function = self.compile(node.func)
        # Not before a probe calls one: a child of an awake tree waits for what is loaded at once.
        from treetap.expression.function import call_function

        invoke = self._lifted(call_function, _call_function)
        if len(arguments) == 1 and not keywords:
            only = arguments[0]
            if isinstance(node.func, ast.Name) and node.func.id == "len":
                return _len(function, only, invoke)
            return lambda names, meter: invoke(
                function(names, meter), (only(names, meter),), {}, meter
            )

        def evaluate(names: Names, meter: Meter) -> Any:
            callee = function(names, meter)
            positional = tuple([argument(names, meter) for argument in arguments])
            named = {name: value(names, meter) for name, value in keywords}
            return invoke(callee, positional, named, meter)

        return evaluate

    def _method_call(
        self,
        target: ast.Attribute,
        arguments: list[Evaluate],
        keywords: list[tuple[str, Evaluate]],
    ) -> Evaluate:
        receiver, name = self.compile(target.value), target.attr
        from treetap.expression.method import call_method  # as for `function`

        invoke = self._lifted(call_method, _call_method)

        def evaluate(names: Names, meter: Meter) -> Any:
            value = receiver(names, meter)
            positional = tuple([argument(names, meter) for argument in arguments])
            named = {key: item(names, meter) for key, item in keywords}
            return invoke(value, name, positional, named, meter)

        return evaluate


def _len(function: Evaluate, argument: Evaluate, invoke: Callable[..., Any]) -> Evaluate:
    """A short cut for what probes ask most."""

    def evaluate(names: Names, meter: Meter) -> Any:
        callee = function(names, meter)
        value = argument(names, meter)
        if callee is len and id(type(value)) in SIZED_IDS:
            return len(value)
        return invoke(callee, (value,), {}, meter)

    return evaluate


def _call_function(function: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
    return function(*positional, **named)


def _call_method(value: Any, name: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
    return getattr(value, name)(*positional, **named)


def _format_str(value: Any, spec: str) -> str:
    return format(str(value), spec)


def _format_repr(value: Any, spec: str) -> str:
    return format(repr(value), spec)


def _format_ascii(value: Any, spec: str) -> str:
    return format(ascii(value), spec)


_FORMATS: dict[str, Callable[..., Any]] = {
    "": format,
    "s": _format_str,
    "r": _format_repr,
    "a": _format_ascii,
}


def _binder(target: ast.expr) -> Callable[[_Scope, Any, Meter], None]:
    """Assigns an item to the target of a comprehension."""
    if isinstance(target, ast.Name):
        name = target.id
        return lambda scope, item, _meter: scope.__setitem__(name, item)
    assert isinstance(target, (ast.Tuple, ast.List))
    binders = [_binder(part) for part in target.elts]

    def bind(scope: _Scope, item: Any, meter: Meter) -> None:
        parts = list(iterate(item, meter))
        if len(parts) != len(binders):
            raise ValueError(f"expected {len(binders)} values to unpack, got {len(parts)}")
        for bind_part, part in zip(binders, parts, strict=True):
            bind_part(scope, part, meter)

    return bind
