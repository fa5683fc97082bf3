"""The tools for what is there already: processes, metrics, values, files, the daemon."""

from __future__ import annotations

import time

import pytest

from tests.conftest import wait_until


@pytest.fixture
def metric(stage):
    """A metric that has taken values."""
    stage.agent.get(
        "observe",
        file="mill.py",
        line=7,
        expressions=["total", "note"],
        name="milled",
        group="flour",
        wait_seconds=30,
    )
    yield "milled"
    stage.agent.call("remove_metric", name="milled")


def connection_of(stage):
    """The id of the program's connection, which stays while it sleeps."""
    connections = stage.agent.get("list_connections")["connections"]
    return next(each["connectionId"] for each in connections if each["name"] == "mill")


def state_of(stage):
    (process,) = stage.agent.get("list_processes", process="mill")["processes"]
    return process["state"]


def test_processes_are_seen_asleep_and_awake_and_woken_by_name(stage):
    agent = stage.agent
    slept = agent.get("sleep", process="mill")
    assert [process["state"] for process in slept["processes"]] == ["sleeping"]
    assert state_of(stage) == "sleeping"
    woken = agent.get("wake", process=str(stage.pid))
    assert woken["status"] == "awake"
    assert [process["state"] for process in woken["processes"]] == ["awake"]
    assert state_of(stage) == "awake"
    assert agent.refused("wake", process="nobody")["code"] == "node-unknown"


def test_all_are_put_to_sleep_at_once(stage):
    agent = stage.agent
    agent.get("wake")
    assert agent.get("sleep")["status"] == "sleeping"
    assert wait_until(lambda: state_of(stage) == "sleeping")
    assert wait_until(lambda: not agent.get("list_connections", active_only=True)["connections"])


def test_what_a_process_does_now_is_told_by_thread(stage):
    (process,) = stage.agent.get("dump_stacks", process="mill")["processes"]
    assert process["pid"] == stage.pid
    assert "mill.py" in str(process["dump"])


def test_values_are_chosen_by_metric_by_group_by_value_and_by_time(stage, metric):
    agent = stage.agent
    of_metric = agent.get("query_metrics", name=metric, limit=3)["values"]
    assert 1 <= len(of_metric) <= 3
    value = of_metric[0]
    assert value["values"]["note"] == f"rye {value['values']['total']}"
    assert agent.get("query_metrics", group="flour", limit=2)["values"]
    assert agent.get("query_metrics", limit=1)["values"]
    total = value["values"]["total"]
    (chosen,) = agent.get("query_metrics", name=metric, where=f"total=={total}")["values"]
    assert chosen == value
    assert agent.get("query_metrics", name=metric, since=str(time.time() + 60))["values"] == []
    assert agent.get("query_metrics", name=metric, until="1")["values"] == []
    assert agent.refused("query_metrics", name="nobody")["code"] == "probe-unknown"
    assert agent.refused("query_metrics", group="nobody")["code"] == "group-unknown"
    assert agent.refused("query_metrics", name=metric, where="total ==")["code"] == "where-syntax"


def test_the_values_of_a_metric_that_was_removed_are_kept(stage, metric):
    stage.agent.get("remove_metric", name=metric)
    assert stage.agent.get("query_metrics", name=metric)["values"]


def test_a_metric_is_listed_changed_and_switched(stage, metric):
    agent = stage.agent
    listed = agent.get("list_metrics", group="flour")["metrics"]
    assert [each["name"] for each in listed] == [metric]
    off = agent.get("toggle_metric", name=metric, enabled=False)
    assert off["enabled"] is False
    assert metric not in [
        m["name"] for m in agent.get("list_metrics", enabled_only=True)["metrics"]
    ]
    agent.get("toggle_metric", name=metric, enabled=True)
    changed = agent.get("update_metric", name=metric, expressions=["total * 2"], group="bran")
    assert changed["expressions"] == ["total * 2"]
    assert changed["group"] == "bran"
    assert wait_until(lambda: agent.get("query_metrics", name=metric)["values"])
    by_id = agent.get("get_metric", name=str(changed["metricId"]))
    assert by_id["name"] == metric


