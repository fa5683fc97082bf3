"""Processes that are observed through their debug adapter: real ones, with a real debugpy."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from tests.conftest import wait_until
from tests.daemon.observing import (
    SOURCE,
    armed,
    hits,
    line_of,
    on_loop,
    program,
    register,
    status_of,
)
from tests.running_daemon import running_daemon
from treetap.daemon.target import TargetState
from treetap.errors import TargetError
from treetap.node.identity import own_identity, process_start_ns

OBSERVED = line_of("# observed")
PLACE = f"{SOURCE}:{OBSERVED}"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    home = tmp_path_factory.mktemp("targets") / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture(scope="module")
def running(place):
    with running_daemon(place) as found:
        yield found


@pytest.fixture(scope="module")
def shop():
    """A program, and a module beside it that it may import later."""
    with program() as started:
        yield started


@pytest.fixture(scope="module")
def target(running, shop):
    found = register(running, shop.port, workspace_root=str(SOURCE.parent))
    wait_until(lambda: found.state == TargetState.CONNECTED)
    return found


@pytest.fixture
def add(running, target):
    """Adds a probe for the target; it is gone after the test."""
    added = []

    def of(location=PLACE, expressions=("number",), **fields):
        fields = {"target": {"tree": target.tree}, "budget_percent": 0, **fields}
        probe = running.client.add_probe(location=location, expressions=list(expressions), **fields)
        added.append(probe)
        return probe

    yield of
    for probe in added:
        with contextlib.suppress(Exception):
            running.client.remove_probe(probe["id"])


def values(events):
    return [list(event["values"].values()) for event in events]


# -- registering ------------------------------------------------------------------------------


def test_a_registered_process_is_a_node_like_any_other(running, shop, target):
    (node,) = [n for n in running.client.nodes() if n["pid"] == shop.pid]
    assert node["state"] == "awake"
    assert node["name"] == "shop"
    assert node["id"] == f"{shop.pid}-{process_start_ns(shop.pid):x}"
    assert node["boot_id"] == own_identity().boot_id
    assert node["tree"] == target.tree
    assert "observed.py" in node["program"]
    assert running.daemon.targets.of_node(target.node_key) is target
    assert (target.pid, target.node_id) == (shop.pid, node["id"])
    assert target.created_us <= target.connected_us <= time.time_ns() // 1000


def test_to_register_the_same_process_again_changes_nothing(running, shop, target):
    before = target.connected_us
    for host in ("127.0.0.1", "localhost"):
        again = register(running, shop.port, host=host, workspace_root=str(SOURCE.parent))
        assert again is target
    assert target.connected_us == before


def test_two_workers_of_one_name_are_two(running, shop, target, add):
    with program() as other:
        where = {"host": "localhost", "workspace_root": str(SOURCE.parent)}
        second = register(running, other.port, **where)
        assert second is not target
        assert second.id != target.id
        assert second.registration.program == target.registration.program
        probe = add(target={"tree": second.tree})
        armed(running, probe)
        shop.tell(1)
        other.tell(2)
        (event,) = hits(running, probe, 1)
        assert (event["values"]["number"], event["pid"]) == (2, other.pid)
        # Its node's link comes and goes; the other's stays.
        on_loop(running, running.daemon.targets.close(second.id))
        assert (second.state, target.state) == (TargetState.DISCONNECTED, TargetState.CONNECTED)


def test_a_slow_adapter_doesnt_keep_who_registers_waiting(running):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = register(running, silent.getsockname()[1], name="silent")
        # The attempt itself has 20 s.
        assert found.state == TargetState.CONNECTING
        assert found.node_key == 0
        on_loop(running, running.daemon.targets.close(found.id))
    assert found.state == TargetState.DISCONNECTED


def test_a_refused_target_is_known_with_the_reason_and_forgotten_by_a_cleanup(running, target):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = register(running, port, name="absent")
    wait_until(lambda: found.state == TargetState.FAILED)
    assert found.error.slug == "dap-unreachable"
    assert found in running.daemon.targets.all()
    assert on_loop(running, running.daemon.targets.cleanup()) >= 1
    assert running.daemon.targets.all() == [target]
    with pytest.raises(TargetError) as caught:
        running.daemon.targets.get(found.id)
    assert caught.value.slug == "target-unknown"


def test_what_is_no_adapter_is_not_asked_again(running, target):
    found = register(running, int(running.url.rpartition(":")[2]), name="web")
    wait_until(lambda: found.state == TargetState.FAILED and not found.is_open)
    assert found.error.slug == "dap-not-an-adapter"
    on_loop(running, running.daemon.targets.cleanup())


def test_what_cant_be_a_target_is_refused(running, target):
    before = running.daemon.targets.all()
    with pytest.raises(TargetError, match="cobol"):
        register(running, 5678, language="cobol")
    assert running.daemon.targets.all() == before


# -- probes -----------------------------------------------------------------------------------


def test_a_probes_hits_become_events_with_their_values(running, shop, target, add):
    probe = add(expressions=["number", "label", "parts", "order", "order.number + 1"], name="o1")
    status = armed(running, probe)
    assert status["engine"] == "logpoint of debugpy"
    assert status["sites"] == [PLACE]
    shop.tell(7)
    (event,) = hits(running, probe, 1)
    assert event["pid"] == shop.pid
    assert event["node"] == target.node_id
    assert abs(event["time_ns"] - time.time_ns()) < 120e9
    number, label, parts, order, more = event["values"].values()
    assert (number, label, more) == (7, "order 7", 8)
    assert parts == {"$": "dict", "items": [["n", 7], ["odd", True]], "len": 2}
    assert order["$"] == "object"
    assert "xxxxxxx" not in str(order)
    assert wait_until(lambda: status_of(running, probe)["hits"] == 1)
    assert target.last_active_us >= event["time_ns"] // 1000


def test_a_probe_may_name_a_tail_of_the_path_or_a_text_or_a_function(running, shop, add):
    tail = add(f"daemon/observed.py:{OBSERVED}")
    text = add('observed.py:"return doubled"', ["doubled"])
    function = add("__main__:other", ["number"])
    assert armed(running, tail)["sites"] == [PLACE]
    assert armed(running, text)["sites"] == [f"{SOURCE}:{line_of('# moved')}"]
    assert armed(running, function)["sites"] == [f"{SOURCE}:{line_of('doubled = ')}"]
    shop.tell(4)
    assert values(hits(running, tail, 1)) == [[4]]
    assert values(hits(running, text, 1)) == [[8]]
    assert values(hits(running, function, 1)) == [[4]]


def test_modes_conditions_and_limits_hold_in_a_target_too(running, shop, add):
    sample = add(mode="sample", rate=3)
    first = add(mode="first")
    limited = add(max_hits=2)
    conditional = add(condition="number == 9")
    throttled = add(mode="throttle", rate=0.001)
    interval = add(mode="sample_interval", rate=1000)
    probes = [sample, first, limited, conditional, throttled, interval]
    for probe in probes:
        armed(running, probe)
    shop.tell("6*8")
    shop.tell(9)
    hits(running, conditional, 1)
    expected = [3, 1, 2, 1, 1, 1]
    for probe, count in zip(probes, expected, strict=True):
        wait_until(lambda: running.client.probe(probe["id"])["recorded"] == count)
    for probe, count in zip(probes, expected, strict=True):
        assert len(hits(running, probe, count)) == count
    wait_until(lambda: status_of(running, conditional)["skipped"] == {"condition": 6})
    assert status_of(running, conditional)["hits"] == 7
    # What is done is taken out: its line costs nothing any more.
    wait_until(lambda: status_of(running, first)["state"] == "done")
    wait_until(lambda: status_of(running, limited)["state"] == "done")


def test_a_probe_that_is_disabled_changed_or_out_of_time_is_so_in_the_target(running, shop, add):
    probe = add()
    armed(running, probe)
    shop.tell(1)
    hits(running, probe, 1)
    running.client.disable_probe(probe["id"])
    wait_until(lambda: status_of(running, probe) == {})
    shop.tell(2)
    running.client.change_probe(probe["id"], condition="number != 3")
    running.client.enable_probe(probe["id"])
    armed(running, probe)
    shop.tell(3)
    shop.tell(4)
    assert values(hits(running, probe, 2)) == [[1], [4]]
    running.client.change_probe(probe["id"], ttl_s=0.1)
    wait_until(lambda: status_of(running, probe) == {})
    shop.tell(5)
    assert values(hits(running, probe, 2)) == [[1], [4]]


def test_what_was_taken_before_a_probe_went_is_kept(running, shop, add):
    probe = add()
    armed(running, probe)
    shop.tell("300*5")
    running.client.disable_probe(probe["id"])
    wait_until(lambda: status_of(running, probe) == {})
    assert len(hits(running, probe, 300)) == 300
    assert running.client.probe(probe["id"])["lost"] == 0


def test_an_expression_that_fails_is_a_value_and_a_condition_that_fails_is_told(running, shop, add):
    probe = add(expressions=["number", "absent"])
    broken = add(condition="number.absent > 1")
    armed(running, probe)
    armed(running, broken)
    shop.tell(1)
    (event,) = hits(running, probe, 1)
    assert event["values"]["number"] == 1
    assert event["values"]["absent"]["$"] in ("error", "not-captured")
    wait_until(lambda: status_of(running, broken)["skipped"] == {"condition-error": 1})
    assert "AttributeError" in status_of(running, broken)["why"]


def test_a_snapshot_has_locals_and_stack_but_no_secrets(running, shop, add):
    probe = add(expressions=["number"], snapshot=True)
    armed(running, probe)
    shop.tell(6)
    (event,) = hits(running, probe, 1)
    taken = event["values"]["snapshot"]
    names = dict(map(tuple, taken["locals"]))
    assert (names["number"], names["label"]) == (6, "order 6")
    assert [function for function, _, _ in taken["stack"]][:2] == ["work", "main"]
    assert "xxxxxx" not in str(taken)


def test_a_line_that_isnt_loaded_waits_until_it_is(running, target, add, tmp_path):
    (tmp_path / "late.py").write_text("def later(x):\n    y = x + 1\n    return y\n")
    with program(str(tmp_path)) as shop:
        found = register(running, shop.port, name="late")
        probe = add("late.py:3", ["y"], target={"tree": found.tree})
        named = add("late:later", ["x"], target={"tree": found.tree})
        wait_until(lambda: "late" in status_of(running, probe).get("why", ""))
        assert status_of(running, probe)["state"] == "pending"
        shop.tell("import")
        assert armed(running, probe)["sites"] == [f"{tmp_path / 'late.py'}:3"]
        assert armed(running, named)["sites"] == [f"{tmp_path / 'late.py'}:2"]


def test_a_place_that_isnt_one_fails_with_its_error(running, add):
    nowhere = add('observed.py:"no such text"')
    double = add('observed.py:"print("')
    wait_until(lambda: status_of(running, nowhere).get("state") == "failed")
    wait_until(lambda: status_of(running, double).get("state") == "failed")
    assert status_of(running, nowhere)["error"][0] == "location-no-text"
    assert status_of(running, double)["error"][0] == "location-ambiguous"


def test_a_line_without_code_is_told_where_it_went(running, add):
    blank = line_of("def other") - 1
    probe = add(f"{SOURCE}:{blank}", ["1"])
    status = armed(running, probe)
    assert status["sites"] != [f"{SOURCE}:{blank}"]
    assert f"from line {blank}" in status["why"]
