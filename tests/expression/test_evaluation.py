from __future__ import annotations

import builtins
import collections
import datetime
import decimal
import enum
import fractions
import itertools
import pathlib
import time
import types
import uuid
import warnings
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import hostile
from treetap.expression.evaluation import compile_condition, compile_reader
from treetap.expression.reading import Unsafe
from treetap.expression.syntax import check
from treetap.model.captured import NotCaptured


def evaluate(text, names=None, *, safety="strict", allow_calls=False):
    tree = check(text, safety=safety)
    return compile_reader(tree, safety=safety, allow_calls=allow_calls)(names or {})


class Color(enum.Enum):
    RED = "r"


class Order:
    def __init__(self):
        self.total = 5
        self.items = [types.SimpleNamespace(price=2), types.SimpleNamespace(price=3)]

    @property
    def size(self):
        return len(self.items)

    def __len__(self):
        return 2

    def __add__(self, other):
        return self.total + other

    def get(self, key):
        return f"got {key}"


NAMES = {
    "order": Order(),
    "qty": 3,
    "price": 2.5,
    "items": [3, 1, 2],
    "pairs": [("a", 1), ("b", 2)],
    "row": {"a": {"b": [1, 2]}, "c": "text"},
    "by_number": {1: "one", 2: "two"},
    "by_color": {Color.RED: 1},
    "by_class": {int: 1},
    "by_tuple": {(1, "a"): 1},
    "text": "Hello world",
    "raw": b"bytes",
    "none": None,
    "numbers": {1, 2, 3},
    "queue": collections.deque([1, 2]),
    "counter": collections.Counter("aab"),
    "ordered": collections.OrderedDict(a=1),
    "default": collections.defaultdict(list, a=[1]),
    "now": datetime.datetime(2026, 1, 2, 3, 4, 5),
    "aware": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    "zoned": datetime.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("UTC")),
    "day": datetime.date(2026, 1, 2),
    "span": datetime.timedelta(1),
    "money": decimal.Decimal("1.10"),
    "third": fractions.Fraction(1, 3),
    "ident": uuid.UUID(int=5),
    "path": pathlib.PurePosixPath("/a/b"),
    "color": Color.RED,
    "point": collections.namedtuple("Point", "x y")(1, 2),
    "error": ValueError("bad"),
}


