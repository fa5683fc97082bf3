"""``treetap daemon`` and what starts it."""

from __future__ import annotations

import os
import signal
import socket
import sys

from tests.conftest import wait_until
from tests.scenario.conftest import Machine


def test_a_daemon_is_started_once_and_stopped(machine: Machine):
    assert machine.treetap("daemon", "status").returncode == 3
    assert "The daemon runs: pid" in machine.done("daemon", "start")
    pid = machine.daemon_pid()
    assert "runs already" in machine.done("daemon", "start")
    assert machine.daemon_pid() == pid
    assert machine.done("daemon", "stop") == "The daemon has stopped.\n"
    assert (
        not os.path.exists(f"/proc/{pid}/exe") or open(f"/proc/{pid}/stat").read().split()[2] == "Z"
    )
    assert machine.done("daemon", "stop") == "No daemon runs.\n"


def test_a_restart_is_another_process_with_the_same_probes(machine: Machine):
    machine.done("probe", "add", "shop.py:42", "total", "--name", "kept")
    pid = machine.daemon_pid()
    machine.done("daemon", "restart")
    assert machine.daemon_pid() != pid
    assert [probe["name"] for probe in machine.objects("probe", "list", "--json")] == ["kept"]


def test_a_restart_leaves_a_daemon_alone_that_a_bad_setting_would_end(machine: Machine):
    machine.done("daemon", "start")
    pid = machine.daemon_pid()
    (machine.home / "config.toml").write_text("[sotre]\nx = 1\n")
    done = machine.treetap("daemon", "restart")
    assert (done.returncode, "[sotre]" in done.stderr) == (2, True)
    assert machine.daemon_pid() == pid


def test_one_that_does_not_answer_is_told_and_nodes_fall_asleep_without_it(machine: Machine):
    program = machine.program("waits.py", "import time\nprint('runs')\ntime.sleep(600)\n")
    process = machine.start("run", "--awake", "--", sys.executable, str(program))
    assert process.stdout.readline() == "runs\n"
    pid = machine.daemon_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        asked = [machine.start("daemon", "status"), machine.start("sleep")]
        told = [each.communicate(timeout=40) for each in asked]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [each.returncode for each in asked] == [3, 0]
    for _, said in told:
        assert f"(pid {pid}) runs, and doesn't answer." in said
        assert said.count("\n") == 1
    assert told[1][0].endswith(" sleeping\n")
    assert machine.nodes()[process.pid]["state"] == "sleeping"


def test_a_port_that_a_stranger_has_is_an_error_that_names_it(machine: Machine):
    port = int(machine.daemon_url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        done = machine.treetap("daemon", "start")
    assert done.returncode == 3
    assert str(port) in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_daemon_is_no_child_of_a_program_for_which_it_was_started(machine: Machine):
    program = machine.program(
        "main.py",
        """
        import os
        try:
            os.wait()
        except ChildProcessError:
            print("no child")
        """,
    )
    process = machine.start("run", "--awake", "--", sys.executable, str(program))
    assert process.stdout.readline() == "no child\n"
    assert process.wait(20) == 0


def test_the_daemon_holds_no_pipe_of_who_started_it(machine: Machine):
    process = machine.start("probe", "add", "shop.py:42", "total")
    assert process.wait(30) == 0
    # It would never end, if the daemon had it.
    wait_until(lambda: process.stdout.read() is not None)
    assert process.stderr.read() == ""


def test_a_daemon_that_is_started_from_inside_a_tree_is_no_node_of_it(machine: Machine):
    machine.done("run", "--", sys.executable, "-m", "treetap.cli", "daemon", "start")
    assert machine.daemon_pid() not in machine.nodes()
