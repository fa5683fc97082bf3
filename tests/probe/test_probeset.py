from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time

import pytest

from tests.conftest import wait_until
from tests.probing import Stage, assert_nothing_is_left, held_tool_ids
from treetap.expression.redaction import Redaction
from treetap.interpreter import HAS_MONITORING
from treetap.model.location import Location
from treetap.model.probe import Probe

LOOP = """
    def step(n):
        m = n + 1  # here
        return m

    def run(n):
        for i in range(n):
            step(i)
        return n
"""


@pytest.fixture
def busy():
    """Threads that change often: more interleavings a second, and nobody waits 5 ms for the GIL."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    yield
    sys.setswitchinterval(before)


# -- Arming and disarming while the program runs.


def test_no_hit_is_lost_and_none_double_while_probes_come_and_go(programs, stage, busy):
    """The first probe stays, and others join and leave its function all the time."""
    module = programs.load("""
        def step(n):
            a = n
            b = a  # here
            return b  # there

        def run(n):
            for i in range(n):
                step(i)
            return n
    """)
    stays = stage.put(module, "# here", "n")
    done, stop = [], threading.Event()

    def run():
        total = 0
        while not stop.is_set():
            total += module.run(200)
        done.append(total)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            passing = stage.put(module, "# there", "b")
            stage.probe_set.tick()
            wait_until(lambda: stage.hits(passing))
            stage.take_out(passing)
            stage.probe_set.tick()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    status = stage.status(stays)
    assert status.hits == sum(done)
    assert status.recorded == sum(done)
    # What the ring still had plus what it dropped is all there is.
    assert len(stage.rows(stays)) + status.lost == sum(done)


def test_a_probe_put_into_a_running_program_counts_from_some_call_on(programs, stage, busy):
    """Every call that begins after ``put`` has returned is counted, once."""
    module = programs.load(LOOP)
    stop = threading.Event()

    def run():
        while not stop.is_set():
            module.run(50)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for _ in range(10):
            probe = stage.put(module, "# here", "n")
            wait_until(lambda: stage.hits(probe) > 5)
            stage.take_out(probe)
    finally:
        stop.set()
        thread.join()


def test_closures_that_are_made_while_a_probe_is_put_all_have_it(programs, stage, busy):
    module = programs.load("""
        def make():
            def inner(n):
                m = n  # here
                return m
            return inner

        def run(stop, made):
            while not stop.is_set():
                made.append(make())
    """)
    for _ in range(4):
        stop, made = threading.Event(), []
        thread = threading.Thread(target=module.run, args=(stop, made))
        thread.start()
        wait_until(lambda: made)
        probe = stage.put(module, "# here", "n")
        before = len(made)
        wait_until(lambda: len(made) > before + 20)
        stop.set()
        thread.join()
        for function in made:
            function(1)
        # A call of `make` that was under way made a closure of the old code at most; see docs/probes.md.
        assert stage.hits(probe) >= len(made) - 1
        stage.take_out(probe)


def test_nothing_is_hit_after_a_probe_is_taken_out(programs, stage):
    module = programs.load(LOOP)
    code = module.step.__code__
    probe = stage.put(module, "# here", "n")
    module.run(10)
    recorder = stage.probe_set._probes[probe].recorder
    stage.take_out(probe)
    module.run(10)
    assert recorder.hits == 10
    assert module.step.__code__ == code


def test_the_same_wish_twice_changes_nothing(programs, stage):
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "n")
    module.run(3)
    code = module.step.__code__
    stage.apply()
    assert module.step.__code__ is code
    module.run(3)
    assert stage.hits(probe) == 6


def test_a_changed_probe_starts_over(programs, stage):
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "n")
    module.run(3)
    stage.put(module, "# here", "m", "n", probe_id=probe)
    module.run(2)
    assert stage.hits(probe) == 2
    assert stage.rows(probe)[-1][1] == 1


def test_a_disabled_probe_is_armed_nowhere(programs, stage):
    module = programs.load(LOOP)
    code = module.step.__code__
    stage.put(module, "# here", "n", is_enabled=False)
    assert module.step.__code__ is code
    assert stage.probe_set.is_idle


# -- The end of a probe.


@pytest.mark.parametrize("hits_before", [0, 10])
def test_max_hits_ends_a_probe_exactly(programs, stage, hits_before):
    module = programs.load(LOOP)
    code = module.step.__code__
    probe = stage.put(module, "# here", "n", max_hits=5)
    threads = [threading.Thread(target=module.run, args=(100,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stage.status(probe).recorded == 5
    assert stage.probe_set.tick()
    assert stage.status(probe).state == "done"
    assert module.step.__code__ == code
    assert len(stage.rows(probe)) == 5
    assert stage.status(probe).skipped == {"max_hits": 295}


def test_first_takes_one_hit_and_is_done(programs, stage):
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "n", mode="first")
    module.run(4)
    assert stage.values(probe) == [0]
    stage.probe_set.tick()
    assert stage.status(probe).state == "done"
    assert stage.status(probe).skipped == {"first": 3}


def test_a_probe_expires(programs, stage):
    module = programs.load(LOOP)
    code = module.step.__code__
    lives = stage.put(module, "# here", "n", expires_at_s=time.time() + 1000)
    over = stage.put(module, "# here", "n", expires_at_s=time.time() - 1)
    module.run(1)
    stage.probe_set.tick()
    assert stage.status(over).state == "expired"
    assert stage.status(lives).state == "armed"
    hits = stage.hits(over)
    module.run(1)
    assert stage.hits(over) == hits
    assert stage.hits(lives) == 2
    stage.take_out(lives)
    assert module.step.__code__ == code


def test_a_pending_probe_expires_too(stage):
    probe = stage.put("never_imported.py", 3, "n", expires_at_s=time.time() - 1)
    assert stage.status(probe).state == "pending"
    stage.probe_set.tick()
    assert stage.status(probe).state == "expired"
    assert_nothing_is_left()


def test_a_probe_over_its_budget_is_throttled_and_let_go_again(programs, stage):
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "[n, m]", budget_percent=0.001)

    def is_throttled():
        module.run(200)
        stage.probe_set.tick()
        return stage.status(probe).why.startswith("throttled")

    def is_free():
        stage.probe_set.tick()
        return not stage.status(probe).why.startswith("throttled")

    wait_until(is_throttled)
    recorded = stage.status(probe).recorded
    module.run(50)
    status = stage.status(probe)
    assert status.recorded == recorded
    assert status.skipped["budget"] >= 50
    # The window is a second; nothing else may free it.
    wait_until(is_free)
    module.run(1)
    assert stage.status(probe).recorded == recorded + 1


def test_a_probe_that_stays_over_its_budget_is_tripped(programs, stage):
    module = programs.load(LOOP)
    code = module.step.__code__
    probe = stage.put(module, "# here", "n", budget_percent=1)
    armed = stage.probe_set._probes[probe]
    armed._throttled_windows = 61
    stage.probe_set.tick()
    status = stage.status(probe)
    assert status.state == "tripped"
    assert "budget" in status.why
    assert module.step.__code__ == code


def test_a_fault_of_ours_trips_the_probe_and_not_the_program(programs, stage):
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "[n]")
    recorder = stage.probe_set._probes[probe].recorder
    for _ in range(1001):
        recorder.skipped["fault"].add()
    stage.probe_set.tick()
    assert stage.status(probe).state == "tripped"


# -- What can't be armed says why, and harms no other probe.


def test_bad_probes_fail_alone(programs, stage):
    module = programs.load(LOOP)
    syntax = stage.add(module, "# here", "n +")
    unsafe = stage.add(module, "# here", "open('x')")
    secret = stage.add(module, "# here", "password")
    line = stage.add(module, 500, "n")
    text = stage.add(module, "no such text", "n")
    name = stage.add(module, ":nothing", "n")
    good = stage.add(module, "# here", "n")
    stage.apply()
    slugs = {p: stage.status(p).error[0] for p in (syntax, unsafe, secret, line, text, name)}
    assert slugs == {
        syntax: "expression-syntax",
        unsafe: "expression-unsafe",
        secret: "expression-secret",
        line: "location-no-code",
        text: "location-no-text",
        name: "location-no-function",
    }
    module.run(1)
    assert stage.values(good) == [0]


def test_secrets_are_redacted_when_they_are_seen(programs):
    stage = Stage(redaction=Redaction(["plan"]))
    module = programs.load("""
        def f(user, plan):
            a = 1  # here
            return a
    """)
    try:
        probe = stage.put(module, "# here", "user", snapshot=True)
        trusted = stage.put(module, "# here", "user['password']", "plan", safety="trusted")
        module.f({"name": "eve", "password": "s3cret-text"}, "s3cret-text")
        assert "s3cret-text" not in repr(stage.rows(probe))
        assert "s3cret-text" not in repr(stage.rows(trusted))
        assert "eve" in repr(stage.rows(probe))
    finally:
        stage.close()


# -- Modes: what is skipped is counted.


def test_every_hit_is_recorded_or_counted_as_skipped(programs, stage):
    module = programs.load(LOOP)
    probes = {
        "stream": stage.add(module, "# here", "n"),
        "sample": stage.add(module, "# here", "n", mode="sample", rate=10),
        "sample_interval": stage.add(module, "# here", "n", mode="sample_interval", rate=1000),
        "first": stage.add(module, "# here", "n", mode="first"),
        "throttle": stage.add(module, "# here", "n", mode="throttle", rate=7),
        "condition": stage.add(module, "# here", "n", condition="n < 10"),
        "error": stage.add(module, "# here", "n", condition="n.nothing"),
    }
    stage.apply()
    for _ in range(4):
        module.run(25)
        gc.collect(0)
    found = {mode: stage.status(probe) for mode, probe in probes.items()}
    assert {mode: status.hits for mode, status in found.items()} == dict.fromkeys(probes, 100)
    assert found["stream"].recorded == 100
    assert found["sample"].skipped == {"sample": 90}
    assert found["sample_interval"].skipped == {"sample_interval": 99}
    assert found["first"].skipped == {"first": 99}
    assert found["throttle"].recorded in range(7, 15)
    assert found["condition"].skipped == {"condition": 60}
    assert found["error"].skipped == {"condition-error": 100}
    assert stage.values(probes["sample"])[:3] == [0, 10, 20]


def test_what_the_ring_drops_is_counted_exactly(programs, stage):
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "n")
    module.run(100)
    stage.rows(probe)
    over = 1000
    capacity = stage.probe_set._probes[probe].recorder.ring.rows.maxlen
    module.run(capacity + over)
    assert stage.status(probe).lost == over
    (first, *_rest) = stage.probe_set.drain()
    assert first.first_number == 100 + over


# -- Fork.


def test_a_forked_child_keeps_its_probes_and_counts_for_itself(programs, stage):
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "n")
    module.run(10)
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        stage.probe_set.start_over_in_child()
        module.run(3)
        stage.probe_set.tick()
        module.run(2)
        status = stage.status(probe)
        rows = [row[1] for batch in stage.probe_set.drain() for row in batch.rows]
        stage.close()
        left = module.step.__code__.co_name
        os.write(write, repr((status.hits, status.recorded, rows, left)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert answer.read() == repr((5, 5, [0, 1, 2, 0, 1], "step"))
    os.waitpid(pid, 0)
    assert stage.hits(probe) == 10
    assert stage.values(probe) == list(range(10))


def test_a_fork_inside_of_a_hit_does_not_deafen_the_child(programs, stage):
    module = programs.load("""
        import os

        class Thing:
            @property
            def pid(self):
                return os.fork()

        def f(thing):
            a = 1  # here
            return a
    """)
    probe = stage.put(module, "# here", "thing.pid", safety="trusted", allow_calls=True)
    me = os.getpid()
    module.f(module.Thing())
    if os.getpid() != me:
        stage.probe_set.start_over_in_child()
        module.Thing.pid = 1
        module.f(module.Thing())
        os._exit(0 if stage.hits(probe) == 1 else 1)
    ((pid,),) = stage.rows(probe)
    assert os.waitpid(pid, 0)[1] == 0


# -- Two of them, and the end.


def test_two_probe_sets_work_on_one_function(programs):
    """As tests do; a program has one. Each takes out its own and nothing of the other's."""
    module = programs.load(LOOP)
    one, other = Stage(), Stage()
    try:
        first = one.put(programs_name(module), "# here", "n")
        module.run(2)
        assert one.hits(first) == 2
        one.close()
        second = other.put(programs_name(module), "# here", "n")
        module.run(2)
        assert other.hits(second) == 2
    finally:
        one.close()
        other.close()
    assert_nothing_is_left()


