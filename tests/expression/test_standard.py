from __future__ import annotations

import collections
import datetime
import decimal
import subprocess
import sys

from tests import hostile
from tests.arch.syntax import SOURCE
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


LATE = """
import sys
from treetap.expression.standard import exact_kind, kind_of
from treetap.expression.evaluation import compile_reader
from treetap.expression.syntax import check
from treetap.expression.text import text_of
def read(text, **names):
    return compile_reader(check(text, safety="strict"))(names)
assert not {"datetime", "enum", "re", "collections"} & set(sys.modules)
assert exact_kind(type("datetime", (), {"__module__": "datetime"})) is None
import collections, datetime, enum, re
day, hour = datetime.date(2024, 2, 3), datetime.timedelta(hours=1)
for _ in range(2):  # met for the first time, and learned
    assert read("(day, hour) == (day, hour), day in {day: 1}, not hour", day=day, hour=hour) == (True, True, False)
    assert read("str(day) + f'{hour} {day:%Y}'", day=day, hour=hour) == "2024-02-031:00:00 2024"
    assert read("len(c), c['a'], c['b'], not c, dict(c)", c=collections.Counter("aa")) == (1, 2, 0, False, {"a": 2})
    assert read("e.name, e.value, e is e", e=enum.Enum("E", "A").A) == ("A", 1, True)
class Stopped(datetime.datetime): pass
real, datetime.datetime = datetime.datetime, Stopped
moment = real(2024, 2, 3, tzinfo=datetime.timezone.utc)
assert exact_kind(real) == "datetime" and exact_kind(Stopped) is None and kind_of(Stopped) == "datetime"
assert read("m.year, m.isoformat(), m == m", m=moment) == (2024, "2024-02-03T00:00:00+00:00", True)
assert text_of(Stopped(2024, 2, 3), "datetime") == "2024-02-03T00:00:00"
assert kind_of(re.Pattern) == "pattern" and kind_of(enum.IntEnum) == "int"
"""


def test_types_of_modules_that_the_program_loads_later_are_as_if_they_had_been_there():
    subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n{LATE}",
        ],
        check=True,
    )