@pytest.mark.parametrize(
    "text",
    """qty; qty + 1; qty - price * 2 / 4 // 1 % 7 ** 2; -qty; +qty; ~qty; not qty; qty << 2 | 1 & 3 ^ 4 >> 1
    order.total; order.total > 4; 1 < qty <= 3 < 9; 3 < qty < 1 / 0; qty == 3 != 4; order == order
    qty and none or 5; none or qty; none and 1 / 0; 1 if items else 2; items[0]; items[-1]; items[1:]
    items[::-1]; text[:5]; text[0]; raw[0]; raw[1:3]; row['a']['b'][1]; row['c'].upper(); by_number[2]
    by_color[color]; by_class[type(qty)]; by_tuple[1, 'a']; counter['zzz']; counter['a']; ordered['a']
    default['a']; queue[1]; point.x; point[1]; range(5)[2]; (1, 2)[0]; [1, 2, 3][1]; {1: 2}[1]
    3 in items; 9 not in items; 'a' in row; 'ell' in text; 1 in numbers; 2 in queue; 1 in range(9)
    color in by_color; 'a' in ordered; 1 in by_number.values(); ('a', 1) in row.items(); none is None
    qty is not None; [1, (2, {3: [4]})] == [1, (2, {3: [4]})]; items < [4]; {1} <= numbers; (1, 2) < (1, 3)
    numbers | {7}; numbers & {1}; numbers - {1}; numbers ^ {1}; row | {'z': 1}; items + [1]; items * 2
    2 * items; 'ab' * 3; 'a' + 'b'; raw + b'x'; '%s and %d' % ('x', 3); '%(a)s' % {'a': 1}; '%5.1f' % price
    now.year; now.isoformat(); now < now + span; now - now; aware == aware; zoned.isoformat(); day.weekday()
    day < day; span.total_seconds(); span * 2; money + 1; money > 1; -money; money * money; third + 1; third < 1
    ident == ident; {ident: 1}[ident]; f'{qty} {price:.2f} {text!r} {money} {now:%Y-%m} {items} {qty:>{qty}}'
    f'{path}'; str(path); str(ident); str(third); str(now); str(items); repr(text); ascii('é'); str(none)
    f'{text:>20}'; f'{none}'; f"{b'x'!r}"; format(price, '.1f'); color.name; color.value; color == color
    len(items); len(text); len(row); len(numbers); len(range(10 ** 9)); abs(-3); min(items); max(items)
    min(1, 2); max(text); min([], default=4); sum(items); sum([0.5, 1]); sum(items, 10); sorted(items)
    sorted(items, reverse=True); any(items); all([]); round(price); round(2.567, 1); int('12'); int('ff', 16)
    float('1.5'); int(price); int(money); bool(items); list(text); tuple(items); set(items); dict(pairs)
    dict(row); dict(a=1); frozenset(items); list(range(3)); list(enumerate(items)); list(zip(items, text))
    list(reversed(items)); type(qty); type(qty).__name__; isinstance(qty, int); isinstance(order, (int, str))
    isinstance(qty, object); ord('a'); chr(97); hex(255); bin(5); oct(8); hash('x') == hash('x'); divmod(7, 2)
    pow(2, 10); pow(3, 4, 5); callable(len); id(none) == id(none); issubclass(bool, int); complex(1, 2)
    [x * 2 for x in items if x > 1]; {x for x in items}; {k: v for k, v in pairs}; sum(x for x in items)
    [(x, y) for x in items for y in items if x < y]; [[y for y in items] for x in items]; [k for k in row]
    any(x > 2 for x in items); all(x for x in items); ','.join(str(x) for x in items); sum(i.price for i in order.items)
    max(i.price for i in order.items); [qty for qty in items] + [qty]; [a + b for a, b in [(1, 2)]]
    [x for x in text]; [x for x in row.items()]; [x for x in numbers]; [x for x in queue]; [len(x) for x in [text]]
    text.split(); text.startswith('He'); text.startswith(('a', 'H')); text.find('o'); text.count('l'); text.title()
    text.replace('l', 'L'); text.encode('utf-8'); raw.decode(); raw.hex(); ' x '.strip(); text.partition(' ')
    'a-b'.split('-', 1); 'a'.center(9, '*'); 'a'.zfill(4); text.isalpha(); row.get('a'); row.get('z', 1)
    list(row.keys()); list(row.values()); list(row.items()); items.index(1); items.count(1); (1, 1).count(1)
    numbers.union([9]); numbers.intersection(items); numbers.issubset(items); (5).bit_length(); (5).bit_count()
    price.is_integer(); money.is_nan(); third.as_integer_ratio(); range(5).index(2); queue.count(1); raw.find(b'y')
    error.args; error.args[0]; (); []; {}; {1}; 'a' 'b'; ...; 1_000; 0x10; 1j * 1j; True + True; b'a' < b'b'""".replace(
        "\n    ", ";"
    ).split(";"),
)
def test_a_strict_expression_gives_what_python_gives(text):
    text = text.strip()
    mine = evaluate(text, NAMES)
    real = (
        eval(text, {}, collections.ChainMap({}, NAMES))
        if "for" not in text
        else eval(text, dict(NAMES))
    )
    assert mine == real
    assert type(mine) is type(real)