def programs_name(module):
    return str(module.__file__)


def test_close_is_the_end_of_everything(programs):
    module = programs.load(LOOP)
    code, threads = module.step.__code__, threading.active_count()
    tracer = sys.gettrace()
    stage = Stage()
    stage.add(module, "# here", "n")
    stage.add("never_imported.py", 3, "n")
    stage.apply()
    assert module.step.__code__ is not code
    module.run(5)
    stage.probe_set.tick()
    stage.close()
    assert_nothing_is_left()
    assert module.step.__code__ == code
    assert module.step.__code__ is code or sys.version_info[:2] == (3, 12)
    assert threading.active_count() == threads
    assert sys.gettrace() is tracer
    assert stage.probe_set.is_idle
    stage.close()


def test_closing_and_opening_a_hundred_times_leaves_no_objects(programs):
    module = programs.load(LOOP)

    def once():
        stage = Stage()
        stage.put(module, "# here", "n")
        module.run(5)
        stage.probe_set.tick()
        module.run(1)
        stage.close()

    for _ in range(3):
        once()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(30):
        once()
    gc.collect()
    assert len(gc.get_objects()) - before < 30
    assert held_tool_ids() == []


@pytest.mark.skipif(not HAS_MONITORING, reason="3.11 has no sys.monitoring")
def test_when_others_hold_every_tool_id_injection_works_and_the_rest_says_why(programs, stage):
    module = programs.load("""
        def step(n):
            m = n  # here
            return m

        def wait(event):
            event.wait()
            return 1  # waited

        namespace = {}
        exec(compile("def f(a):\\n    return a\\n", "without source", "exec"), namespace)
        no_source = namespace["f"]
    """)
    taken = []
    for tool_id in range(6):
        if sys.monitoring.get_tool(tool_id) is None:
            sys.monitoring.use_tool_id(tool_id, "somebody")
            taken.append(tool_id)
    event = threading.Event()
    thread = threading.Thread(target=module.wait, args=(event,))
    thread.start()
    try:
        injected = stage.put(module, "# here", "n")
        assert module.step(1) == 1
        assert stage.values(injected) == [1]
        assert stage.status(injected).state == "armed"
        no_source = stage.put("without source", 2, "a")
        status = stage.status(no_source)
        assert (status.state, status.error[0]) == ("failed", "monitoring-no-tool-id")
        running = stage.put(module, "# waited", "event")
        status = stage.status(running)
        assert (status.state, status.engine) == ("armed", "injecting")
        assert "monitoring id" in status.why
    finally:
        event.set()
        thread.join()
        for tool_id in taken:
            sys.monitoring.free_tool_id(tool_id)


