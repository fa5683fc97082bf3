"""What a probe that can't be armed says, through the command."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import wait_until
from tests.scenario.conftest import Machine

PROGRAM = """
import first.shop
import second.shop
import time

print("running")
while True:
    time.sleep(0.05)
"""
SHOP = """
def add(price, total):
    total += price
    # nothing here
    return total
"""


@pytest.fixture(scope="module")
def running(shared_machine: Machine) -> Machine:
    machine = shared_machine
    for package in ("first", "second"):
        machine.program(f"{package}/__init__.py", "")
        machine.program(f"{package}/shop.py", SHOP)
    program = machine.program("main.py", PROGRAM)
    process = machine.start("run", "--", sys.executable, str(program))
    assert process.stdout.readline() == "running\n"
    machine.wait_for_node(process.pid)
    return machine


def test_a_line_without_code_is_an_error_with_the_nearest_lines(running: Machine):
    done = running.treetap("probe", "add", "first/shop.py:3", "price")
    assert done.returncode == 1
    assert "[location-no-code]" in done.stdout
    assert "total += price" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "[probe-hopeless]" in done.stderr
    assert "first/shop.py:3" not in running.done("probe", "list")


def test_why_it_failed_in_a_program_that_has_ended_at_once_is_told(machine: Machine):
    program = machine.program("short.py", "x = 1\n\n# nothing here\ny = 2\n")
    machine.done("run", "--probe", "short.py:3", "x", "--", sys.executable, str(program))
    probe = wait_until(lambda: (p := machine.probe("p1"))["last_node"] and p, 20)
    assert (probe["nodes"], probe["last_node"]["state"]) == ([], "failed")
    assert "failed, gone" in machine.done("probe", "list")
    shown = machine.done("probe", "show", "p1")
    assert "in no node at present; in the last one:\n" in shown
    assert "[location-no-code]" in shown


def test_a_function_of_the_script_is_armed_before_its_first_call(machine: Machine):
    program = machine.program("main.py", "def f(a):\n    return a\nfor i in range(3):\n    f(i)\n")
    machine.done("run", "--probe", "__main__:f", "a", "--", sys.executable, str(program))
    assert wait_until(lambda: len(machine.events()) == 3, 20)
    assert [event["values"] for event in machine.events()] == [{"a": number} for number in range(3)]


def test_an_ambiguous_file_is_an_error_with_the_candidates(running: Machine):
    done = running.treetap("probe", "add", "shop.py:2", "price")
    assert done.returncode == 1
    assert "first/shop.py" in done.stdout
    assert "second/shop.py" in done.stdout


def test_a_module_that_is_not_imported_is_pending_and_no_failure(running: Machine):
    done = running.treetap("probe", "add", "not_yet.imported:function", "x")
    assert done.returncode == 0
    assert "pending" in done.stdout


def test_what_is_no_location_is_a_usage_error(running: Machine):
    done = running.treetap("probe", "add", "shop.py", "price")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "[location-syntax]" in done.stderr


@pytest.mark.parametrize(
    ("expression", "slug"),
    [("price +", "expression-syntax"), ("open('x')", "expression-unsafe"), ("self.password", "expression-secret")],
)  # fmt: skip
def test_an_expression_that_is_refused_says_why_in_one_line(
    running: Machine, expression: str, slug: str
):
    done = running.treetap("probe", "add", "first/shop.py:2", expression)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"[{slug}]" in done.stderr


def test_a_probe_for_a_name_that_nobody_has_waits_for_one(running: Machine):
    done = running.treetap("probe", "add", "first/shop.py:2", "price", "--node", "nobody")
    assert done.returncode == 0
    assert "no live node yet" in done.stdout


def test_a_probe_can_be_shown_switched_and_removed(running: Machine):
    added = running.done(
        "probe", "add", "first/shop.py:4", "price", "total", "--name", "sum", "--for", "10m"
    )
    assert "first/shop.py:4 add" in added
    shown = running.done("probe", "show", "sum")
    assert "price, total" in shown
    assert "armed" in shown
    assert running.done("probe", "disable", "sum") == "sum disabled\n"
    assert "disabled" in running.done("probe", "list")
    assert running.done("probe", "enable", "sum") == "sum enabled\n"
    wait_until(lambda: "armed" in running.done("probe", "list"))
    assert running.done("probe", "remove", "sum") == "sum removed\n"
    gone = running.treetap("probe", "show", "sum")
    assert gone.returncode == 4
    assert gone.stderr.count("\n") == 1


def test_a_node_that_nobody_has_can_not_be_woken(running: Machine):
    done = running.treetap("wake", "nobody")
    assert done.returncode == 4
    assert "main.py" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["probe", "add", "first/shop.py:2", "price", "--sample", "0"],
        ["probe", "add", "first/shop.py:2", "price", "--every", "0"],
        ["probe", "add", "first/shop.py:2", "price", "--sample", "2", "--first"],
        ["probe", "add", "first/shop.py:2", "price", "--for", "soon"],
        ["probe", "add", "first/shop.py:2"],
        ["probe", "remove"],
        ["events", "--where", "nonsense"],
        ["events", "--since", "tomorrow"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_is_one_line_and_code_2(running: Machine, arguments):
    running.done("daemon", "start")
    done = running.treetap(*arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("command", [["tail", "--probe"], ["events", "--probe"], ["probe", "show"]])
def test_a_probe_that_is_not_there_is_said_and_waited_for_by_nobody(running: Machine, command):
    running.done("daemon", "start")
    done = running.treetap(*command, "nobodys")
    assert done.returncode in (0, 4) if command[0] == "events" else done.returncode == 4
    assert done.stderr.count("\n") == 1