_TEMPLATES = """v; v.total; v.real; v[0]; v['total']; v[v]; v[1:2]; [1][v]; [1, 2][v:]; {1: 2}[v]; {'total': 2}[v]
v + 1; 1 + v; v + v; v * 3; 'ab' * v; [1] * v; v - v; v / v; v % 1; 'a%s' % v; '%d' % v; '%(a)s' % v; b'%b' % v
v ** 2; 2 ** v; v << 1; v | v; v & {1}; {1} | v; {'a': 1} | v; -v; +v; ~v; not v; v and 1; v or 1; 1 if v else 2
v == 1; 1 == v; v == v; v != v; v < 1; 1 < v; v <= v; [v] == [v]; {1: v} == {1: v}; (v, 1) < (v, 2); v is v
v in [1]; 1 in v; v in v; v in 'abc'; v in b'abc'; v in range(3); v in {1, 2}; v in {'a': 1}; 'total' in v; v in (v, 1)
len(v); str(v); repr(v); ascii(v); f'{v}'; f'{v!r:>5}'; f'{v:>5}'; f'{1:{v}}'; format(v); format(1, v); str([v]); f'{[v]}'
[x for x in v]; {x for x in v}; {x: 1 for x in v}; [a for a, b in [v]]; [1 for x in [1] if v]; {v: 1}; {v}; [v]; (v,)
sum(v); sum([v, v]); sum([], v); min(v); max(v, v); min([v, 1]); sorted(v); sorted([v, v]); any(v); all([v]); abs(v)
int(v); float(v); bool(v); complex(v); round(v); round(1, v); range(v); hash(v); id(v); callable(v); type(v); chr(v); ord(v)
hex(v); divmod(v, 1); pow(v, 2); pow(2, v); pow(2, 3, v); list(v); tuple(v); set(v); set([v, v]); frozenset(v); dict(v)
dict([v]); dict([(v, 1)]); dict(a=v); zip(v, v); enumerate(v); enumerate([1], v); reversed(v); isinstance(v, int)
isinstance(1, v); isinstance(v, (str, v)); issubclass(v, int); issubclass(int, v); int('1', v)
v.upper(); v.split(); v.get('total'); v.get(v); v.keys(); list(v.items()); v.count(1); v.index(v); v.union([1]); v.copy()
v.isoformat(); v.decode(); v.bit_length(); v.total_seconds(); v.hex(); v.startswith('a'); v.is_integer(); v.join('ab')
','.join(v); ','.join([v]); 'abc'.startswith(v); 'abc'.startswith((v,)); 'a'.replace('a', v); 'a'.center(v); 'a'.encode(v)
'a'.split(v); 'a'.split(sep=v); 'a'.split(maxsplit=v); 'a'.encode(encoding=v); 'a'.expandtabs(tabsize=v); b'a'.decode(v); {'a': 1}.get(v); {'a': 1}.get('b', v); [1].count(v); [v].count(1); [v, v].index(v)
{1}.union(v); {1}.issubset(v); {1}.isdisjoint([v]); (1).to_bytes(v); dec + v; v + dec; dec == v; v == dec; dec < v; uid == v
[uid, v] == [uid, v]; frac + v; v * frac; frac == v; now < v; now == v; v - now; span * v; day == v; day < v""".replace(
    "\n", ";"
).split(";")
_COMPANY = {
    "dec": decimal.Decimal(1),
    "uid": uuid.UUID(int=1),
    "frac": fractions.Fraction(1, 2),
    "now": datetime.datetime(2026, 1, 1),
    "span": datetime.timedelta(1),
    "day": datetime.date(2026, 1, 1),
}
#: These hold a key that compares itself with the name that is looked up: see `reading`.
_COMPARING_KEYS = {("raising key", "v.total")}


@pytest.mark.parametrize("text", [text.strip() for text in _TEMPLATES])
def test_a_strict_expression_runs_nothing_of_a_hostile_value(text):
    read = compile_reader(check(text, safety="strict"))
    for which, value in hostile.values().items():
        if (which, text) in _COMPARING_KEYS:
            continue
        hostile.CALLS.clear()
        started = time.thread_time()
        try:
            read({"v": value, **_COMPANY})
        except hostile.Broken:
            pytest.fail(f"{text} ran code of {which}: {hostile.CALLS}")
        except Exception:
            pass
        assert hostile.CALLS == [], which
        assert time.thread_time() - started < 0.5, which


@pytest.mark.parametrize(
    "text",
    """'a' * 10 ** 9; [0] * 10 ** 9; 10 ** 10 ** 9; 2 ** 2 ** 30; 1 << 10 ** 9; f'{1:>1000000000}'; '%1000000000d' % 1
    f'{1.5:.1000000000f}'; 'a'.center(10 ** 9); 'a'.zfill(10 ** 9); sum(range(10 ** 9)); list(range(10 ** 9)); 9.5 in range(10 ** 9)
    [x for x in range(10 ** 9)]; [1 for x in range(200) for y in range(200)]; ('a' * 10 ** 5).replace('a', 'b' * 10 ** 5)
    [0 for x in range(10 ** 9) if 0]; sorted(range(10 ** 9)); any(0 for x in range(10 ** 9)); max(range(10 ** 9))
    ('b' * 10 ** 5).join('a' * 900); (1).to_bytes(10 ** 9); round(5, -(10 ** 9)); pow(7, 10 ** 7); 'a' * 10 ** 6 * 10 ** 6
    (2 ** 9000) ** 9000; set(range(10 ** 9)); '%*d' % (10 ** 9, 1); 3 ** (2 ** 40); str(2 ** 9999 * 2 ** 9999)
    sum([x for x in range(9)] for y in range(10 ** 6))""".replace("\n    ", ";").split(";"),
)
def test_a_strict_expression_is_bounded(text):
    started = time.thread_time()
    with pytest.raises((Unsafe, TypeError)) as caught:
        evaluate(text.strip())
    assert time.thread_time() - started < 0.5
    if caught.type is Unsafe:
        assert caught.value.reason == NotCaptured.SIZE