def test_apply_never_raises(stage):
    stage.probe_set.apply([Probe("p", Location(file="", line=0), ("1",))])
    stage.probe_set.apply([Probe("p", Location(file="x.py", text=""), ("1",))])
    stage.probe_set.apply([Probe("p", Location(module="sys", qualname="exit"), ("1",))])
    stage.probe_set.apply([Probe("p", Location(file="x.py", line=1), ("(" * 500,))])
    assert len(stage.probe_set.statuses()) == 1


def test_no_change_is_under_way_while_the_process_forks(stage):
    """The child would have half of it."""
    probe_set = stage.probe_set
    probe_set.hold_for_fork()
    begun, done = threading.Event(), threading.Event()

    def change():
        begun.set()
        probe_set.apply([])
        done.set()

    thread = threading.Thread(target=change)
    thread.start()
    begun.wait()
    assert not done.wait(0.05)
    probe_set.release_after_fork()
    thread.join()
    assert done.is_set()


def test_no_first_hit_is_loading_what_it_needs_while_the_process_forks(programs, stage):
    """Another thread's import would never end in the child."""
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "n")
    recorder = stage.probe_set._probes[probe].recorder
    assert recorder._taking is None
    stage.probe_set.hold_for_fork()
    assert recorder._taking is not None
    stage.probe_set.release_after_fork()
    module.run(3)
    assert stage.values(probe) == [0, 1, 2]


