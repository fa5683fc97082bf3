"""An agent observes a program that it has not started."""

from __future__ import annotations

import pytest

from tests.conftest import wait_until
from tests.daemon import observing
from treetap.errors import LocationError
from treetap.mcp.observing_tools import location_of
from treetap.model.location import Location


def test_a_sleeping_program_is_observed_by_one_call_that_brings_its_first_values(stage):
    agent = stage.agent
    agent.get("sleep")
    told = agent.get(
        "observe", file="mill.py", line=6, expressions=["total", "grain"], wait_seconds=30
    )
    assert told["name"] == "mill_py_6"
    (process,) = told["processes"]
    assert (process["pid"], process["state"]) == (stage.pid, "armed")
    first = told["values"][-1]
    assert (first["process"], first["pid"], first["metric"]) == ("mill", stage.pid, "mill_py_6")
    assert first["values"]["grain"] == "rye"
    assert first["values"]["total"] % 2 == 0
    agent.get("remove_metric", name="mill_py_6")


def test_without_a_line_it_is_the_one_where_the_first_variable_has_its_value(stage):
    told = stage.agent.get(
        "observe", file=str(stage.program), expressions=["total + 1"], name="found_line"
    )
    assert told["location"] == f"{stage.program}:6"
    stage.agent.get("remove_metric", name="found_line")


def test_a_variable_that_is_not_there_is_an_error_that_names_its_like(stage):
    error = stage.agent.refused(
        "observe", file=str(stage.program), expressions=["x"], find_variable="totla"
    )
    assert error["code"] == "line-unknown"
    assert "total" in error["hint"]


def test_a_line_without_code_is_refused_with_the_lines_that_have_some_and_nothing_is_added(stage):
    agent = stage.agent
    agent.get("wake")
    error = agent.refused(
        "add_metric", location="mill.py#12", expressions=["1"], name="nowhere", wait_seconds=30
    )
    assert error["code"] == "location-no-code"
    assert "13" in error["hint"]
    assert agent.refused("get_metric", name="nowhere")["code"] == "metric-unknown"


def test_a_condition_a_mode_and_a_limit_hold(stage):
    told = stage.agent.get(
        "add_metric",
        location="@mill.py#6",
        expressions=["number"],
        name="chosen",
        condition="number % 3 == 0",
        mode="sample",
        sample_rate=2,
        max_hits=3,
        wait_seconds=30,
    )
    assert told["values"]
    found = stage.agent.get("query_metrics", name="chosen")["values"]
    assert 1 <= len(found) <= 3
    assert all(value["values"]["number"] % 3 == 0 for value in found)
    stage.agent.get("remove_metric", name="chosen")


def test_a_function_is_observed_at_its_entry(stage):
    told = stage.agent.get(
        "add_metric",
        location="__main__:grind",
        expressions=["number"],
        name="entry",
        wait_seconds=30,
    )
    assert told["values"]
    stage.agent.get("remove_metric", name="entry")


def test_the_stack_and_the_locals_come_as_far_as_they_were_asked_for(stage):
    told = stage.agent.get(
        "add_metric",
        location="mill.py:6",
        expressions=["total"],
        name="deep",
        capture_stack_trace=True,
        stack_trace_head=1,
        wait_seconds=30,
    )
    value = told["values"][0]
    assert len(value["stack"]) == 1
    assert value["stack"][0].startswith("grind ")
    assert "locals" not in value
    stage.agent.get("remove_metric", name="deep")


def test_a_metric_of_one_connection_is_that_ones_and_asked_for_twice_it_is_the_same(stage):
    agent = stage.agent
    agent.get("wake")
    (connection,) = agent.get("list_connections", active_only=True)["connections"]
    asked = {
        "location": f"{stage.program}#6",
        "expressions": ["total"],
        "connection_id": connection["connectionId"],
        "name": "of_one",
    }
    told = agent.get("add_metric", **asked, wait_seconds=30)
    assert told["values"]
    metric = agent.get("get_metric", name="of_one")
    assert metric["connectionId"] == connection["connectionId"]
    assert metric["processes"][0]["state"] == "armed"
    assert agent.get("add_metric", **asked)["metricId"] == told["metricId"]
    agent.get("remove_metric", name="of_one")


def test_what_is_replaced_is_gone(stage):
    agent = stage.agent
    for name in ("first_one", "second_one"):
        agent.get("add_metric", location="mill.py:7", expressions=["note"], name=name, replace=True)
    agent.refused(
        "add_metric", location="mill.py:7", expressions=["1 +"], name="third_one", replace=True
    )
    names = [metric["name"] for metric in agent.get("list_metrics")["metrics"]]
    assert "second_one" in names
    assert not {"first_one", "third_one"} & set(names)
    agent.get("remove_metric", name="second_one")


def test_an_unsafe_expression_is_refused_with_its_reason(agent):
    error = agent.refused("add_metric", location="mill.py:6", expressions=["open('/etc/passwd')"])
    assert error["code"] == "expression-unsafe"


def test_a_metric_for_nobody_says_that_it_waits(agent):
    told = agent.get("add_metric", location="nobody/runs/this.py:1", expressions=["x"], wake=False)
    assert told["name"] == "this_py_1"
    agent.get("remove_metric", name=told["name"])


def test_a_single_expression_is_taken_under_its_old_name(agent):
    told = agent.get("add_metric", location="other.py:1", expression="x", name="single")
    assert told["expressions"] == ["x"]
    agent.get("remove_metric", name="single")


@pytest.mark.parametrize(
    ("text", "line", "location"),
    [
        ("a.py#3", None, Location(file="a.py", line=3)),
        ("@a.py#3", None, Location(file="a.py", line=3)),
        ("./a.py#3", 9, Location(file="a.py", line=9)),
        ("a.py", 9, Location(file="a.py", line=9)),
        ("a.py:3", 9, Location(file="a.py", line=9)),
        ("a.py:3", None, Location(file="a.py", line=3)),
        ('a.py:"x = 1"', None, Location(file="a.py", text="x = 1")),
        ("a.b:C.d", None, Location(module="a.b", qualname="C.d")),
    ],
)
def test_a_location_is_understood_in_every_way_in_which_agents_write_one(text, line, location):
    assert location_of(text, line) == location


@pytest.mark.parametrize(
    ("text", "line"), [("a.py", None), ('a.py:"x"', 3), ("", 3), ("a.py#0", None)]
)
def test_a_location_that_says_no_place_or_two_is_an_error(text, line):
    with pytest.raises(LocationError):
        location_of(text, line)


def test_a_program_without_treetap_is_observed_through_its_debug_adapter(stage):
    agent = stage.agent
    with observing.program() as program:
        made = agent.get("create_connection", port=program.port, name="plain")
        connection = made["connectionId"]
        assert agent.get("get_connection", connection_id=connection)["status"] == 3
        agent.get(
            "add_metric",
            location=str(observing.SOURCE),
            line=observing.line_of("# observed"),
            expressions=["label", "parts"],
            connection_id=connection,
            name="through_debugpy",
        )

        def states():
            processes = agent.get("get_metric", name="through_debugpy")["processes"]
            return [process["state"] for process in processes]

        assert wait_until(lambda: states() == ["armed"])
        program.tell(7)
        (value,) = wait_until(lambda: agent.get("query_metrics", name="through_debugpy")["values"])
        assert value["values"] == {"label": "order 7", "parts": {"n": 7, "odd": True}}
        assert value["pid"] == program.pid
        agent.get("remove_metric", name="through_debugpy")
        assert agent.get("close_connection", connection_id=connection)["status"] == "closed"
        program.tell(8)
