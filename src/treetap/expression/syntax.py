"""From the text of an expression to a syntax tree that has been looked at.

>>> names(parse_expression("[item.price for item in order.items if item.price > limit]"))
('order', 'limit')
"""

from __future__ import annotations

from treetap.errors import ExpressionError
from treetap.expression import tree as ast
from treetap.expression.grammar import refuse_strict
from treetap.expression.redaction import Redaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    _Made = TypeVar("_Made")

_MAX_CHARS = 10_000
_MAX_NODES = 1_000
#: Nested deeper, an expression could exhaust the stack of the thread that it is evaluated in.
_MAX_DEPTH = 60
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DEFAULT_REDACTION = Redaction()


def parse_expression(text: str) -> ast.expr:
    """The syntax tree of one expression.

    Raises:
        ExpressionError: ``text`` is not one Python expression (slug ``expression-syntax``), or is
            too big (``expression-size``).
    """
    if len(text) > _MAX_CHARS:
        raise ExpressionError(
            f"An expression of {len(text)} characters is too long.",
            f"The limit is {_MAX_CHARS}.",
            slug="expression-size",
        )
    try:
        tree = quietly(_parse, text) if "\\" in text else _parse(text)
    except SyntaxError as exc:
        raise _not_an_expression(text, exc.msg or "invalid syntax") from exc
    except (ValueError, RecursionError, MemoryError) as exc:
        raise _not_an_expression(text, str(exc) or type(exc).__name__) from exc
    _check_size(tree)
    return tree


def _parse(text: str) -> ast.expr:
    expression: ast.expr = ast.parse(text.strip(), "<expression>", "eval").body
    return expression


def quietly(make: Callable[[Any], _Made], source: Any) -> _Made:
    """Parse or compile without a SyntaxWarning on the program's standard error.

    Only for sources that may cause one: it swaps the process's warning filters for a moment.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return make(source)


def _not_an_expression(text: str, why: str) -> ExpressionError:
    shown = text if len(text) <= 80 else text[:79] + "…"
    return ExpressionError(
        f"{shown!r} is not a Python expression: {why}.",
        "Write what could stand to the right of `x =`, such as order.total or len(items).",
        slug="expression-syntax",
    )


def _check_size(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    nodes = depth = 0
    while level:
        nodes += len(level)
        depth += 1
        if nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise ExpressionError(
                "This expression is too big.",
                f"The limit is {_MAX_NODES} parts, nested {_MAX_DEPTH} deep. Take its parts.",
                slug="expression-size",
            )
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def _suspends(node: ast.AST) -> bool:
    """Whether only a coroutine or a generator could evaluate it."""
    is_async = isinstance(node, ast.comprehension) and bool(node.is_async)
    return is_async or isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom))


def check(text: str, *, safety: str, redaction: Redaction | None = None) -> ast.expr:
    """Parse ``text``, and refuse what its safety level doesn't allow.

    Args:
        text: The expression.
        safety: ``"strict"`` or ``"trusted"``; trusted allows every expression.
        redaction: Which names are secrets, in strict.

    Raises:
        ExpressionError: Slug ``expression-syntax``, ``expression-size``, ``expression-unsafe`` or
            ``expression-secret``.
    """
    tree = parse_expression(text)
    if safety == "trusted":
        if any(map(_suspends, ast.walk(tree))):
            raise _not_an_expression(text, "await and yield need a function around them")
        return tree
    refuse_strict(tree)
    name = secret_name(tree, redaction or _DEFAULT_REDACTION)
    if name:
        raise ExpressionError(
            f"{name!r} looks like a secret, so a strict probe doesn't take it.",
            "Take another field. With --trusted the probe runs, and"
            " a value of such a name is redacted.",
            slug="expression-secret",
        )
    return tree


def names(tree: ast.expr) -> tuple[str, ...]:
    """The free names, in order of first use: what a reader asks its names for.

    Targets of comprehensions and arguments of lambdas aren't free. Builtins such as ``len`` are,
    for the program may have a variable of that name.
    """
    return tuple(dict.fromkeys(_free_names(tree, frozenset())))


def _free_names(node: ast.AST, bound: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if node.id not in bound:
            yield node.id
    elif isinstance(node, _COMPREHENSIONS):
        yield from _free_in_comprehension(node, bound)
    elif isinstance(node, ast.Lambda):
        spec = node.args
        for default in [*spec.defaults, *(given for given in spec.kw_defaults if given)]:
            yield from _free_names(default, bound)
        arguments = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
        inner = bound | {argument.arg for argument in arguments if argument}
        yield from _free_names(node.body, inner)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _free_names(child, bound)


def _free_in_comprehension(
    node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, bound: frozenset[str]
) -> Iterator[str]:
    for generator in node.generators:
        yield from _free_names(generator.iter, bound)
        targets = ast.walk(generator.target)
        bound |= {target.id for target in targets if isinstance(target, ast.Name)}
        for condition in generator.ifs:
            yield from _free_names(condition, bound)
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    for element in elements:
        yield from _free_names(element, bound)


def secret_name(tree: ast.expr, redaction: Redaction) -> str:
    """The name in an expression that makes its value a secret; ``""`` if none does.

    What counts is the last name of each path: ``user.password``, ``row["ssn"]``,
    ``passwords[0]``. A name before it counts only if everything inside it is secret, too:
    ``password.value``, not ``token.kind``.
    """
    return next(_secret_names(tree, redaction, is_last=True), "")


def _secret_names(node: ast.AST, redaction: Redaction, *, is_last: bool) -> Iterator[str]:
    hides = redaction.hides if is_last else redaction.hides_inside
    if isinstance(node, ast.Name):
        if hides(node.id):
            yield node.id
    elif isinstance(node, ast.Attribute):
        if hides(node.attr):
            yield node.attr
        yield from _secret_names(node.value, redaction, is_last=False)
    elif isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Constant) and type(node.slice.value) is str:
            if hides(node.slice.value):
                yield node.slice.value
        else:
            yield from _secret_names(node.slice, redaction, is_last=True)
        yield from _secret_names(node.value, redaction, is_last=is_last)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from _secret_names(node.func.value, redaction, is_last=is_last)
        for index, argument in enumerate([*node.args, *(kw.value for kw in node.keywords)]):
            is_key = node.func.attr in {"get", "pop", "setdefault"} and index == 0
            key = argument.value if isinstance(argument, ast.Constant) else None
            if is_key and type(key) is str and redaction.hides(key):
                yield key
            yield from _secret_names(argument, redaction, is_last=True)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _secret_names(child, redaction, is_last=is_last)
