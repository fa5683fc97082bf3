"""Our part of ``ast`` against the real one, over sources that hold every kind of node."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from treetap.expression import tree

SOURCES = {
    path.name: path.read_text(encoding="utf-8")
    for path in [
        *Path(tree.__file__).parent.glob("*.py"),
        Path(__file__).parents[1] / "probe" / "constructs.py",
    ]
}


@pytest.fixture(params=SOURCES)
def source(request):
    return SOURCES[request.param]


def test_the_trees_are_those_of_ast(source):
    assert tree.Name is ast.Name
    assert ast.dump(tree.parse(source), include_attributes=True) == ast.dump(
        ast.parse(source), include_attributes=True
    )


def test_walks_meet_every_node(source):
    module = ast.parse(source)
    assert list(map(id, tree.walk(module))) == list(map(id, ast.walk(module)))
    for node in ast.walk(module):
        assert list(tree.iter_child_nodes(node)) == list(ast.iter_child_nodes(node))
        assert list(tree.iter_fields(node)) == list(ast.iter_fields(node))


def test_a_copy_is_equal_and_shares_nothing_that_can_be_changed(source):
    module = ast.parse(source)
    copied = tree.copied(module)
    assert ast.dump(copied, include_attributes=True) == ast.dump(module, include_attributes=True)
    placed = {id(node) for node in ast.walk(module) if hasattr(node, "lineno")}
    assert not any(id(node) in placed for node in ast.walk(copied))


def test_a_copy_is_changed_on_the_way():
    def renamed(node: ast.AST) -> ast.AST:
        return ast.Name(node.id.upper(), node.ctx) if isinstance(node, ast.Name) else node

    expression = ast.parse("len(a[b]) + c.d", mode="eval").body
    assert ast.unparse(tree.copied(expression, renamed)) == "LEN(A[B]) + C.d"
    assert ast.unparse(expression) == "len(a[b]) + c.d"


def test_missing_places_are_filled_in_as_ast_does(source):
    def bare() -> ast.Module:
        module = ast.parse(source)
        for node in list(ast.walk(module))[::3]:
            for name in ("lineno", "end_lineno", "col_offset", "end_col_offset"):
                if hasattr(node, name):
                    delattr(node, name)
        return module

    ours, theirs = tree.fix_missing_locations(bare()), ast.fix_missing_locations(bare())
    assert ast.dump(ours, include_attributes=True) == ast.dump(theirs, include_attributes=True)


def test_lines_are_moved_as_ast_does(source):
    ours = tree.increment_lineno(ast.parse(source), 7)
    theirs = ast.increment_lineno(ast.parse(source), 7)
    assert ast.dump(ours, include_attributes=True) == ast.dump(theirs, include_attributes=True)


def test_a_dump_tells_trees_apart_and_not_their_places():
    texts = [
        "a",
        "a.b",
        "a[b]",
        "a['b']",
        "a[1]",
        "a[True]",
        "f(a)",
        "f(*a)",
        "f(k=a)",
        "a < b < c",
    ]
    dumps = [tree.dump(ast.parse(text, mode="eval").body) for text in texts]
    assert len(set(dumps)) == len(texts)
    assert tree.dump(ast.parse("\n\n(  a . b )", mode="eval").body) == dumps[1]


def test_a_place_is_copied():
    old = ast.parse("\n  \nabc = 1").body[0]
    new = tree.copy_location(ast.Pass(), old)
    assert (new.lineno, new.col_offset, new.end_lineno, new.end_col_offset) == (3, 0, 3, 7)
