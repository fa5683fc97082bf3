"""Forks, in fresh processes: the test's own has threads of others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from tests.conftest import wait_until
from tests.link.fake_daemon import FakeDaemon
from tests.node.fake_probe_set import FakeProbeSet
from treetap.model.location import Location
from treetap.model.node import WAKING
from treetap.model.probe import Probe
from treetap.node.adoption import Adoption
from treetap.wire.message import probe_to_dict

PROBE = Probe(id="p1", location=Location(file="shop.py", line=3), expressions=("x",))

#: What the programs below begin with.
PRELUDE = """
import json, os, sys, time, treetap, warnings
from treetap.node.api import slot
from treetap.node.registry import live_nodes

def threads():
    return len(os.listdir("/proc/self/task"))

def fork(act):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0

def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.002)
"""


@pytest.fixture
def run(home):
    def run(code, *, options=("-W", "error", "-X", "dev"), **environ):
        base = {k: v for k, v in os.environ.items() if k not in ("TREETAP_TREE", "TREETAP_PARENT")}
        done = subprocess.run(
            [sys.executable, *options, "-c", PRELUDE + textwrap.dedent(code)],
            env={**base, **environ}, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert done.stderr == ""
        assert done.returncode == 0
        return done.stdout.strip()

    return run


def test_a_child_is_a_node_of_its_own(run):
    code = """
        treetap.init(name="shop")
        mine = treetap.status()

        def child():
            status = treetap.status()
            assert status["id"] != mine["id"] and status["pid"] == os.getpid()
            assert (status["parent"], status["tree"], status["name"]) == (mine["id"], mine["tree"], "shop")
            assert status["control_port"] != mine["control_port"]
            assert (status["faults"], status["state"]) == ([], "sleeping")
            assert os.environ["TREETAP_PARENT"] == status["id"]
            assert {n.identity.pid for n in live_nodes(os.environ["TREETAP_HOME"])} == {os.getpid(), os.getppid()}

        fork(child)
        assert treetap.status()["id"] == mine["id"] == os.environ["TREETAP_PARENT"]
        assert treetap.status()["control_port"] == mine["control_port"]
        print("done")
        """
    assert run(code) == "done"


def test_a_tree_keeps_its_id_over_generations_even_without_the_environment(run):
    code = """
        treetap.init(follow_children=False)
        tree = treetap.status()["tree"]

        def grandchild():
            assert treetap.status()["tree"] == tree
            print(treetap.status()["parent"] == parent[0])

        def child():
            parent[0] = treetap.status()["id"]
            fork(grandchild)

        parent = [None]
        fork(child)
        """
    assert run(code) == "True"


def test_both_control_planes_answer_after_a_fork(run):
    code = """
        import urllib.request
        treetap.init()

        def ask():
            port = treetap.status()["control_port"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/treetap/status") as answer:
                return json.load(answer)["pid"]

        assert ask() == os.getpid()
        def child():
            assert ask() == os.getpid()
        for _ in range(5):
            fork(child)
            assert ask() == os.getpid()
        print("done")
        """
    assert run(code) == "done"


def test_a_shutdown_in_a_child_returns_and_leaves_the_parent_alone(run):
    code = """
        treetap.init()

        def child():
            begin = time.monotonic()
            treetap.shutdown()
            assert time.monotonic() - begin < 20
            treetap.init(name="again")
            treetap.shutdown()

        fork(child)
        (node,) = live_nodes(os.environ["TREETAP_HOME"])
        assert node.identity.pid == os.getpid()
        until(lambda: threads() == 2)
        print("done")
        """
    assert run(code) == "done"


def test_a_program_without_threads_is_not_warned_of_ours(run):
    """``-W error`` would make it an exception."""
    code = """
        treetap.init()
        filters = list(warnings.filters)
        for _ in range(5):
            fork(lambda: None)
        assert warnings.filters == filters
        assert treetap.status()["faults"] == []
        until(lambda: threads() == 2)
        print("done")
        """
    assert run(code) == "done"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python warns since 3.12")
def test_a_program_with_threads_of_its_own_is_warned_as_ever(run):
    code = """
        import threading
        treetap.init()
        fork(lambda: None)
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fork(lambda: None)
        stop.set()
        thread.join()
        print(len(caught), caught[0].category.__name__)
        """
    assert run(code) == "1 DeprecationWarning"


def test_a_fork_while_another_thread_wakes_leaves_the_child_asleep(run, tmp_path):
    with FakeDaemon(tmp_path, is_link_silent=True) as daemon:
        code = """
            import threading
            treetap.init(daemon_url=sys.argv[1] if len(sys.argv) > 1 else os.environ["URL"], register_timeout=2)
            warnings.simplefilter("ignore")

            def wake():
                try:
                    treetap.wake()
                except treetap.TreetapError:
                    pass

            thread = threading.Thread(target=wake)
            thread.start()
            until(lambda: treetap.status()["state"] == "waking")

            def child():
                assert treetap.status()["state"] == "sleeping"
                assert treetap.sleep() == {"status": "already_sleeping"}
                begin = time.monotonic()
                treetap.shutdown()
                assert time.monotonic() - begin < 20

            fork(child)
            thread.join()
            print("done")
            """
        assert run(code, options=(), URL=daemon.url) == "done"


AWAKE = """
from tests.node.fake_probe_set import FakeProbeSet
from treetap.config import resolve
from treetap.node.core import Node

node = Node(resolve({"name": "shop"}), probe_set_factory=lambda _node: FakeProbeSet())
node.open()
slot.fill(node)
node.wake(os.environ["URL"])
"""


def test_an_awake_parent_has_awake_children_with_a_link_of_their_own(run, tmp_path):
    with FakeDaemon(tmp_path, probes=[probe_to_dict(PROBE)]) as daemon:
        code = f"""
            {textwrap.indent(AWAKE, " " * 12).strip()}
            engine = node.life.probe_set
            engine.hit("p1", 0, os.getpid())

            def child():
                assert node.state == "awake" and engine.children_started == 1
                assert [probe.id for probe in engine.wanted] == ["p1"]
                engine.hit("p1", 1, os.getpid())
                until(lambda: node.status()["link"] == "connected")
                node.shutdown()

            fork(child)
            fork(child)
            node.life.probe_set.hit("p1", 2, os.getpid())
            assert engine.children_started == 0
            until(lambda: node.status()["link"] == "connected")
            node.shutdown()
            print("done")
            """
        assert run(code, URL=daemon.url, PYTHONPATH=os.getcwd()) == "done"
        wait_until(lambda: len(daemon.of_type("bye")) == 3)  # the last of each
        pids = {}
        for node_id, message in daemon.received:
            if isinstance(message, list):
                pids.setdefault(node_id, []).extend((message[2], row[1]) for row in message[3])
        assert len(pids) == 3
        for node_id, rows in pids.items():
            assert {pid for _number, pid in rows} == {int(node_id.partition("-")[0])}
            assert rows[0][0] == 0


def test_a_child_that_multiprocessing_forks_ships_its_last_rows(run, tmp_path):
    with FakeDaemon(tmp_path, probes=[probe_to_dict(PROBE)]) as daemon:
        code = f"""
            import multiprocessing
            {textwrap.indent(AWAKE, " " * 12).strip()}

            def work():
                node.life.probe_set.hit("p1", 7, os.getpid())

            context = multiprocessing.get_context("fork")
            children = [context.Process(target=work) for _ in range(4)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
            print(json.dumps([child.pid for child in children]))
            """
        pids = json.loads(run(code, URL=daemon.url, PYTHONPATH=os.getcwd()))
        wait_until(lambda: len(daemon.rows()) >= len(pids))
        assert sorted(row[1] for row in daemon.rows()) == sorted(pids)


def test_the_last_rows_of_a_program_are_shipped_as_it_ends(run, tmp_path):
    with FakeDaemon(tmp_path, probes=[probe_to_dict(PROBE)]) as daemon:
        code = f"""
            import atexit
            {textwrap.indent(AWAKE, " " * 12).strip()}
            node.life.probe_set.hit("p1", 1, "main")
            atexit.register(node.life.probe_set.hit, "p1", 2, "exit")
            """
        run(code, URL=daemon.url, PYTHONPATH=os.getcwd())
        wait_until(lambda: daemon.of_type("bye"))
        assert daemon.rows() == [[1, "main"], [2, "exit"]]
        assert daemon.of_type("bye") == [{"type": "bye", "reason": "exit"}]


def test_a_program_that_ends_leaves_the_registry(run, home):
    run("treetap.init()")
    assert os.listdir(home / "run" / "nodes") == []


def test_a_daemon_that_reads_nothing_delays_the_end_for_a_bounded_time(run, tmp_path):
    with FakeDaemon(tmp_path, probes=[probe_to_dict(PROBE)]) as daemon:
        code = f"""
            {textwrap.indent(AWAKE, " " * 12).strip()}
            import atexit, socket
            from treetap.link.connection import LinkConnection
            ours, theirs = socket.socketpair()
            shipper = node.life.awake._shipper
            until(lambda: shipper.statuses)
            shipper.pause()
            shipper._connection, keep = LinkConnection(ours), shipper._connection
            shipper.resume()
            for number in range(200_000):
                node.life.probe_set.hit("p1", number, "text")
            begin = time.monotonic()
            atexit.unregister(print)
            import treetap.node.ending as ending
            ending._callbacks.run()
            print(time.monotonic() - begin < 20 + ending.FINISH_TIMEOUT_S)
            keep.close(); theirs.close()
            """
        assert run(code, options=(), URL=daemon.url, PYTHONPATH=os.getcwd()) == "True"


def test_a_child_of_a_warm_node_can_wake(run, tmp_path):
    code = """
        import threading
        treetap.init(name="a", start_state="warm", daemon_url=os.environ["URL"])

        def wake():
            treetap.wake()
            # Its lock was taken for the fork, by the thread that is this one here.
            until(lambda: treetap.status()["probes"])
            free = []
            asking = threading.Thread(
                target=lambda: free.append(slot.node.life.probe_set.statuses()), daemon=True
            )
            asking.start()
            asking.join(5)
            print(len(free))

        fork(wake)
    """
    with FakeDaemon(tmp_path) as daemon:
        daemon.probes = [probe_to_dict(PROBE)]
        assert run(code, URL=daemon.url) == "1"


def test_a_child_whose_parent_was_waking_has_nothing_armed(make_node):
    engine = FakeProbeSet()
    node = make_node(factory=lambda _node: engine, start_state="warm")
    node.life.state = WAKING
    node.life.start_over_in_child()
    assert (node.state, node.life.probe_set, engine.is_closed) == ("sleeping", None, True)


IMPORTING = """
import importlib, threading
from treetap.node import thread

def import_slowly():
    import slow

treetap.init()
thread.start(import_slowly)
until(lambda: os.path.exists(os.environ["BEGUN"]))
thread.count = lambda: 99  # the fork finds itself unable to wait, as where another thread is in its way
"""


def test_what_a_thread_of_ours_was_importing_can_be_imported_in_the_child(run, tmp_path):
    begun, goes_on = tmp_path / "begun", tmp_path / "goes_on"
    (tmp_path / "slow.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        f"while not os.path.exists({str(goes_on)!r}):\n"
        "    time.sleep(0.001)\n"
        "word = 'whole'\n"
    )
    code = f"""
        {textwrap.indent(IMPORTING, " " * 8).strip()}

        def child():
            open(os.environ["GOES_ON"], "w").close()
            import slow
            assert slow.word == "whole"

        fork(child)
        import slow  # which its own thread goes on with
        print(slow.word)
        """
    environ = {"PYTHONPATH": str(tmp_path), "BEGUN": str(begun), "GOES_ON": str(goes_on)}
    assert run(code, options=("-W", "ignore"), **environ) == "whole"


@pytest.mark.parametrize("is_armed", [True, False])
def test_an_adoption_that_a_fork_would_not_wait_for_is_ended_by_the_child(make_node, is_armed):
    engines = []

    def factory(_node):
        engines.append(FakeProbeSet())
        return engines[-1]

    node = make_node(factory=factory)
    life = node.life
    life._turn.acquire()
    life.state = WAKING
    life._adopted = [probe_to_dict(PROBE)], None
    life._adoption = Adoption(life, life._adopted[0])
    if is_armed:
        life.arm_adopted()
        life._adoption.is_armed = True
    life.start_over_in_child()
    wait_until(lambda: node.state == "awake")
    assert [probe.id for probe in node.life.probe_set.wanted] == ["p1"]
    assert len(engines) == 1
    assert engines[0].children_started == int(is_armed)
