"""What every engine has to do alike: one suite, run with each of them alone."""

from __future__ import annotations

import asyncio
import linecache
import re
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.probe import constructs
from tests.probing import Stage, assert_nothing_is_left
from treetap.interpreter import HAS_MONITORING
from treetap.probe.code import walk_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What can serve any call that begins after the probe was put. Tracing, which serves frames that
#: were running before, has its own tests.
ENGINES = ("injecting", "monitoring") if HAS_MONITORING else ("injecting", "splicing")
#: Without a source, e.g. for a ``match``'s cases, injecting is helped by the other one.
WITH_HELP = {"injecting": ENGINES}


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def stage(engine) -> Iterator[Stage]:
    made = Stage(engines=(engine,))
    yield made
    made.close()
    assert_nothing_is_left()


# -- What a hit is: the same as a LINE event of sys.settrace, but for what docs/probes.md lists.


def line_events(function):
    """What the function returns, and how often each line of its file was reached."""
    seen = Counter()

    def trace(frame, event, _argument):
        if frame.f_code.co_filename != constructs.__file__:
            return None
        if event == "line":
            seen[frame.f_lineno] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return function(), seen
    finally:
        sys.settrace(before)


def lines_of(function):
    """The lines that hold code or have a mark."""
    code = function.__code__
    held = {line for inner in walk_codes(code) for *_, line in inner.co_lines() if line}
    marked = {line for line in range(min(held), max(held) + 1) if mark_of(line)}
    return sorted(held | marked)


def mark_of(line):
    return re.search(r"# hits: ([\w, ]+)", linecache.getline(constructs.__file__, line))


def expected_hits(line, engine, events):
    """The number of LINE events, if the line has no mark that says otherwise; ``None`` for any."""
    mark = mark_of(line)
    for part in mark[1].split(", ") if mark else ():
        name, _, number = part.rpartition(" ")
        if name in ("", engine):
            return None if number == "any" else int(number)
    return events


@pytest.mark.parametrize("function", constructs.ALL, ids=lambda function: function.__name__)
def test_a_line_is_hit_as_often_as_settrace_tells_of_it(function, engine):
    value, events = line_events(function)
    lines = lines_of(function)
    # The line of the ``def`` is the function's entry, for which settrace has another event.
    events[lines[0]] = events[lines[0]] or 1
    stage = Stage(engines=WITH_HELP.get(engine, (engine,)))
    try:
        probes = {line: stage.add(constructs, line) for line in lines}
        stage.apply()
        assert function() == value
        hits = {line: stage.hits(probe) for line, probe in probes.items()}
    finally:
        stage.close()
    expected = {line: expected_hits(line, engine, events[line]) for line in lines}
    assert hits == {line: hits[line] if n is None else n for line, n in expected.items()}


# -- Every kind of function.

PROGRAM = """
    import contextlib
    import functools


    def plain(a, b=2):
        c = a + b  # plain
        return c


    def wrapping(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)  # wrapper
        return wrapper


    def hiding(function):
        def wrapper(*args):
            return function(*args)
        return wrapper


    class Calling:
        def __init__(self, function):
            self.anything = function

        def __call__(self, *args):
            return self.anything(*args)


    @wrapping
    def wrapped(a):
        b = a * 2  # wrapped
        return b


    @hiding
    def hidden(a):
        b = a * 2  # hidden
        return b


    @Calling
    def in_an_object(a):
        b = a * 2  # in_an_object
        return b


    @functools.lru_cache(maxsize=None)
    def cached(a):
        b = a * 2  # remembered
        return b


    @functools.singledispatch
    def dispatched(a):
        b = a  # dispatched any
        return b


    @dispatched.register
    def _(a: int):
        b = a * 2  # dispatched int
        return b


    def partly(a, b):
        c = a + b  # partly
        return c


    add_two = functools.partial(partly, 2)


    @contextlib.contextmanager
    def managed(a):
        b = a * 2  # managed
        yield b


    class Thing:
        __slots__ = ("size", "__weakref__")
        made = 0

        def __init__(self, size):
            self.size = size  # init

        def method(self, a):
            b = self.size + a  # method
            return b

        def __private(self, a):
            b = self.size - a  # private
            return b

        def call_private(self, a):
            return self.__private(a)

        def with_super(self):
            name = super().__repr__()[:1]  # with_super
            return name

        @staticmethod
        def static(a):
            b = a * 2  # static
            return b

        @classmethod
        def of_class(cls, a):
            b = (cls.made, a)  # of_class
            return b

        @property
        def double(self):
            b = self.size * 2  # getter
            return b

        @double.setter
        def double(self, value):
            self.size = value // 2  # setter


    class Wide:
        @functools.cached_property
        def once(self):
            b = 7  # cached_property
            return b


    def make(a):
        def inner(b):
            c = a + b  # inner
            return c
        return inner


    made_before = [make(10), make(20)]
    double = lambda x: x * 2  # lambda


    def gen(n):
        for i in range(n):
            got = i * 10  # gen
            yield got


    async def co(a):
        b = a * 2  # co
        return b


    async def agen(n):
        for i in range(n):
            yield i * 10  # agen


    def down(n):
        m = n - 1  # down
        return down(m) if m > 0 else 0


    TABLE = {"x": [lambda a: a * 3]}  # in a table


    def build():
        namespace = {}
        exec(compile("def made(a):\\n    b = a * 2\\n    return b\\n", "no such file", "exec"), namespace)
        return namespace["made"]


    no_source = build()
"""