def test_the_own_exceptions_of_an_expression_come_through():
    for text, kind in [
        ("1 / 0", ZeroDivisionError),
        ("row['zzz']", KeyError),
        ("items[9]", IndexError),
        ("order.nothing", AttributeError),
        ("order - 1", TypeError),
        ("order < order", TypeError),
        ("len(qty)", TypeError),
        ("qty[0]", TypeError),
        ("[x for x in qty]", TypeError),
        ("int('x')", ValueError),
        ("[a for a, b in [(1, 2, 3)]]", ValueError),
        ("{[]: 1}", TypeError),
        ("row[[]]", TypeError),
        ("text.index('zzz')", ValueError),
    ]:
        with pytest.raises(kind):
            evaluate(text, NAMES)


def test_an_unknown_name_says_so():
    with pytest.raises(Unsafe) as caught:
        evaluate("nowhere + 1")
    assert caught.value.reason == NotCaptured.NO_NAME
    assert caught.value.detail == "nowhere"


def test_a_builtin_that_the_program_shadows_is_not_called():
    def ours(_value):
        hostile.ran("len")

    hostile.CALLS.clear()
    with pytest.raises(Unsafe):
        evaluate("len(x)", {"x": [1], "len": ours})
    with pytest.raises(Unsafe):
        evaluate("sum(x)", {"x": [1], "sum": ours})
    assert hostile.CALLS == []


def test_an_iterator_is_not_used_up_even_where_calls_are_allowed():
    for make in (
        lambda: iter([1, 2]),
        hostile.generator,
        lambda: map(str, [1]),
        lambda: itertools.count(),
    ):
        for text in (
            "[x for x in v]",
            "list(v)",
            "sum(v)",
            "sorted(v)",
            "any(v)",
            "1 in v",
            "dict(v)",
        ):
            for allow_calls in (False, True):
                value = make()
                if text == "1 in v" and allow_calls:
                    continue  # the user's own `in`, which was asked for
                with pytest.raises(Unsafe):
                    evaluate(text, {"v": value}, allow_calls=allow_calls)
                next(value)


def test_a_defaultdict_does_not_get_the_missing_key():
    names = {"d": collections.defaultdict(list)}
    with pytest.raises(Unsafe, match="__missing__"):
        evaluate("d['new']", names)
    assert not names["d"]


def test_a_key_that_compares_itself_is_never_asked():
    for container in ({hostile.EqualToAll("total"): 1}, {"a": 1, hostile.EqualToAll("total"): 1}):
        hostile.CALLS.clear()
        for text in ("d['total']", "'total' in d", "d.get('total')"):
            with pytest.raises(Unsafe):
                evaluate(text, {"d": container})
        assert hostile.CALLS == []


def test_a_big_dict_of_plain_texts_is_looked_up_at_once():
    names = {"d": {str(number): number for number in range(200_000)}}
    assert evaluate("d['777']", names) == 777
    numbers = {"d": dict.fromkeys(range(200_000), 1)}
    with pytest.raises(Unsafe) as caught:
        evaluate("d[777]", numbers)
    assert caught.value.reason == NotCaptured.SIZE


def test_the_flags_of_the_decimal_context_stay():
    context = decimal.getcontext()
    context.clear_flags()
    assert evaluate("a / b", {"a": decimal.Decimal(1), "b": decimal.Decimal(3)}) < 1
    assert not any(context.flags.values())


