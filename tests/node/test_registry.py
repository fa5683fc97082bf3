from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from treetap.model.node import NodeIdentity
from treetap.node import identity, registry


@pytest.fixture
def control():
    """Where somebody listens: a node without a control plane is none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield {"host": "127.0.0.1", "port": listener.getsockname()[1]}


def own(**changes):
    fields = {**identity.own_identity("shop", {}).to_dict(), **changes}
    return NodeIdentity.from_dict(fields)


def names(home):
    return [node.identity.name for node in registry.live_nodes(str(home))]


def files(home):
    return sorted(os.listdir(home / "run" / "nodes"))


def test_a_live_node_is_found_with_its_control_plane(home, control):
    registry.write_node(str(home), own(), control)
    (found,) = registry.live_nodes(str(home))
    assert found.identity == own()
    assert found.control_url == f"http://127.0.0.1:{control['port']}"


def test_an_ipv6_control_plane_has_brackets(home):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        registry.write_node(str(home), own(), {"host": "::1", "port": port})
        assert registry.live_nodes(str(home))[0].control_url == f"http://[::1]:{port}"


def test_a_process_that_became_another_program_is_pruned(home):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    registry.write_node(str(home), own(), {"host": "127.0.0.1", "port": port})
    assert names(home) == []
    assert files(home) == []


def test_no_directory_means_no_nodes(tmp_path):
    assert registry.live_nodes(str(tmp_path / "none")) == []


def test_the_file_and_its_directories_are_for_the_user_alone(home, control):
    path = registry.write_node(str(home), own(), control)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert (home / "run").stat().st_mode & 0o777 == 0o700
    (home / "run").chmod(0o755)
    registry.write_node(str(home), own(), control)
    assert (home / "run").stat().st_mode & 0o777 == 0o700


def test_a_dead_process_is_pruned(home, control):
    dead = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start_ns = identity.process_start_ns(dead.pid)
    registry.write_node(str(home), own(pid=dead.pid, start_ns=start_ns), control)
    dead.communicate(b"\n")
    registry.write_node(str(home), own(), control)
    assert names(home) == ["shop"]
    assert files(home) == [f"{own().id}.json"]


def test_a_recycled_pid_is_not_taken_for_the_old_process(home, control):
    registry.write_node(str(home), own(start_ns=own().start_ns - 10_000_000), control)
    assert names(home) == []
    assert files(home) == []


def test_a_node_from_before_the_boot_is_pruned(home, control):
    registry.write_node(str(home), own(boot_id="another"), control)
    assert names(home) == []
    assert files(home) == []


def test_nodes_of_another_machine_or_container_are_left_alone(home, control):
    path = registry.write_node(str(home), own(host="elsewhere", boot_id="another", pid=1), control)
    other = registry.write_node(str(home), own(start_ns=1), control)
    entry = json.loads(Path(other).read_text())
    entry["pid_namespace"] = "pid:[1]"
    Path(other).write_text(json.dumps(entry))
    assert names(home) == []
    assert os.path.exists(path)
    assert os.path.exists(other)


def test_rubbish_is_passed_over_and_pruned_when_it_is_old(home, control):
    registry.write_node(str(home), own(), control)
    folder = home / "run" / "nodes"
    for name, content in {
        "1-a.json": "{", "2-b.json": "[]", "3-c.json": '{"pid": "x"}', "4-d.json": "[" * 100_000,
        "5-e.json.7.new": "", "6-f.json": '{"pid": 1, "start_ns": 1, "name": "x", "control": {}}',
    }.items():  # fmt: skip
        (folder / name).write_text(content)
    assert names(home) == ["shop"]
    assert len(files(home)) == 7
    for name in files(home):
        os.utime(folder / name, (1, 1))
    assert names(home) == ["shop"]
    assert files(home) == [f"{own().id}.json"]


def test_a_file_is_replaced_as_a_whole(home, control):
    registry.write_node(str(home), own(), control)
    registry.write_node(str(home), own(name="renamed"), control)
    assert names(home) == ["renamed"]


def test_removing_twice_is_fine(home, control):
    path = registry.write_node(str(home), own(), control)
    registry.remove_node(path)
    registry.remove_node(path)
    assert files(home) == []


def test_the_parent_survives_an_exec(home, control):
    registry.write_node(str(home), own(parent="12-ab"), control)
    assert registry.parent_of(str(home), own().id) == "12-ab"
    assert registry.parent_of(str(home), "99-zz") == ""
