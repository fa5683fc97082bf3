"""The hot form: plain code under guards, as soon as the types are known, and only while they hold."""

from __future__ import annotations

import pytest

PROGRAM = """
    class Order:
        def __init__(self, total):
            self.total = total

    class Slotted:
        __slots__ = ("total",)

        def __init__(self, total):
            self.total = total

    class Sneaky(Order):
        calls = 0

        @property
        def total(self):
            Sneaky.calls += 1
            return 1

        @total.setter
        def total(self, value):
            pass

    class Shouting(int):
        def __lt__(self, other):
            raise AssertionError("a probe ran this")

        __gt__ = __eq__ = __bool__ = __lt__
        __hash__ = int.__hash__

    class Long:
        def __len__(self):
            raise AssertionError("a probe ran this")

    def f(order, items=(), table=None, number=0):
        a = number  # here
        return a
"""


def make_hot(stage, module, probe, *arguments, **named):
    for _ in range(3):
        module.f(*arguments, **named)
    stage.probe_set.tick()
    return armed(stage, probe).fast


def armed(stage, probe):
    return stage.probe_set._probes[probe]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("number", 7),
        ("order.total", 12.5),
        ("len(items)", 2),
        ("items[0]", 3),
        ("number + 1", 8),
        ("-number", -7),
        ("not items", False),
        ("order.total > number", True),
        ("order.total > number and number", 7),
    ],
)
def test_it_becomes_plain_code_and_its_values_stay_the_same(programs, stage, expression, value):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", expression)
    arguments = (module.Order(12.5), [3, 4], {"k": "v"}, 7)
    assert make_hot(stage, module, probe, *arguments) is not None
    slow_hits = armed(stage, probe).recorder.slow_hits
    module.f(*arguments)
    assert armed(stage, probe).recorder.slow_hits == slow_hits
    assert stage.values(probe) == [value] * 4


def test_slots_are_plain_too(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "order.total")
    assert make_hot(stage, module, probe, module.Slotted(3)) is not None
    module.f(module.Slotted(4))
    assert stage.values(probe) == [3, 3, 3, 4]


@pytest.mark.parametrize(
    "condition", ["number > 3", "number > 3 and order.total", "number % 2 == 0"]
)
def test_a_false_condition_is_counted_without_the_recorder(programs, stage, condition):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "number", condition=condition)
    assert make_hot(stage, module, probe, module.Order(1), number=4) is not None
    slow_hits = armed(stage, probe).recorder.slow_hits
    for number in range(4, 0, -1):
        module.f(module.Order(1), number=number)
    assert armed(stage, probe).recorder.slow_hits == slow_hits
    skipped = stage.status(probe).skipped["condition"]
    assert skipped == 4 - (len(stage.values(probe)) - 3)
    assert skipped in (2, 3)


def test_another_type_goes_to_the_recorder_which_is_right(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "order.total", "len(items)", "number")
    assert make_hot(stage, module, probe, module.Order(1), [1], None, 2) is not None
    module.f({"a": 1}, [1], None, 2)
    module.f(module.Order([1, 2]), [1], None, 2)
    module.f(module.Order(1), 5, None, 2)
    module.f(module.Order(1), [1], None, "two")
    module.f(module.Sneaky(1), [1], None, 2)
    module.f(module.Order(1), module.Long(), None, module.Shouting(3))
    rows = stage.rows(probe)[3:]
    assert rows[0][0]["type"] == "AttributeError"
    assert rows[1][0]["items"] == [1, 2]
    assert rows[2][1]["type"] == "TypeError"
    assert rows[3] == (1, 1, "two")
    assert rows[4][0]["reason"] == "would run code"
    assert rows[5][1]["reason"] == "would run code"
    assert module.Sneaky.calls == 0


def test_a_condition_on_another_type_goes_to_the_recorder(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "1", condition="number < 3")
    assert make_hot(stage, module, probe, None, number=1) is not None
    module.f(None, number=module.Shouting(1))
    module.f(None, number="text")
    status = stage.status(probe)
    assert status.skipped == {"condition-error": 2}
    assert status.recorded == 3