def test_allow_calls_reads_and_calls_what_strict_does_not():
    for text, expected in [
        ("order.size", 2),
        ("len(order)", 2),
        ("order + 1", 6),
        ("order.get('x')", "got x"),
        ("bool(order)", True),
        ("not order", False),
        ("sum(i.price for i in order.items) + order.size", 7),
    ]:
        with pytest.raises(Unsafe):
            evaluate(text, NAMES)
        assert evaluate(text, NAMES, allow_calls=True) == expected


def test_allow_calls_lifts_no_bound():
    with pytest.raises(Unsafe):
        evaluate("'a' * 10 ** 9", NAMES, allow_calls=True)
    with pytest.raises(Unsafe):
        evaluate("[x for x in v]", {"v": hostile.Ten()}, allow_calls=True)


def test_a_condition_is_tested_without_asking_a_value_of_the_program():
    def holds(text, **kwargs):
        return compile_condition(check(text, safety="strict"), **kwargs)(NAMES)

    assert holds("items") is True
    assert holds("none or 0") is False
    assert holds("color") is True
    with pytest.raises(Unsafe, match="__len__"):
        holds("order")
    assert holds("order", allow_calls=True) is True


def test_a_trusted_expression_is_python():
    assert evaluate("(lambda a: a + qty)(1)", NAMES, safety="trusted") == 4
    assert evaluate("[n for n in items if n > (m := 1)]", NAMES, safety="trusted") == [3, 2]
    assert evaluate("order.size + len(order)", NAMES, safety="trusted") == 4
    with pytest.raises(NameError):
        evaluate("nowhere", {}, safety="trusted")


def test_a_trusted_assignment_does_not_reach_the_program():
    def victim(x):
        import sys

        read = compile_reader(check("(x := 100)", safety="trusted"), safety="trusted")
        assert read(sys._getframe().f_locals) == 100
        return x + 1

    assert victim(1) == 2


def test_a_codec_of_the_program_is_not_looked_up():
    for text in (
        "text.encode('rot13')",
        "text.encode('utf-8', 'mine')",
        "text.encode(encoding='mine')",
    ):
        with pytest.raises(Unsafe):
            evaluate(text, NAMES)


def test_an_exit_in_a_probe_does_not_end_the_program():
    with pytest.raises(Unsafe):
        evaluate("exit()", {"exit": exit_now}, safety="trusted")


def exit_now():
    raise SystemExit(1)


def test_compiling_prints_no_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evaluate("qty is 3 or (1)(2) if 0 else 4", NAMES, safety="trusted")
        evaluate(r"'\d' + text", NAMES)
        evaluate("~True")
    assert caught == []


def test_a_reader_asks_for_no_name_that_it_does_not_use():
    asked = []

    class Names:
        def __getitem__(self, name):
            asked.append(name)
            return {"a": 1, "b": [1]}[name]

    compile_reader(check("a and [x for x in b]", safety="strict"))(Names())
    assert asked == ["a", "b"]


def test_builtins_are_names_as_well():
    assert evaluate("isinstance(error, ValueError)", NAMES) is True
    assert evaluate("ValueError") is builtins.ValueError


_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-99, 99),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
)
_PLAIN = st.recursive(
    _ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_ATOMS, inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)
_OPERATORS = [
    "a + b",
    "a - b",
    "a * b",
    "a / b",
    "a // b",
    "a % b",
    "a == b",
    "a != b",
    "a < b",
    "a >= b",
]
_OPERATORS += [
    "a in b",
    "a and b",
    "not a",
    "a[b]",
    "len(a)",
    "str(a)",
    "repr(a)",
    "a | b",
    "min(a, b)",
    "sorted(a)",
]


@settings(max_examples=300, deadline=None)
@given(a=_PLAIN, b=_PLAIN, text=st.sampled_from(_OPERATORS))
def test_on_plain_data_strict_is_python(a, b, text):
    names = {"a": a, "b": b}
    try:
        expected = eval(text, dict(names))
    except Exception as exc:
        refused = (Unsafe,) if text == "a % b" and type(a) is bytes else ()
        with pytest.raises((type(exc), *refused)):
            evaluate(text, names)
        return
    try:
        outcome = evaluate(text, names)
    except Unsafe as exc:
        assert (text == "a % b" and type(a) is bytes) or exc.reason == NotCaptured.SIZE
        return
    assert repr(outcome) == repr(expected)