async def listed(items):
    return [item async for item in items]


def thing_with_double_set(module):
    thing = module.Thing(1)
    thing.double = 10
    return thing.size


#: ``(text on the line, expression, what to do, its value, what the probe sees)``.
KINDS = {
    "a function": ("# plain", "a", lambda m: m.plain(1), 3, [1]),
    "a decorated function": ("# wrapped", "a", lambda m: m.wrapped(1), 2, [1]),
    "a decorator's function": ("# wrapper", "args[0]", lambda m: m.wrapped(4), 8, [4]),
    "a function that its decorator hides": ("# hidden", "a", lambda m: m.hidden(1), 2, [1]),
    "a function inside an object": ("# in_an_object", "a", lambda m: m.in_an_object(1), 2, [1]),
    "a cached function": ("# remembered", "a", lambda m: (m.cached(1), m.cached(1)), (2, 2), [1]),
    "a dispatched function": ("# dispatched int", "a", lambda m: m.dispatched(3), 6, [3]),
    "a dispatcher": ("# dispatched any", "a", lambda m: m.dispatched("s"), "s", ["s"]),
    "a partial": ("# partly", "b", lambda m: m.add_two(5), 7, [5]),
    "a context manager": ("# managed", "a", lambda m: m.managed(2).__enter__(), 4, [2]),
    "__init__": ("# init", "size", lambda m: m.Thing(3).size, 3, [3]),
    "a method": ("# method", "self.size", lambda m: m.Thing(3).method(1), 4, [3]),
    "a private method": ("# private", "a", lambda m: m.Thing(3).call_private(1), 2, [1]),
    "a method with super": (
        "# with_super",
        "self.size",
        lambda m: m.Thing(3).with_super(),
        "<",
        [3],
    ),
    "a static method": ("# static", "a", lambda m: m.Thing.static(2), 4, [2]),
    "a class method": ("# of_class", "a", lambda m: m.Thing.of_class(2), (0, 2), [2]),
    "a property": ("# getter", "self.size", lambda m: m.Thing(3).double, 6, [3]),
    "a property's setter": ("# setter", "value", thing_with_double_set, 5, [10]),
    "a cached property": ("# cached_property", "1", lambda m: m.Wide().once, 7, [1]),
    "a closure made before": ("# inner", "a + b", lambda m: m.made_before[1](1), 21, [21]),
    "a closure made after": ("# inner", "a + b", lambda m: m.make(30)(1), 31, [31]),
    "a lambda": ("# lambda", "x", lambda m: m.double(4), 8, [4]),
    "a lambda in a table": ("# in a table", "a", lambda m: m.TABLE["x"][0](4), 12, [4]),
    "a generator": ("# gen", "i", lambda m: list(m.gen(3)), [0, 10, 20], [0, 1, 2]),
    "a coroutine": ("# co", "a", lambda m: asyncio.run(m.co(3)), 6, [3]),
    "an async generator": (
        "# agen",
        "i",
        lambda m: asyncio.run(listed(m.agen(2))),
        [0, 10],
        [0, 1],
    ),
    "a recursive function": ("# down", "n", lambda m: m.down(3), 0, [3, 2, 1]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_sees_the_values_of(kind, programs, stage, engine):
    text, expression, act, value, seen = KINDS[kind]
    module = programs.load(PROGRAM)
    probe = stage.put(module, text, expression)
    assert act(module) == value
    assert stage.values(probe) == seen
    assert stage.status(probe).engine in (engine, "injecting")


@pytest.mark.parametrize("kind", KINDS)
def test_it_lets_go_of(kind, programs, stage):
    text, expression, act, value, _seen = KINDS[kind]
    module = programs.load(PROGRAM)
    probe = stage.put(module, text, expression)
    stage.take_out(probe)
    assert act(module) == value
    assert stage.values(probe) == []


def test_a_name_is_enough_for_the_entry_of_a_function(programs, stage):
    module = programs.load(PROGRAM)
    entry = stage.put(module, ":Thing.method", "a")
    inner = stage.put(module, ":make.<locals>.inner", "b")
    assert module.Thing(1).method(5) == 6
    assert module.make(1)(2) == 3
    assert (stage.values(entry), stage.values(inner)) == ([5], [2])


def test_several_function_objects_share_one_code_object(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# inner", "a")
    later = module.make(30)
    assert [function(0) for function in (*module.made_before, later)] == [10, 20, 30]
    assert stage.values(probe) == [10, 20, 30]


def test_code_without_source_is_reached_at_its_entry(programs, stage, engine):
    if engine == "injecting":
        pytest.skip("needs the source: served by the other engine")
    module = programs.load(PROGRAM)
    probe = stage.put("no such file", 2, "a")
    assert module.no_source(3) == 6
    assert stage.values(probe) == [3]


def test_two_probes_on_one_line_and_ten_on_one_function(programs, stage):
    module = programs.load(
        "def f(a):\n" + "".join(f"    b{n} = a + {n}\n" for n in range(8)) + "    return b7\n"
    )
    probes = [stage.add(module, n + 2, "a", f"b{n - 1}" if n else "a") for n in range(8)]
    probes += [stage.add(module, 5, "a * 2"), stage.add(module, 5, "a * 3")]
    stage.apply()
    assert module.f(5) == 12
    assert [stage.rows(probe)[0][0] for probe in probes] == [5] * 8 + [10, 15]
    assert [stage.hits(probe) for probe in probes] == [1] * 10
    stage.take_out(*probes[:9])
    module.f(6)
    assert stage.hits(probes[9]) == 2


def test_an_exception_goes_through_unchanged(programs, stage):
    module = programs.load("""
        def f(a):
            b = a + 1
            return 1 / b  # here
    """)
    probe = stage.put(module, "# here", "a")
    with pytest.raises(ZeroDivisionError):
        module.f(-1)
    assert stage.values(probe) == [-1]


def test_a_failing_expression_is_a_value(programs, stage):
    module = programs.load("""
        def f(a):
            b = a + 1  # here
            return b
    """)
    probe = stage.put(module, "# here", "a.nothing", "a / 0", "nowhere", "b")
    assert module.f(1) == 2
    attribute, division, name, unbound = stage.rows(probe)[0]
    assert attribute["type"] == "AttributeError"
    assert division["type"] == "ZeroDivisionError"
    assert name["reason"] == unbound["reason"] == "no such name here"


def test_unbound_locals_are_no_such_name_and_nothing_crashes(programs, stage):
    module = programs.load("""
        def f(a):
            if a:
                b = a
            c = 1  # here
            del a
            d = 2  # there
            return c + d

        def outer():
            def inner():
                return value  # free
            try:
                inner()
            except NameError:
                pass
            value = 1
            return inner()
    """)
    here = stage.put(module, "# here", "b")
    there = stage.put(module, "# there", "a")
    free = stage.put(module, "# free", "value")
    assert module.f(0) == 3
    assert module.f(7) == 3
    assert module.outer() == 1
    assert [type(value) for value in stage.values(here)] == [dict, int]
    assert [value["reason"] for value in stage.values(there)] == ["no such name here"] * 2
    assert [type(value) for value in stage.values(free)] == [dict, int]


def test_a_hit_caused_by_a_hit_is_counted_and_not_recorded(programs, stage):
    module = programs.load("""
        class Thing:
            @property
            def size(self):
                return 7  # size

        def f(thing):
            a = 1  # here
            return a
    """)
    inner = stage.put(module, "# size", "1")
    outer = stage.put(module, "# here", "thing.size", safety="trusted", allow_calls=True)
    module.f(module.Thing())
    assert stage.values(outer) == [7]
    # Monitoring is off inside its own callback; injected code is not, and has a guard.
    assert stage.status(inner).recorded == 0
    assert stage.status(inner).skipped in ({}, {"reentry": 1})
    assert module.Thing().size == 7
    assert stage.status(inner).recorded == 1


def test_threads_are_counted_exactly(programs, stage):
    module = programs.load("""
        def f(n):
            done = 0
            for i in range(n):
                done += 1  # here
            return done
    """)
    probe = stage.put(module, "# here", "i")
    threads = [threading.Thread(target=module.f, args=(2000,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stage.hits(probe) == 8000


def test_it_gives_back_the_identical_code_objects(programs, stage):
    module = programs.load(PROGRAM)
    functions = {name: value for name, value in vars(module).items() if hasattr(value, "__code__")}
    functions |= {f"made_before {n}": function for n, function in enumerate(module.made_before)}
    before = {name: function.__code__ for name, function in functions.items()}
    constants = {name: function.__code__.co_consts for name, function in functions.items()}
    for text, *_ in KINDS.values():
        stage.add(module, text, "1")
    stage.apply()
    for _text, _expression, act, value, _seen in KINDS.values():
        assert act(module) == value
    stage.close()
    for name, function in functions.items():
        if sys.version_info[:2] != (3, 12):
            assert function.__code__ is before[name], name
        assert function.__code__ == before[name], name
        assert function.__code__.co_consts == constants[name]
    closure = module.make(1)
    assert closure.__code__ is module.made_before[0].__code__ or sys.version_info[:2] == (3, 12)


def test_near_the_recursion_limit_the_program_gets_its_own_error_and_no_other(programs, stage):
    module = programs.load("""
        def deep(n):
            m = n + 1  # here
            return deep(m)

        def run():
            try:
                deep(0)
            except RecursionError as exc:
                return str(exc)
    """)
    stage.put(module, "# here", "n", "len([n])", condition="n >= 0")
    for _ in range(3):
        assert "recursion" in module.run()


def test_a_keyboard_interrupt_inside_of_a_hit_reaches_the_program(programs, stage):
    module = programs.load("""
        import signal

        class Thing:
            @property
            def size(self):
                signal.raise_signal(signal.SIGINT)
                return 7

        def f(thing):
            a = 1  # here
            return a
    """)
    stage.put(module, "# here", "thing.size", safety="trusted", allow_calls=True)
    with pytest.raises(KeyboardInterrupt):
        module.f(module.Thing())
    # It is over: the next hit of this thread is recorded.
    module.Thing.size = 3
    module.f(module.Thing())


def test_conditions_skip_and_count(programs, stage):
    module = programs.load("""
        def f(a):
            b = a  # here
            return b
    """)
    probe = stage.put(module, "# here", "a", condition="a % 3 == 0")
    for number in range(10):
        module.f(number)
        stage.probe_set.tick()
    module.f("text")
    status = stage.status(probe)
    assert stage.values(probe) == [0, 3, 6, 9]
    assert status.skipped == {"condition": 6, "condition-error": 1}
    assert status.hits == 11


def test_a_trusted_walrus_does_not_change_the_program(programs, stage):
    module = programs.load("""
        def f(x):
            y = x  # here
            return y + x
    """)
    probe = stage.put(module, "# here", "(x := 100)", safety="trusted")
    assert [module.f(1) for _ in range(5)] == [2] * 5
    assert stage.hits(probe) == 5


def test_a_snapshot_has_the_locals_and_the_stack(programs, stage):
    module = programs.load("""
        def f(a, password):
            b = a + 1
            return b  # here
    """)
    probe = stage.put(module, "# here", snapshot=True)
    module.f(1, "hidden")
    (form,) = stage.rows(probe)[0]
    names = dict(form["locals"])
    assert (names["a"], names["b"]) == (1, 2)
    assert names["password"] != "hidden"
    assert form["stack"][0][0] == "f"
    assert form["stack"][0][2] == 3


def test_a_snapshot_at_the_entry_of_a_function_has_its_line(programs, stage):
    module = programs.load("""
        def f(a):
            return a

        def generated(a):
            yield a
    """)
    probes = [stage.put(module, f":{name}", snapshot=True) for name in ("f", "generated")]
    module.f(1)
    list(module.generated(1))
    lines = [stage.rows(probe)[0][0]["stack"][0][2] for probe in probes]
    assert lines[0] in (1, 2)
    assert lines[1] in (4, 5)
