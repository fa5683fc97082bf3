"""The life of a target: processes come, go, and come again."""

from __future__ import annotations

import os
import signal

import pytest

from tests.compat.detrix.conftest import PATIENCE
from tests.conftest import wait_until
from tests.daemon.observing import (
    SOURCE,
    armed,
    hits,
    line_of,
    on_a_port,
    on_loop,
    program,
    register,
    status_of,
)
from tests.running_daemon import running_daemon
from treetap.daemon.target import TargetState

PLACE = f"{SOURCE}:{line_of('# observed')}"


@pytest.fixture
def running(home):
    with running_daemon(home) as found:
        yield found


def add(running, target, **fields):
    fields = {"location": PLACE, "expressions": ["number"], "budget_percent": 0, **fields}
    return running.client.add_probe(target={"tree": target.tree}, **fields)


def values(events):
    return [event["values"]["number"] for event in events]


def connected(target, pid):
    wait_until(lambda: target.state == TargetState.CONNECTED and target.pid == pid)


def awake(running):
    return [node for node in running.client.nodes() if node["state"] == "awake"]


def test_a_dead_process_is_noticed_and_its_next_one_is_the_same_target(running):
    shop = on_a_port()
    target = register(running, shop.port)
    probe = add(running, target)
    armed(running, probe)
    shop.tell(1)
    hits(running, probe, 1)
    shop.kill()
    wait_until(lambda: target.state == TargetState.DISCONNECTED)
    wait_until(lambda: awake(running) == [])
    assert status_of(running, probe) == {}
    # On the same port, without a word: it is found again.
    with program(at=on_a_port(shop.port)) as again:
        connected(target, again.pid)
        armed(running, probe)
        again.tell(2)
        assert values(hits(running, probe, 2)) == [1, 2]
    wait_until(lambda: target.state == TargetState.DISCONNECTED)
    # On another one: it has to say so.
    with program() as moved:
        assert register(running, moved.port) is target
        connected(target, moved.pid)
        armed(running, probe)
        moved.tell(3)
        events = hits(running, probe, 3)
        assert values(events) == [1, 2, 3]
        assert len({event["node"] for event in events}) == 3
        # Events of earlier processes are the target's too.
        keys = [entry.key for entry in running.daemon.roster.all()]
        assert all(running.daemon.targets.of_node(key) is target for key in keys)


@pytest.mark.usefixtures("unhurried_end")
def test_who_is_let_go_runs_on_and_can_be_had_again(running):
    with program() as shop:
        target = register(running, shop.port)
        probe = add(running, target, mode="first")
        armed(running, probe)
        shop.tell(1)
        hits(running, probe, 1)
        all_of_them = add(running, target)
        armed(running, all_of_them)
        shop.tell("200*7")
        on_loop(running, running.daemon.targets.close(target.id))
        assert len(hits(running, all_of_them, 200)) == 200
        running.client.remove_probe(all_of_them["id"])
        assert target.state == TargetState.DISCONNECTED
        wait_until(lambda: awake(running) == [])
        shop.tell(2)
        assert register(running, shop.port) is target
        connected(target, shop.pid)
        # It is the same process: its first hit was the first.
        wait_until(lambda: status_of(running, probe).get("state") == "done")
        shop.tell(3)
        assert values(hits(running, probe, 1)) == [1]
        # As a node that shall sleep.
        running.call(lambda: running.daemon.set_tree(target.tree, awake=False))
        wait_until(lambda: awake(running) == [])
        assert target.state == TargetState.DISCONNECTED
        shop.tell(4)
        assert shop.end() == 0


@pytest.mark.usefixtures("unhurried_end")
def test_a_daemons_end_harms_no_program_and_the_next_daemon_has_it_again(home):
    with program() as shop:
        with running_daemon(home) as running:
            target = register(running, shop.port)
            connected(target, shop.pid)
            add(running, target)
        shop.tell(1)
        with running_daemon(home) as running:
            (again,) = running.daemon.targets.all()
            assert (again.id, again.tree, again.created_us) == (
                target.id,
                target.tree,
                target.created_us,
            )
            connected(again, shop.pid)
            (probe,) = running.client.probes()
            armed(running, probe)
            shop.tell(2)
            assert values(hits(running, probe, 1)) == [2]
        assert shop.end() == 0


@pytest.mark.usefixtures("unhurried_end")
def test_what_a_probe_had_of_a_process_counts_with_the_next_daemon_too(home):
    with program() as shop:
        with running_daemon(home) as running:
            target = register(running, shop.port)
            probe = add(running, target, max_hits=2)
            armed(running, probe)
            shop.tell(1)
            assert values(hits(running, probe, 1)) == [1]
        with running_daemon(home) as running:
            (again,) = running.daemon.targets.all()
            connected(again, shop.pid)
            armed(running, probe)
            shop.tell(2)
            wait_until(lambda: status_of(running, probe).get("state") == "done")
            shop.tell(3)
            assert values(hits(running, probe, 2)) == [1, 2]
        assert shop.end() == 0