def test_an_attribute_that_becomes_a_property_is_noticed(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "order.total")
    order = module.Order(1)
    assert make_hot(stage, module, probe, order) is not None
    calls = []
    module.Order.total = property(lambda self: calls.append(1) or 5)
    stage.probe_set.tick()
    assert armed(stage, probe).fast is None
    module.f(order)
    assert calls == []
    assert stage.values(probe)[-1]["reason"] == "would run code"


def test_types_that_change_for_good_are_learned_anew(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "number")
    first = make_hot(stage, module, probe, None, number=1)
    for _ in range(205):
        module.f(None, number="text")
    stage.probe_set.tick()
    second = make_hot(stage, module, probe, None, number="text")
    assert second is not None
    assert second != first
    slow_hits = armed(stage, probe).recorder.slow_hits
    module.f(None, number="text")
    module.f(None, number=1)
    assert armed(stage, probe).recorder.slow_hits == slow_hits
    assert stage.values(probe)[-2:] == ["text", 1]


def test_too_many_types_stay_with_the_recorder(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "number")
    for number in (1, "a", 2.5):
        module.f(None, number=number)
    stage.probe_set.tick()
    assert armed(stage, probe).fast is None
    assert stage.values(probe) == [1, "a", 2.5]


def test_a_name_that_a_program_gives_its_own_len_is_not_called(programs, stage):
    module = programs.load("""
        def len(thing):
            raise AssertionError("a probe ran this")

        def f(items):
            a = 1  # here
            return a
    """)
    probe = stage.put(module, "# here", "items")
    sized = stage.put(module, "# here", "len(items)")
    counted = stage.put(module, "# here", "number_of", condition="items")
    for _ in range(4):
        module.f("abc")
        stage.probe_set.tick()
    assert stage.values(probe) == ["abc"] * 4
    assert stage.hits(counted) == 4
    assert stage.status(sized).recorded == 4


def test_an_unbound_name_in_hot_code_is_no_such_name(programs, stage):
    module = programs.load("""
        def f(a):
            if a:
                b = a
            c = 1  # here
            return c
    """)
    probe = stage.put(module, "# here", "b")
    for _ in range(3):
        module.f(1)
    stage.probe_set.tick()
    assert armed(stage, probe).fast is not None
    assert module.f(0) == 1
    assert stage.values(probe)[-1]["reason"] == "no such name here"


def test_a_long_text_is_cut_in_hot_code_as_well(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "number")
    for _ in range(3):
        module.f(None, number="ab")
    stage.probe_set.tick()
    module.f(None, number="x" * 1000)
    value = stage.values(probe)[-1]
    assert isinstance(value, dict) or len(value) == 1000


def test_a_huge_integer_arrives(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "number")
    for _ in range(3):
        module.f(None, number=1)
    stage.probe_set.tick()
    module.f(None, number=10**40)
    assert stage.hits(probe) == 4


def test_a_class_whose_metaclass_hashes_itself_is_left_to_the_recorder(programs, stage):
    """Even a set of types would run its code."""
    module = programs.load("""
        calls = []

        class Meta(type):
            def __hash__(cls):
                calls.append("hash")
                return 1

            def __eq__(cls, other):
                calls.append("eq")
                return cls is other

        class Thing(metaclass=Meta):
            def __init__(self):
                self.size = 3

        def step(thing):
            n = 1  # here
            return n
    """)
    probe = stage.put(module, "# here", "thing.size")
    thing = module.Thing()
    module.calls.clear()
    for _ in range(10):
        module.step(thing)
        stage.probe_set.tick()
    assert stage.values(probe) == [3] * 10
    assert module.calls == []


def test_a_key_of_the_programs_own_class_is_not_asked_whether_it_is_equal(programs, stage):
    """A dict compares keys of equal hash; the recorder looks at the keys first."""
    module = programs.load("""
        asked = []

        class Key:
            def __hash__(self):
                return hash("k")

            def __eq__(self, other):
                asked.append(other)
                return False

        def step(table):
            n = 1  # here
            return n
    """)
    probe = stage.put(module, "# here", "table['k']")
    for _ in range(5):
        module.step({"k": 1.5})
        stage.probe_set.tick()
    tables = [{module.Key(): 1, "other": 2} for _ in range(3)]
    module.asked.clear()
    for table in tables:
        module.step(table)
    assert module.asked == []
    assert stage.status(probe).recorded == 8
