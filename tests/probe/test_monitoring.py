"""What only monitoring reaches: frames that run already, bodies of modules. 3.12 and later."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from tests.conftest import wait_until
from tests.probing import held_tool_ids, line_of
from treetap.interpreter import HAS_MONITORING, MONITORING_SPOILS_CODE

pytestmark = pytest.mark.skipif(not HAS_MONITORING, reason="3.11 has no sys.monitoring")

FOREVER = """
    def forever(state):
        while not state["stop"]:
            state["n"] += 1  # here
        return state["n"]

    def always(state):
        while True:
            if state["stop"]:
                break
            state["n"] += 1  # in while True
"""


@pytest.mark.parametrize(("name", "text"), [("forever", "# here"), ("always", "# in while True")])
def test_a_loop_that_runs_already_is_reached(programs, stage, name, text):
    module = programs.load(FOREVER)
    state = {"stop": False, "n": 0}
    thread = threading.Thread(target=getattr(module, name), args=(state,))
    thread.start()
    try:
        wait_until(lambda: state["n"])
        probe = stage.put(module, text, "state['n']")
        wait_until(lambda: stage.hits(probe) > 100)
        stage.probe_set.tick()
        hits = stage.hits(probe)
        wait_until(lambda: stage.hits(probe) > hits + 100)
        values = stage.values(probe)
        assert stage.status(probe).lost or values == list(range(values[0], values[0] + len(values)))
        assert "monitoring" in stage.status(probe).engine
        assert "running" in stage.status(probe).why
        stage.take_out(probe)
        before = state["n"]
        wait_until(lambda: state["n"] > before)
    finally:
        state["stop"] = True
        thread.join()


def test_a_suspended_generator_and_a_suspended_coroutine_are_reached(programs, stage):
    module = programs.load("""
        def gen():
            for i in range(4):
                yield i  # gen

        async def co(future):
            await future
            a = 1  # co
            return a
    """)
    generator = module.gen()
    assert next(generator) == 0

    async def main():
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(module.co(future))
        await asyncio.sleep(0)
        probes = stage.put(module, "# gen", "i"), stage.put(module, "# co", "1")
        future.set_result(None)
        await task
        return probes

    of_generator, of_coroutine = asyncio.run(main())
    assert list(generator) == [1, 2, 3]
    assert list(module.gen()) == [0, 1, 2, 3]
    assert stage.values(of_generator) == [1, 2, 3, 0, 1, 2, 3]
    assert stage.hits(of_coroutine) == 1


def test_a_frame_that_runs_an_older_stand_in_is_watched_and_nothing_counts_double(programs, stage):
    module = programs.load("""
        def f(wait):
            for i in range(4):
                wait(i)
                a = i  # one
                b = i  # two
            return a + b
    """)
    probes = {}

    def wait(number):
        if number == 1:
            probes["one"] = stage.put(module, "# one", "i")
        if number == 2:
            probes["two"] = stage.put(module, "# two", "i")
        if number == 3:
            stage.rows(probes["one"])
            stage.take_out(probes["one"])

    assert module.f(wait) == 6
    assert stage.values(probes["one"]) == [1, 2]
    assert stage.values(probes["two"]) == [2, 3]
    assert module.f(lambda _number: None) == 6
    assert stage.values(probes["two"]) == [2, 3, 0, 1, 2, 3]


def test_recursion_that_is_armed_half_way_counts_each_frame_once(programs, stage):
    module = programs.load("""
        def down(n, act):
            act(n)
            m = n  # here
            return down(n - 1, act) if n else m
    """)
    probes = []

    def act(n):
        if n == 3:
            probes.append(stage.put(module, "# here", "n"))

    module.down(5, act)
    assert stage.values(probes[0]) == [3, 2, 1, 0]


def test_functions_that_a_running_frame_goes_on_to_make_are_reached(programs, stage):
    module = programs.load("""
        def outer(act):
            seen = []
            for i in range(5):
                act(i)

                def inner(n):
                    m = n  # here
                    return m

                seen.append(inner(i))
            return seen
    """)
    probes = []

    def act(number):
        if number == 2:
            probes.append(stage.put(module, "# here", "n"))
        if number == 3:
            stage.put(module, "return m", "n")

    assert module.outer(act) == list(range(5))
    assert stage.values(probes[0]) == [2, 3, 4]
    module.outer(lambda _number: None)
    assert stage.values(probes[0]) == [2, 3, 4, 0, 1, 2, 3, 4]


def test_a_line_that_nobody_asks_about_is_disabled_and_comes_back_when_asked_for(programs, stage):
    module = programs.load(FOREVER)
    state = {"stop": False, "n": 0}
    thread = threading.Thread(target=module.forever, args=(state,))
    thread.start()
    try:
        wait_until(lambda: state["n"])
        first = stage.put(module, "# here", "1")
        wait_until(lambda: stage.hits(first) > 10)
        header = stage.put(module, 'while not state["stop"]', "1")
        wait_until(lambda: stage.hits(header) > 10)
        hits = stage.hits(first)
        wait_until(lambda: stage.hits(first) > hits)
    finally:
        state["stop"] = True
        thread.join()


def test_the_tool_id_is_held_only_while_something_is_watched(programs, stage):
    module = programs.load(FOREVER)
    state = {"stop": False, "n": 0}
    thread = threading.Thread(target=module.forever, args=(state,))
    thread.start()
    try:
        wait_until(lambda: state["n"])
        probe = stage.put(module, "# here", "1")
        assert len(held_tool_ids()) == 1
        stage.take_out(probe)
        assert held_tool_ids() == []
    finally:
        state["stop"] = True
        thread.join()


@pytest.mark.skipif(not MONITORING_SPOILS_CODE, reason="only 3.12 loses its superinstructions")
def test_code_that_was_monitored_is_fresh_after_close(programs, stage):
    module = programs.load(FOREVER)
    original = module.forever.__code__
    state = {"stop": False, "n": 0}
    thread = threading.Thread(target=module.forever, args=(state,))
    thread.start()
    wait_until(lambda: state["n"])
    stage.put(module, "# here", "1")
    state["stop"] = True
    thread.join()
    stage.close()
    assert module.forever.__code__ == original
    assert module.forever.__code__ is not original


def test_code_on_the_def_line_is_hit(programs, stage):
    """3.13 has no LINE event there unless it is asked for PY_START as well."""
    module = programs.load("""
        def one(a): return a + 1
        two = lambda a: a + 2
        def three(a): yield a + 3
    """)
    monitored = type(stage)(engines=("monitoring",))
    try:
        probes = [monitored.put(module, text, "a") for text in ("one", "two", "three")]
        assert (module.one(1), module.two(1), list(module.three(1))) == (2, 3, [4])
        assert [monitored.values(probe) for probe in probes] == [[1], [1], [1]]
    finally:
        monitored.close()


def test_equal_code_objects_of_two_modules_are_two(programs, stage):
    source = "def f(a):\n    b = a\n    return b\n"
    one, two = programs.load(source), programs.load(source)
    made = {}
    for module in (one, two):
        exec(compile(source, "equal.py", "exec"), made.setdefault(module.__name__, {}))
    first, second = (namespace["f"] for namespace in made.values())
    assert first.__code__ == second.__code__
    assert first.__code__ is not second.__code__
    one.f, two.f = first, second
    probe = stage.put("equal.py", 2, "a")
    assert (first(1), second(2)) == (1, 2)
    assert stage.values(probe) == [1, 2]
    stage.take_out(probe)
    assert first(1) == 1
    assert sys.monitoring.get_local_events(4, first.__code__) == 0 if held_tool_ids() else True


def test_others_may_restart_all_events(programs, stage):
    module = programs.load("""
        def f(a):
            b = a
            c = b  # here
            d = c
            return d
    """)
    monitored = type(stage)(engines=("monitoring",))
    try:
        probe = monitored.put(module, "# here", "a")
        for number in range(5):
            module.f(number)
            sys.monitoring.restart_events()
        assert monitored.values(probe) == list(range(5))
    finally:
        monitored.close()


def test_a_module_that_is_being_run_has_its_loop_reached(programs, stage):
    name = programs.write(
        """
        import treetap_stage as stage
        for i in range(5):
            stage.act(i)
            x = i  # here
    """,
        "body",
    )
    import types

    probes = []
    acting = types.ModuleType("treetap_stage")

    def act(number):
        if number == 2:
            probes.append(stage.put(f"{name}.py", "# here", "i"))

    acting.act = act
    sys.modules["treetap_stage"] = acting
    try:
        __import__(name)
    finally:
        del sys.modules["treetap_stage"]
    assert stage.status(probes[0]).error == ()
    assert stage.values(probes[0]) == [2, 3, 4]
    assert line_of(sys.modules[name], "# here") == 4