def test_a_child_is_a_node_of_its_own_in_its_parents_tree(running):
    with program() as shop:
        target = register(running, shop.port)
        probe = add(running, target)
        armed(running, probe)
        code, pid = shop.tell("child")[0].split()
        assert code == "0"
        (event,) = hits(running, probe, 1)
        assert (event["pid"], event["values"]["number"]) == (int(pid), 5)
        (child,) = [t for t in running.daemon.targets.all() if t.is_child]
        assert (child.pid, child.parent, child.tree) == (int(pid), target.id, target.tree)
        assert child.probe_target.pid == int(pid)
        wait_until(lambda: child.state == TargetState.DISCONNECTED)
        nodes = {node["pid"]: node for node in running.client.nodes()}
        assert nodes[int(pid)]["parent"] == nodes[shop.pid]["id"]
        assert target.state == TargetState.CONNECTED
        shop.tell(6)
        assert values(hits(running, probe, 2)) == [5, 6]


@pytest.mark.usefixtures("unhurried_end")
def test_a_node_with_a_link_of_its_own_is_one_node_whose_probes_hit_once(running, home):
    environment = {
        **os.environ,
        **PATIENCE,
        "TREETAP_HOME": str(home),
        "TREETAP_DAEMON_URL": running.url,
    }
    with program(env=environment) as shop:
        shop.tell("wake")
        target = register(running, shop.port)
        wait_until(lambda: target.is_linked)
        assert target.state == TargetState.CONNECTED
        (node,) = awake(running)
        assert target.node_id == node["id"]
        probe = add(running, target)
        assert armed(running, probe)["engine"] != "logpoint of debugpy"
        shop.tell(1)
        assert values(hits(running, probe, 1)) == [1]
        # Without its link it is observed through the adapter; with it, by itself again.
        shop.tell("sleep")
        wait_until(lambda: not target.is_linked and target.state == TargetState.CONNECTED)
        assert armed(running, probe)["engine"] == "logpoint of debugpy"
        shop.tell(2)
        hits(running, probe, 2)
        shop.tell("wake")
        wait_until(lambda: target.is_linked)
        wait_until(lambda: status_of(running, probe).get("engine") == "injecting")
        shop.tell(3)
        assert values(hits(running, probe, 3)) == [1, 2, 3]
        assert len(awake(running)) == 1
    # A program that is started again may be awake before it registers.
    wait_until(lambda: target.state == TargetState.DISCONNECTED)
    with program(env=environment) as again:
        again.tell("wake")
        assert register(running, again.port) is target
        wait_until(lambda: target.is_linked)
        wait_until(lambda: status_of(running, probe).get("pid") == again.pid)


def test_safe_mode_holds_from_the_moment_on_in_which_it_is_said(running):
    with program() as shop:
        target = register(running, shop.port)
        probe = add(running, target, snapshot=True)
        armed(running, probe)
        shop.tell(1)
        hits(running, probe, 1)
        assert register(running, shop.port, safe_mode=True) is target
        wait_until(lambda: status_of(running, probe).get("state") == "failed")
        assert status_of(running, probe)["error"][0] == "target-safe-mode"
        shop.tell(2)
        assert register(running, shop.port, safe_mode=False) is target
        armed(running, probe)
        shop.tell(3)
        hits(running, probe, 2)


def test_safe_mode_holds_for_the_children_that_are_there_too(running):
    with program() as shop:
        target = register(running, shop.port)
        probe = add(running, target, snapshot=True)
        armed(running, probe)
        pid = int(shop.tell("worker")[0])

        def states() -> dict[int, str]:
            nodes = running.client.probe(probe["id"])["nodes"]
            return {node["pid"]: node["state"] for node in nodes}

        wait_until(lambda: states() == {shop.pid: "armed", pid: "armed"})
        for is_safe, state in ((True, "failed"), (False, "armed")):
            register(running, shop.port, safe_mode=is_safe)
            expected = {shop.pid: state, pid: state}
            wait_until(lambda expected=expected: states() == expected)


def test_in_safe_mode_a_snapshot_is_refused_and_values_are_taken(running):
    with program() as shop:
        target = register(running, shop.port, safe_mode=True)
        refused = add(running, target, snapshot=True)
        taken = add(running, target)
        armed(running, taken)
        wait_until(lambda: status_of(running, refused).get("state") == "failed")
        assert status_of(running, refused)["error"][0] == "target-safe-mode"
        shop.tell(1)
        hits(running, taken, 1)
        # A process that stands still is not dead, and is no reason to wait.
        os.kill(shop.pid, signal.SIGSTOP)
        try:
            on_loop(running, running.daemon.targets.close(target.id))
        finally:
            os.kill(shop.pid, signal.SIGCONT)
        shop.tell(2)
