"""Where snippets go; that they are hit as often as they should be is held by ``tests/contract``."""

from __future__ import annotations

import ast

import pytest

from treetap.expression.redaction import Redaction
from treetap.model.location import Location
from treetap.model.probe import Probe
from treetap.probe.recorder import Recorder
from treetap.probe.snippet import Snippet
from treetap.probe.splice import Placement, scope_of, splice


class Mark(Snippet):
    """A snippet that can be seen in the unparsed tree."""

    def __init__(self):
        probe = Probe("p", Location(file="a.py", line=1), ("1",))
        super().__init__(Recorder(probe, Redaction(), set()), frozenset())

    def statements(self, before=()):
        return [ast.Expr(self.expression())]

    def expression(self):
        return ast.Call(ast.Name("MARK", ast.Load()), [], [])


def spliced(source, line):
    tree = ast.parse(source)
    is_placed = splice(tree.body[0], [Placement(line, Mark())])
    return ast.unparse(tree) if is_placed else None


@pytest.mark.parametrize(
    ("source", "line", "expected"),
    [
        ("def f():\n    a = 1\n    b = 2", 3, "def f():\n    a = 1\n    MARK()\n    b = 2"),
        ("def f():\n    a = 1", 1, "def f():\n    MARK()\n    a = 1"),
        ("def f():\n    'doc'\n    a = 1", 2, 'def f():\n    """doc"""\n    MARK()\n    a = 1'),
        (
            "def f():\n    global g\n    g = 1",
            2,
            "def f():\n    global g\n    MARK()\n    g = 1",
        ),
        (
            "def f():\n    a = 1\n    global g\n    g = 1",
            2,
            "def f():\n    global g\n    MARK()\n    a = 1\n    g = 1",
        ),
        (
            "def f():\n    for a in b:\n        if a:\n            continue\n        c",
            2,
            (
                "def f():\n    MARK()\n    for a in b:\n        if a:\n            MARK()\n"
                "            continue\n        c\n        MARK()"
            ),
        ),
        (
            "def f():\n    while a:\n        for b in c:\n            continue\n        else:\n            continue",
            2,
            (
                "def f():\n    MARK()\n    while a:\n        for b in c:\n            continue\n"
                "        else:\n            MARK()\n            continue\n        MARK()"
            ),
        ),
        (
            "def f():\n    try:\n        a\n    except E:\n        b",
            4,
            "def f():\n    try:\n        a\n    except (MARK(), E)[1]:\n        b",
        ),
        (
            "def f():\n    if a:\n        b\n    elif c:\n        d",
            4,
            "def f():\n    if a:\n        b\n    else:\n        MARK()\n        if c:\n            d",
        ),
        ("def f():\n    a = [\n        1,\n    ]", 3, "def f():\n    MARK()\n    a = [1]"),
        ("def f():\n    match a:\n        case 1:\n            b", 3, None),
        ("def f():\n    try:\n        a\n    except:\n        b", 4, None),
    ],
)
def test_a_snippet_stands_where_its_line_begins(source, line, expected):
    assert spliced(source, line) == expected


def test_a_lambda_and_a_comprehension_are_wrapped():
    tree = ast.parse("f = lambda a: a + 1")
    assert splice(tree.body[0].value, [Placement(1, Mark())])
    assert ast.unparse(tree) == "f = lambda a: (MARK(), a + 1)[1]"


def test_what_is_spliced_in_stands_on_the_probed_line():
    tree = ast.parse("def f():\n    a = 1\n    b = 2")
    splice(tree.body[0], [Placement(3, Mark())])
    assert {node.lineno for node in ast.walk(tree.body[0].body[1]) if hasattr(node, "lineno")} == {
        3
    }


def test_the_node_of_a_code_object_is_found_and_two_are_none():
    source = "x = lambda a: a + 1; y = lambda a: a + 2\ndef f():\n    return [a for a in b], [c for c in d]\n"
    tree = ast.parse(source)
    module = compile(source, "a.py", "exec")
    one, two, function = (code for code in module.co_consts if hasattr(code, "co_code"))
    assert scope_of(tree, one) is tree.body[0].value
    assert scope_of(tree, two) is tree.body[1].value
    assert scope_of(tree, function) is tree.body[2]
    for comprehension in (value for value in function.co_consts if hasattr(value, "co_code")):
        # 3.11: two on one line are not told apart, so neither is guessed.
        assert scope_of(tree, comprehension) is None