def test_groups_are_listed_and_switched(stage, metric):
    agent = stage.agent

    def enabled():
        groups = {group["name"]: group for group in agent.get("list_groups")["groups"]}
        return groups["flour"]["enabledCount"]

    assert enabled() == 1
    assert agent.get("disable_group", group="flour")["affectedMetrics"] == 1
    assert enabled() == 0
    assert agent.get("enable_group", group="flour")["successCount"] == 1
    for name in ("", "a/b"):
        assert agent.refused("enable_group", group=name)["code"] == "arguments"
    assert enabled() == 1


def test_a_probe_of_the_command_line_is_a_metric_and_the_other_way_round(stage, metric):
    client = stage.running.client
    assert client.probe(metric)["group"] == "flour"
    probe = client.add_probe(location="mill.py:6", expressions=["number"], name="by_hand")
    assert stage.agent.get("get_metric", name="by_hand")["probeId"] == probe["id"]
    assert stage.agent.get("remove_metric", name=probe["id"])["name"] == "by_hand"
    assert "by_hand" not in [each["name"] for each in client.probes()]


def test_files_and_expressions_are_looked_at_before(stage):
    agent = stage.agent
    seen = agent.get("inspect_file", file_path=str(stage.program), line=7)
    assert "total" in seen["availableVariables"]
    assert agent.refused("inspect_file", file_path="/no/such.py")["code"] == "source-missing"
    assert agent.get("validate_expression", expression="len(total)")["isSafe"] is True
    assert agent.get("validate_expression", expression="eval('1')")["isSafe"] is False


def test_prints_of_a_diff_become_metrics(stage):
    agent = stage.agent
    agent.get("wake")
    agent.get("sleep")
    diff = (
        "--- a/mill.py\n+++ b/mill.py\n@@ -6,2 +6,3 @@\n"
        '     total = number * 2\n+    print(total)\n     note = f"{grain} {total}"\n'
    )
    dry = agent.get("enable_from_diff", diff=diff, dry_run=True, connection_id=connection_of(stage))
    assert dry["created"] == 0
    made = agent.get("enable_from_diff", diff=diff, group="prints")
    assert (made["created"], made["metrics"][0]["expressions"]) == (1, ["total"])
    (metric,) = agent.get("list_metrics", group="prints")["metrics"]
    assert wait_until(lambda: agent.get("query_metrics", name=metric["name"])["values"])
    agent.get("remove_metric", name=metric["name"])


def test_what_happened_is_told_and_acknowledged(stage, metric):
    agent = stage.agent
    events = agent.get("query_system_events", event_types=["metric_added"], limit=5)["events"]
    event = next(each for each in events if each["metricName"] == metric)
    assert agent.get("acknowledge_events", event_ids=[event["id"]])["acknowledged"] == 1
    still_open = agent.get("query_system_events", unacknowledged_only=True)["events"]
    assert event["id"] not in [each["id"] for each in still_open]


def test_the_daemon_tells_of_itself_and_of_its_agents(stage):
    agent = stage.agent
    status = agent.get("get_status")
    assert status["mcpClients"]
    usage = agent.get("get_mcp_usage")
    assert usage["totalCalls"] >= 1


def test_settings_are_shown_checked_changed_and_read_again(stage):
    agent = stage.agent
    config = agent.get("get_config")["configToml"]
    assert agent.get("validate_config", config_toml=config)["valid"] is True
    wrong = agent.get("validate_config", config_toml="[stream]\nheartbeets_s = 7\n")
    assert wrong["valid"] is False
    assert "heartbeat_s" in wrong["errors"][0]
    changed = agent.get("update_config", config_toml="[stream]\nheartbeat_s = 7.5\n")
    assert "heartbeat_s = 7.5" in changed["configToml"]
    assert agent.get("reload_config")["success"] is True
    assert "heartbeat_s = 7.5" not in agent.get("get_config")["configToml"], "it wasn't written"
    assert agent.refused("update_config", config_toml="[")["code"] == "config-file"


def test_a_connection_to_a_port_where_nobody_is_says_why_it_failed(stage):
    agent = stage.agent
    answer = agent.call("create_connection", port=1, name="nobody")
    assert answer.is_error
    found = agent.get("list_connections")["connections"]
    for each in found:
        if each["name"] == "nobody":
            agent.get("close_connection", connection_id=each["connectionId"])
    assert agent.refused("get_connection", connection_id="nobody")["code"] == "connection-unknown"
