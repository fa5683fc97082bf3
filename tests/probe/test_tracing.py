"""3.11 only: frames that run already are reached by tracing their threads, for a while."""

from __future__ import annotations

import sys
import threading

import pytest

from tests.conftest import wait_until
from treetap.interpreter import HAS_MONITORING

if HAS_MONITORING:
    pytest.skip("tracing is for 3.11; later versions have sys.monitoring", allow_module_level=True)

FOREVER = """
    def forever(state):
        while not state["stop"]:
            state["n"] += 1  # here
        return state["n"]

    def rounds(state, act):
        for i in range(6):
            act(i)
            x = i  # round
        return inner(x)

    def inner(x):
        return x
"""


class Running:
    """A thread that is inside ``forever``."""

    def __init__(self, module, tracer=None):
        self.state = {"stop": False, "n": 0}
        self.tracer_after = "not yet"
        self._module = module
        self._tracer = tracer
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        if self._tracer is not None:
            sys.settrace(self._tracer)
        self._module.forever(self.state)
        self.tracer_after = sys.gettrace()

    def __enter__(self):
        self._thread.start()
        wait_until(lambda: self.state["n"])
        return self

    def __exit__(self, *exc):
        self.state["stop"] = True
        self._thread.join()


def test_a_loop_that_runs_already_is_reached_and_the_status_says_how(programs, stage):
    module = programs.load(FOREVER)
    with Running(module) as running:
        probe = stage.put(module, "# here", "state['n']")
        wait_until(lambda: stage.hits(probe) > 100)
        status = stage.status(probe)
        assert status.engine == "injecting+tracing"
        assert "running" in status.why
        stage.take_out(probe)
        before = running.state["n"]
        wait_until(lambda: running.state["n"] > before)
    assert running.tracer_after is None


def test_tracing_ends_with_the_frame(programs, stage):
    module = programs.load(FOREVER)
    with Running(module) as running:
        probe = stage.put(module, "# here", "1")
        wait_until(lambda: stage.hits(probe))
    assert running.tracer_after is None
    assert stage.probe_set._arming._watching._traced == {}


def test_tracing_ends_after_its_time(programs, stage):
    module = programs.load(FOREVER)
    with Running(module) as running:
        probe = stage.put(module, "# here", "1")
        wait_until(lambda: stage.hits(probe))
        engine = stage.probe_set._arming._watching
        for thread in list(engine._traced):
            engine._traced[thread] = 0.0
        # The frame goes on, and makes no call.
        wait_until(lambda: engine._traced == {})
        before = stage.hits(probe), running.state["n"]
        wait_until(lambda: running.state["n"] > before[1] + 1000)
        assert stage.hits(probe) == before[0]
    assert running.tracer_after is None


def test_a_thread_that_somebody_else_traces_is_left_alone(programs, stage):
    module = programs.load(FOREVER)
    events = []

    def theirs(_frame, event, _argument):
        events.append(event)
        return theirs

    with Running(module, tracer=theirs) as running:
        probe = stage.put(module, "# here", "1")
        status = stage.status(probe)
        assert status.state == "armed"
        assert "Another tool" in status.why
        before = len(events)
        wait_until(lambda: len(events) > before)
    assert running.tracer_after is theirs
    assert module.rounds({}, lambda _i: None) == 5


def test_each_round_is_hit_once_from_the_moment_on(programs, stage):
    module = programs.load(FOREVER)
    reached, go = threading.Event(), threading.Event()

    def act(number):
        if number == 2:
            reached.set()
            go.wait(10)

    thread = threading.Thread(target=module.rounds, args=({}, act))
    thread.start()
    assert reached.wait(10)
    probe = stage.put(module, "# round", "i")
    go.set()
    thread.join()
    assert stage.values(probe) == [2, 3, 4, 5]
    module.rounds({}, lambda _i: None)
    assert stage.values(probe) == [2, 3, 4, 5, 0, 1, 2, 3, 4, 5]


def test_the_arming_thread_itself_is_reached_when_its_frame_is_the_one(programs, stage):
    module = programs.load(FOREVER)
    probes = []

    def act(number):
        if number == 3:
            probes.append(stage.put(module, "# round", "i"))

    module.rounds({}, act)
    assert stage.values(probes[0]) == [3, 4, 5]


def test_a_ctrl_c_within_a_hit_reaches_the_program(programs, stage):
    module = programs.load(FOREVER)

    def interrupted(_frame):
        raise KeyboardInterrupt

    probes = []

    def act(number):
        if number == 2:
            probes.append(stage.put(module, "# round", "i"))
            engine = stage.probe_set._arming._watching
            for lines in engine._sites.values():
                lines.update(dict.fromkeys(lines, (interrupted,)))

    with pytest.raises(KeyboardInterrupt):
        module.rounds({}, act)
    assert sys.gettrace() is None
    assert stage.probe_set._arming._watching._traced == {}
