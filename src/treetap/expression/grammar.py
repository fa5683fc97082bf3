"""What a strict expression may be made of. Everything else is refused by name, before it runs.

The grammar keeps out what has an effect (``:=``, ``await``, ``yield``), what hides code
(``lambda``), and calls of anything but the functions and methods in ``call``. What an allowed
construct does with the values at hand is decided when it runs: ``a + b`` is fine for numbers and
not captured where ``a`` has an ``__add__`` of its own.
"""

from __future__ import annotations

from treetap.errors import ExpressionError
from treetap.expression import tree as ast

#: Functions that a strict expression may call by name.
FUNCTIONS = frozenset(
    [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "callable",
        "chr",
        "complex",
        "dict",
        "divmod",
        "enumerate",
        "float",
        "format",
        "frozenset",
        "hash",
        "hex",
        "id",
        "int",
        "isinstance",
        "issubclass",
        "len",
        "list",
        "max",
        "min",
        "oct",
        "ord",
        "pow",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
    ]
)
#: Methods that a strict expression may call; of builtin types, without an effect.
METHODS = {
    "str": """capitalize casefold center count encode endswith expandtabs find index isalnum
        isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace
        istitle isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind
        rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title
        upper zfill""",
    "bytes": "count decode endswith find hex index rfind startswith strip lstrip rstrip split",
    "int": "as_integer_ratio bit_count bit_length conjugate is_integer to_bytes",
    "float": "as_integer_ratio conjugate hex is_integer",
    "complex": "conjugate",
    "list": "count index copy",
    "tuple": "count index",
    "deque": "count index copy",
    "range": "count index",
    "dict": "copy get items keys values",
    "set": """copy difference intersection isdisjoint issubset issuperset symmetric_difference
        union""",
    "datetime": """ctime date day isocalendar isoformat isoweekday time timestamp timetuple
        toordinal utcoffset weekday""",
    "date": "ctime isocalendar isoformat isoweekday toordinal weekday timetuple",
    "time": "isoformat utcoffset",
    "timedelta": "total_seconds",
    "decimal": "as_integer_ratio as_tuple is_finite is_infinite is_nan is_signed is_zero adjusted",
    "fraction": "as_integer_ratio is_integer",
}
METHODS_OF = {kind: frozenset(text.split()) for kind, text in METHODS.items()}
METHODS_OF["frozenset"] = METHODS_OF["set"]
METHODS_OF["bytearray"] = METHODS_OF["bytes"]
_METHOD_NAMES = frozenset().union(*METHODS_OF.values())

#: Names with two underscores that are read without harm, and say something.
DUNDERS = frozenset(
    [
        "__cause__",
        "__context__",
        "__doc__",
        "__file__",
        "__module__",
        "__name__",
        "__notes__",
        "__qualname__",
        "__version__",
    ]
)

_COMPARISONS = ["Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "Is", "IsNot", "In", "NotIn"]
_OPERATORS = [
    "Add",
    "Sub",
    "Mult",
    "Div",
    "FloorDiv",
    "Mod",
    "Pow",
    "LShift",
    "RShift",
    "BitOr",
    "BitXor",
    "BitAnd",
]
_PARTS = [
    "Name",
    "Load",
    "Store",
    "Constant",
    "Attribute",
    "Subscript",
    "Slice",
    "List",
    "Tuple",
    "Dict",
    "Set",
    "UnaryOp",
    "UAdd",
    "USub",
    "Not",
    "Invert",
    "BinOp",
    "BoolOp",
    "And",
    "Or",
    "Compare",
    "IfExp",
    "JoinedStr",
    "FormattedValue",
    "ListComp",
    "SetComp",
    "DictComp",
    "GeneratorExp",
    "comprehension",
    "Call",
    "keyword",
]
_ALLOWED = tuple(getattr(ast, name) for name in (*_PARTS, *_OPERATORS, *_COMPARISONS))

_NAMES = {
    ast.Lambda: "a lambda",
    ast.NamedExpr: "an assignment (:=)",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield from",
    ast.Starred: "a star (*)",
    ast.MatMult: "the operator @",
}


def refuse_strict(tree: ast.expr) -> None:
    """Raise ``ExpressionError`` (slug ``expression-unsafe``) for what strict doesn't allow."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    streams = {id(argument) for call in calls for argument in call.args}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise _unsafe(_NAMES.get(type(node), type(node).__name__))
        if isinstance(node, ast.Call):
            _check_call(node)
        elif isinstance(node, ast.Attribute):
            _check_attribute(node)
        elif isinstance(node, ast.GeneratorExp) and id(node) not in streams:
            raise _unsafe("a generator that isn't the one argument of a call")
        elif isinstance(node, ast.comprehension):
            _check_comprehension(node)
        elif isinstance(node, ast.Dict) and None in node.keys:
            raise _unsafe("a star (**)")


def _check_comprehension(node: ast.comprehension) -> None:
    if node.is_async:
        raise _unsafe("an async comprehension")
    for target in ast.walk(node.target):
        if isinstance(target, (ast.Attribute, ast.Subscript)):
            raise _unsafe("a comprehension that assigns to an attribute or an item")


def _check_attribute(node: ast.Attribute) -> None:
    if node.attr.startswith("__") and node.attr.endswith("__") and node.attr not in DUNDERS:
        raise _unsafe(f"the attribute {node.attr}")


def _check_call(node: ast.Call) -> None:
    if any(keyword.arg is None for keyword in node.keywords):
        raise _unsafe("a star (**)")
    if isinstance(node.func, ast.Name):
        if node.func.id not in FUNCTIONS:
            raise _unsafe(f"the call of {node.func.id}()", _CALLS)
        if any(keyword.arg == "key" for keyword in node.keywords):
            raise _unsafe("key=, which calls a function")
    elif isinstance(node.func, ast.Attribute):
        if node.func.attr not in _METHOD_NAMES:
            raise _unsafe(f"the call of .{node.func.attr}()", _CALLS)
    else:
        raise _unsafe("the call of a computed function", _CALLS)


_CALLS = (
    "A strict expression may call len, sum, min, max, sorted, str and other pure builtins, and"
    " pure methods of builtin types, such as .get, .split, .startswith."
)


def _unsafe(construct: str, hint: str = "") -> ExpressionError:
    way_out = "To evaluate any expression, give the probe --trusted."
    return ExpressionError(
        f"A strict expression may not use {construct}.",
        f"{hint}\n{way_out}" if hint else way_out,
        slug="expression-unsafe",
    )