def test_what_a_probe_has_recorded_is_drained_though_it_is_taken_out(programs, stage):
    module = programs.load(LOOP)
    probe = stage.put(module, "# here", "n")
    module.run(3)
    stage.take_out(probe)
    module.run(3)
    assert stage.values(probe) == [0, 1, 2]
    assert stage.probe_set.drain() == []


def test_what_treetap_does_itself_is_counted_and_not_recorded(stage):
    """Its threads use the library that somebody observes: a nonce of a handshake is nobody's value."""
    probe = stage.put(json.decoder, ":JSONDecoder.decode", "s")
    for _ in range(10):
        with stage.probe_set.unseen():
            json.loads('"ours"')
        json.loads('"theirs"')
        stage.probe_set.tick()
    assert stage.values(probe) == ['"theirs"'] * 10
    assert stage.status(probe).skipped == {"reentry": 10}


def test_what_was_recorded_is_drained_after_everything_is_disarmed(programs, stage):
    module = programs.load(LOOP)
    code = module.step.__code__
    probe = stage.put(module, "# here", "n")
    assert module.step.__code__ is not code
    module.run(3)
    stage.probe_set.disarm()
    assert module.step.__code__ is code
    module.run(3)
    assert stage.values(probe) == [0, 1, 2]
    assert stage.status(probe).recorded == 3


def test_a_probe_that_was_taken_out_stays_out(programs, stage):
    """All functions are searched again some time after a probe was put; not for one that is gone."""
    module = programs.load(LOOP)
    code = module.step.__code__
    stage.take_out(stage.put(module, "# here", "n"))
    ends_s = time.monotonic() + 1.2
    while time.monotonic() < ends_s:
        stage.probe_set.tick()
        assert module.step.__code__ is code
        time.sleep(0.02)


def test_a_module_goes_by_the_name_that_it_is_imported_by(stage):
    stage.probe_set.apply([Probe("p", Location(module="os.path", qualname="join"), ("a",))])
    os.path.join("here", "there")
    (status,) = stage.probe_set.statuses()
    assert status.state == "armed"
    assert status.hits >= 1
