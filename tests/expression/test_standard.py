from __future__ import annotations

import collections
import datetime
import decimal

from tests import hostile
from treetap.expression.standard import (
    exact_kind,
    has_only_str_keys,
    kind_of,
    loaded,
    printable,
    type_name,
)


def test_a_type_is_known_by_identity():
    values = hostile.values()
    hostile.CALLS.clear()
    for value in values.values():
        kind_of(type(value))
        exact_kind(type(value))
        type_name(type(value))
    assert hostile.CALLS == []
    assert exact_kind(dict) == "dict"
    assert exact_kind(type("dict", (), {"__module__": "builtins"})) is None
    assert exact_kind(decimal.Decimal) == "decimal"
    assert exact_kind(type("Decimal", (), {"__module__": "decimal"})) is None
    assert kind_of(type("Sub", (decimal.Decimal,), {})) == "decimal"
    assert kind_of(type("Sub", (datetime.datetime,), {})) == "datetime"
    assert kind_of(type("Sub", (), {})) == "object"


def test_a_module_is_never_imported_to_know_a_type():
    assert loaded("treetap_is_not_here", "Thing") is None


def test_a_type_has_a_name_that_can_be_encoded():
    assert type_name(int) == "int"
    assert type_name(decimal.Decimal) == "decimal.Decimal"
    assert type_name(type("X" * 500, (), {}))[-1] == "X"
    assert len(type_name(type("X" * 500, (), {}))) <= 200
    assert type_name(hostile.Renamed) == "Renamed"
    odd = type("Odd", (), {})
    odd.__qualname__ = "\ud800"
    type_name(odd).encode()
    assert printable("\udfff") == "\\udfff"


def test_keys_that_are_all_plain_texts_are_known_without_looking_at_them():
    for count in (1, 5, 6, 11, 100, 5_000, 70_000):
        texts = {str(number): 0 for number in range(count)}
        assert has_only_str_keys(texts)
        assert has_only_str_keys(collections.OrderedDict(texts))
        assert has_only_str_keys(collections.defaultdict(list, texts))
        assert not has_only_str_keys({**texts, 1: 0})
        assert not has_only_str_keys({**texts, hostile.HostileStr("x"): 0})
        assert not has_only_str_keys(dict.fromkeys(range(count)))


def test_a_dict_that_once_had_an_odd_key_is_looked_at_key_by_key():
    texts = {str(number): 0 for number in range(20)}
    odd = hostile.EqualToAll("q")
    texts[odd] = 1
    del texts[odd]
    assert not has_only_str_keys(texts)  # a general table, which says nothing
