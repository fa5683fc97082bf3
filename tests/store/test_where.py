from __future__ import annotations

import pytest

from treetap.errors import StoreError
from treetap.store.event import Comparison
from treetap.store.where import parse_where

PROBES = [(1, ("order.total", "name")), (2, ("len(items)", "order.total")), (3, ("a < b", "a"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("len(items)>=3", [(2, 0, ">=", 3)]),
        ("len(items) >= 3.5", [(2, 0, ">=", 3.5)]),
        ("order.total<-1", [(1, 0, "<", -1), (2, 1, "<", -1)]),
        ("name == 'x y'", [(1, 1, "==", "x y")]),
        ("name==x y", [(1, 1, "==", "x y")]),
        ('name~"ab"', [(1, 1, "~", "ab")]),
        ("name!=null", [(1, 1, "!=", None)]),
        ("name==None", [(1, 1, "==", None)]),
        ("a < b == true", [(3, 0, "==", True)]),
        ("a < b2", [(3, 1, "<", "b2")]),
        ("a==0x10", [(3, 1, "==", 16)]),
        ("a==99999999999999999999", [(3, 1, "==", 1e20)]),
        ("a==[1]", [(3, 1, "==", "[1]")]),
    ],
)
def test_a_comparison_is_read(text, expected):
    assert list(parse_where(text, PROBES)) == [Comparison(*each) for each in expected]


@pytest.mark.parametrize(
    "text", ["", "order.total", "order.total<", "<3", "a<true", "a~5", "a>=null"]
)
def test_what_is_no_comparison_is_refused(text):
    with pytest.raises(StoreError) as caught:
        parse_where(text, PROBES)
    assert caught.value.slug == "where-syntax"


def test_an_expression_that_no_probe_takes_names_those_that_there_are():
    with pytest.raises(StoreError, match="zz") as caught:
        parse_where("zz<3", PROBES)
    assert caught.value.slug == "where-unknown"
    assert "len(items)" in caught.value.hint


VALUES = [
    [-5],  # 0
    [3],  # 1
    [3.0],  # 2
    ["3"],  # 3
    ["per%cent_"],  # 4
    [True],  # 5
    [None],  # 6
    [{"$": "str", "v": "a long text", "len": 900}],  # 7
    [{"$": "text", "type": "datetime.date", "v": "2026-01-31"}],  # 8
    [{"$": "float", "v": "nan"}],  # 9
    [{"$": "list", "items": [3], "len": 1}],  # 10
    [{"$": "text", "type": "http.HTTPStatus", "v": "HTTPStatus.NOT_FOUND", "n": 404}],  # 11
]


CASES = [
    ("x<0", [0]),
    ("x>400", [11]),
    ("x==404", [11]),
    ("x==HTTPStatus.NOT_FOUND", [11]),
    ("x==3", [1, 2]),
    ("x>=3", [1, 2, 11]),
    ("x<=3", [0, 1, 2]),
    ("x>-5", [1, 2, 11]),
    ("x!=3", [0, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("x=='3'", [3]),
    ("x=='a long text'", [7]),
    ("x~'%cent_'", [4]),
    ("x~long", [7]),
    ("x>'2026'", [3, 4, 7, 8, 9, 11]),
    ("x==true", [5]),
    ("x==false", []),
    ("x!=true", [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]),
    ("x==null", [6]),
    ("x!=null", [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]),
    ("x==nan", [9]),
]


@pytest.mark.parametrize(("where", "numbers"), CASES)
def test_values_compare_with_their_own_kind_only(opened, where, numbers):
    opened.put(VALUES)
    assert opened.found(comparisons=parse_where(where, [(1, ("x",))])) == numbers


def test_a_loss_has_no_value(opened):
    from tests.store.filled import NODE, NOON
    from treetap.store import LossRow
    from treetap.store.schema import node_key

    opened.submit_loss(LossRow(opened.new_ids(1), 1, node_key(NODE), 0, NOON, 5, "node", 5))
    assert opened.found(comparisons=parse_where("x!=3", [(1, ("x",))])) == []


def test_each_probe_has_its_own_place_for_an_expression(opened):
    opened.put([[1, 100], [2, 100]], probe=1)
    opened.put([[100, 2], [100, 1]], probe=2, first_number=10)
    where = parse_where("x==1", [(1, ("x", "y")), (2, ("y", "x"))])
    assert opened.found(comparisons=where) == [0, 11]
