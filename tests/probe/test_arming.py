"""Which engine serves which site, and what the status says about it."""

from __future__ import annotations

import pytest

from tests.probing import Stage, held_tool_ids
from treetap.interpreter import HAS_MONITORING
from treetap.probe.arming import ENGINES

PROGRAM = """
    def f(a):
        match a:
            case 1:  # case
                return "one"
            case _:
                return "other"  # other

    def g(a):
        b = a  # here
        return b
"""


def test_a_function_with_its_source_is_injected(programs, stage):
    module = programs.load(PROGRAM)
    probe = stage.put(module, "# here", "a")
    module.g(1)
    status = stage.status(probe)
    assert (status.state, status.engine, status.why, status.differs) == (
        "armed",
        "injecting",
        "",
        False,
    )
    assert status.sites == (f"{module.__file__}:9 g",)


def test_where_no_statement_can_stand_another_engine_does_and_says_why(programs, stage):
    module = programs.load(PROGRAM)
    case, other = stage.put(module, "# case", "a"), stage.put(module, "# other", "a")
    assert [module.f(n) for n in (1, 2)] == ["one", "other"]
    assert (stage.values(case), stage.values(other)) == ([1, 2], [2])
    assert "no statement can stand there" in stage.status(case).why
    stage.take_out(case)
    assert module.f(3) == "other"
    assert stage.values(other) == [2, 3]
    assert stage.status(other).engine == "injecting" or HAS_MONITORING


NESTED = """
    def f(a):
        b = a  # outer
        def inner():
            return b  # inner
        match a:
            case 1:  # case
                return inner()
        return inner()
"""


def test_a_watched_function_is_seen_though_one_nested_in_it_is_injected(programs, stage):
    # The inner one's stand-in is a constant of the outer one, which is then another code object.
    module = programs.load(NESTED)
    probes = {text: stage.add(module, f"# {text}", "a" if text != "inner" else "b")
              for text in ("case", "outer", "inner")}  # fmt: skip
    stage.apply()
    assert [module.f(n) for n in (1, 2)] == [1, 2]
    assert {text: stage.values(probe) for text, probe in probes.items()} == {
        "case": [1, 2],
        "outer": [1, 2],
        "inner": [1, 2],
    }
    stage.take_out(probes["inner"])
    module.f(3)
    assert stage.values(probes["outer"])[-1] == 3
    assert stage.values(probes["case"])[-1] == 3


@pytest.mark.skipif(not HAS_MONITORING, reason="3.11 has no sys.monitoring")
def test_the_tool_id_goes_when_the_last_that_needs_it_goes(programs, stage):
    module = programs.load(PROGRAM)
    case, other = stage.put(module, "# case", "a"), stage.put(module, "# other", "a")
    assert len(held_tool_ids()) == 1
    stage.take_out(case)
    module.f(2)
    assert stage.values(other) == [2]
    stage.take_out(other)
    assert held_tool_ids() == []


def test_an_engine_that_was_not_asked_for_is_not_used(programs):
    module = programs.load(PROGRAM)
    code = module.g.__code__
    for engine in ENGINES[1:]:
        stage = Stage(engines=(engine,))
        try:
            stage.put(module, "# here", "a")
            assert held_tool_ids() if engine == "monitoring" else not held_tool_ids()
            assert (module.g.__code__ is code) == (engine in ("monitoring", "tracing"))
        finally:
            stage.close()


def test_a_fault_while_building_fails_the_probes_of_that_function_alone(programs, stage):
    module = programs.load(PROGRAM)
    good = stage.put(module, "# here", "a")
    broken = stage.add(module, "# other", "a")
    arming = stage.probe_set._arming

    class Broken:
        name = "broken"

        def __getattr__(self, name):
            raise ZeroDivisionError("ours")

    injecting = arming._injecting
    arming._injecting = Broken()
    try:
        stage.apply()
    except ZeroDivisionError:
        pass
    finally:
        arming._injecting = injecting
    assert stage.status(broken).error[0] == "fault"
    assert module.g(1) == 1
    assert stage.values(good) == [1]
