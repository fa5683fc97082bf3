"""3.11: calls spliced into bytecode; that each line is hit as it should be is held by ``tests/contract``."""

from __future__ import annotations

import pytest

from treetap.interpreter import HAS_MONITORING

if HAS_MONITORING:
    pytest.skip("bytecode is spliced on 3.11 alone", allow_module_level=True)

from treetap.probe.bytecoding import spliced


def run(source, line, *arguments):
    """The result of ``f`` with a call at ``line``, and the locals that the call saw."""
    namespace = {}
    exec(compile(source, "a.py", "exec"), namespace)
    seen = []
    code = namespace["f"].__code__
    pairs = spliced(code, [], {id(code): {line: [lambda frame: seen.append(dict(frame.f_locals))]}})
    ((original, stand_in),) = pairs
    assert original is code
    namespace["f"].__code__ = stand_in
    return namespace["f"](*arguments), seen


def test_a_call_stands_in_front_of_its_line():
    assert run("def f(a):\n    b = a\n    return b\n", 3, 1) == (1, [{"a": 1, "b": 1}])


def test_a_call_in_the_middle_of_an_expression_leaves_the_stack_alone():
    source = (
        "def f(a):\n    return [a,\n        a + 1,\n        *(a,\n        ), dict(k=\n        a)]\n"
    )
    for line in range(2, 7):
        value, _seen = run(source, line, 1)
        assert value == [1, 2, 1, {"k": 1}]


def test_a_call_whose_hit_raises_costs_the_program_nothing():
    namespace = {}
    exec(compile("def f(a):\n    return a\n", "a.py", "exec"), namespace)
    code = namespace["f"].__code__

    def hit(_frame):
        raise ValueError

    ((_original, stand_in),) = spliced(code, [], {id(code): {2: [hit]}})
    namespace["f"].__code__ = stand_in
    assert namespace["f"](1) == 1


def test_the_instruction_that_is_reached_from_its_own_line_and_others_counts_the_others():
    source = "def f(n):\n    for i in range(n):\n        if i == 3: break\n    return i\n"
    for n, hits in ((0, 1), (2, 3), (9, 4)):
        try:
            _value, seen = run(source, 2, n)
        except UnboundLocalError:
            continue
        assert len(seen) == hits


def test_a_generator_is_entered_behind_its_resume():
    namespace = {}
    exec(compile("def f(a):\n    yield a\n    yield a + 1\n", "a.py", "exec"), namespace)
    code, seen = namespace["f"].__code__, []
    ((_original, stand_in),) = spliced(code, [], {id(code): {0: [lambda frame: seen.append(1)]}})
    namespace["f"].__code__ = stand_in
    assert list(namespace["f"](1)) == [1, 2]
    assert seen == [1]
