"""Metrics, in a program that treetap is in, and in one that only debugpy is in."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import wait_until
from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.observing import DEBUGPY, LINKED, PROGRAM, get, line_of, observing, post, serving
from tests.running_daemon import identity
from treetap.api.v1.settling import settle

CONFORMANCE = [
    Row(
        "Metrics",
        "`GET /api/v1/metrics`",
        SAME,
        "Newest first, `limit` up to 1000, `offset`, `enabled`, `connectionId`.",
        "test_metrics_come_in_pages_newest_first",
    ),
    Row(
        "Metrics",
        "`POST /api/v1/metrics`",
        BETTER,
        "Answers when the processes have said what became of it; `condition`, `ttlSeconds`, `maxHits` may be "
        "given. What can't be is 400, 404 or 409, not 500, and leaves nothing behind.",
        "test_a_new_metric_has_detrix_s_fields_and_is_a_probe",
    ),
    Row(
        "Metrics",
        "a second metric of one name",
        BETTER,
        "The same one again is 201 with `exists`; another one is 409, where Detrix answers 201 and drops it. "
        "`replace` replaces. Names are unique in a connection.",
        "test_a_name_is_one_metric_of_a_connection",
    ),
    Row(
        "Metrics",
        "two metrics at one line",
        BETTER,
        "Both are served; Detrix drops the second.",
        "test_every_mode_does_what_it_says",
    ),
    Row(
        "Metrics",
        "`mode`: stream, sample, sample_interval, first, throttle",
        BETTER,
        "Detrix stores it and takes every hit.",
        "test_every_mode_does_what_it_says",
    ),
    Row(
        "Metrics",
        "`condition`, `maxHits`",
        BETTER,
        "Detrix stores a condition (over gRPC), and evaluates none.",
        "test_every_mode_does_what_it_says",
    ),
    Row(
        "Metrics",
        "time to live",
        BETTER,
        "`ttlSeconds` ends it; `enable` gives it its time again. Without, a metric stays, as Detrix's do.",
        "test_a_metric_ends_when_its_time_is_over",
    ),
    Row(
        "Metrics",
        "`hitCount`, `lastHitAt`",
        BETTER,
        "Always 0 and null in Detrix.",
        "test_every_mode_does_what_it_says",
    ),
    Row(
        "Metrics", "`GET /api/v1/metrics/{id}`", SAME, test="test_a_metric_that_isn_t_there_is_404"
    ),
    Row(
        "Metrics",
        "`PUT /api/v1/metrics/{id}`",
        BETTER,
        "Takes the numbers of modes, and `condition`; the id stays when the expressions change, and events "
        "keep the expressions that they were taken with.",
        "test_a_metric_keeps_its_id_and_its_events_when_it_changes",
    ),
    Row(
        "Metrics",
        "`DELETE /api/v1/metrics/{id}`",
        BETTER,
        "404 for an unknown one. Its events stay, for as long as others.",
        "test_a_removed_metric_leaves_its_events",
    ),
    Row(
        "Metrics",
        "`POST /api/v1/metrics/{id}/enable`, `/disable`",
        BETTER,
        "`dapConfirmed` is what the processes said, not always true; 404 for an unknown one.",
        "test_disabling_takes_it_out_and_enabling_puts_it_back",
    ),
    Row(
        "Metrics",
        "`captureStackTrace`, `captureMemorySnapshot`",
        BETTER,
        "Innermost frame first; `stackTraceSlice` is what it says, head and tail; nothing of the debugger's is in "
        "it, and values are read without running the program's code where treetap is in the program.",
        "test_stacks_and_locals_are_shown_where_they_are_asked_for",
    ),
    Row(
        "Metrics",
        "`stackTraceTtl`, `snapshotTtl`",
        BETTER,
        "Stored only, in Detrix; here the events that come later don't show them.",
        "test_a_stack_s_time_to_live_ends_what_is_shown",
    ),
    Row(
        "Metrics",
        "probes of `treetap probe add`",
        BETTER,
        'They are metrics too; one of every process has the `connectionId` `""`.',
        "test_a_probe_of_our_own_api_is_a_metric",
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("metrics") / "home") as found:
        yield found


@pytest.fixture(scope="module", params=[LINKED, DEBUGPY])
def observed(served, request):
    with observing(served, request.param) as found:
        yield found


@pytest.fixture(scope="module")
def linked(served):
    with observing(served, LINKED) as found:
        yield found


@pytest.fixture
def settled(monkeypatch):
    """The answer of a daemon that waits for as long as a busy machine takes, and so warns of nothing."""
    monkeypatch.setattr(settle, "__defaults__", (30.0,))


@pytest.fixture(autouse=True)
def _nothing_is_left(served):
    yield
    for metric in get(served.http, "metrics", limit=1000)["metrics"]:
        assert served.http.delete(f"metrics/{metric['metricId']}").status_code == 204


@pytest.mark.usefixtures("settled")
def test_a_new_metric_has_detrix_s_fields_and_is_a_probe(observed, served):
    answer = observed.metric("order_details", expressions=["order.total", "label"], group="till")
    metric = answer["metric"]
    assert list(answer) == ["metricId", "name", "status", "metric"]
    assert (answer["name"], answer["status"]) == ("order_details", "created")
    assert metric["metricId"] == answer["metricId"]
    assert metric["location"] == {"file": str(PROGRAM), "line": line_of("# observed")}
    assert metric["connectionId"] == observed.connection
    expected = {
        "name": "order_details",
        "group": "till",
        "expressions": ["order.total", "label"],
        "language": "python",
        "enabled": True,
        "mode": {"mode": {"stream": {}}},
        "hitCount": 0,
        "lastHitAt": None,
        "captureStackTrace": False,
        "captureMemorySnapshot": False,
    }
    assert {name: metric[name] for name in expected} == expected
    assert abs(metric["createdAt"] / 1e6 - time.time()) < 3600
    probe = served.running.client.probe("order_details")
    assert probe["id"] == f"p{answer['metricId']}"
    assert (probe["group"], probe["expires_at"]) == ("till", None)
    observed.work(1)
    (event,) = observed.events(answer["metricId"], 1)
    values = {value["expression"]: value["valueJson"] for value in event["values"]}
    assert values == {"order.total": "0.0", "label": '"order 0"'}


def test_every_mode_does_what_it_says(observed):
    def ask(name, **fields):
        return observed.metric(name, **fields)["metricId"]

    stream = ask("stream")
    asked = {
        ask("sample", mode="sample", sampleRate=8): [0, 8, 16, 24],
        ask("first", mode="first"): [0],
        ask("interval", mode="sample_interval", sampleIntervalSeconds=3000): [0],
        ask("condition", condition="number % 20 == 1"): [1, 21],
        ask("most", maxHits=2): [0, 1],
    }
    throttle = ask("throttle", mode="throttle", maxPerSecond=1)
    observed.work(30)
    assert numbers(observed.counted(stream, 30)) == list(range(30))
    for metric, expected in asked.items():
        wait_until(
            lambda metric=metric: observed.show(metric)["recordedCount"] == len(asked[metric])
        )
        assert numbers(observed.events(metric, len(expected))) == expected
    # They came much faster than one a second.
    assert 0 < len(observed.events(throttle, 1)) < 30
    shown = observed.show(stream)
    assert shown["lastHitAt"] == observed.events(stream, 30)[0]["timestamp"]


def test_a_metric_ends_when_its_time_is_over(linked):
    metric = linked.metric("brief", ttlSeconds=1, waits=False)["metricId"]
    wait_until(lambda: linked.show(metric)["state"] == "expired")
    assert not linked.show(metric)["enabled"]
    assert [m["metricId"] for m in get(linked.http, "metrics", enabled="false")["metrics"]] == [
        metric
    ]
    ended_at = linked.show(metric)["expiresAt"]
    post(linked.http, f"metrics/{metric}/enable")
    assert linked.show(metric)["expiresAt"] > ended_at


@pytest.mark.usefixtures("settled")
def test_a_name_is_one_metric_of_a_connection(linked, served):
    first = linked.metric("orders")
    again = linked.metric("orders")
    assert (again["metricId"], again["status"]) == (first["metricId"], "exists")
    refused = linked.metric("orders", 409, expressions=["label"])
    assert refused["errorType"] == "METRIC_DUPLICATE"
    assert linked.show(first["metricId"])["expressions"] == ["number"]
    replacing = linked.metric("orders", expressions=["label"], replace=True)
    assert replacing["metricId"] != first["metricId"]
    assert any("Replaced" in warning for warning in replacing["warnings"])
    assert linked.http.get(f"metrics/{first['metricId']}").status_code == 404
    bad = linked.metric("third", 400, expressions=["eval(label)"], replace=True)
    assert bad["errorCode"] == 2001
    second = linked.metric("second")["metricId"]
    # All at that line go, but none for what can't be.
    last = linked.metric("third", replace=True)
    assert names(get(linked.http, "metrics")) == ["third"]
    assert len(last["warnings"]) == 2
    assert linked.http.get(f"metrics/{second}").status_code == 404
    linked.metric("orders")
    with observing(served, LINKED) as other:
        # Two workers of one program have metrics of one name each.
        metric = other.metric("orders", expressions=["label"])
        assert (metric["name"], metric["status"]) == ("orders", "created")
        assert metric["metric"]["name"] == "orders"
        other.work(1)
        assert other.events(metric["metricId"], 1)[0]["connectionId"] == other.connection


def test_many_who_ask_for_one_name_at_once_get_one_metric(linked):
    def ask(number):
        asked = {
            "name": "wanted",
            "connectionId": linked.connection,
            "location": {"file": str(PROGRAM), "line": line_of("# observed")},
            "expressions": [f"number + {number}"],
            "enabled": True,
        }
        return linked.http.post("metrics", json=asked).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [201, *[409] * 7]
    assert names(get(linked.http, "metrics")) == ["wanted"]


def test_a_metric_outlives_the_daemon(tmp_path):
    place = {"file": "/srv/shop.py", "line": 7}
    asked = {
        "name": "kept",
        "location": place,
        "expressions": ["total"],
        "enabled": True,
        "group": "till",
        "mode": "sample",
        "sampleRate": 3,
        "captureStackTrace": True,
    }
    home = tmp_path / "home"
    with serving(home) as first:
        link = first.running.connect(identity())
        (connection,) = wait_until(lambda: get(first.http, "connections"))
        asked["connectionId"] = connection["connectionId"]
        made = post(first.http, "metrics", asked, 201)["metric"]
        link.close()
    with serving(home) as second:
        again = get(second.http, f"metrics/{made['metricId']}")
    assert {**made, "state": "", "stateReason": ""} == {**again, "state": "", "stateReason": ""}
    assert (again["name"], again["connectionId"]) == ("kept", connection["connectionId"])


def test_metrics_come_in_pages_newest_first(linked):
    for number in range(5):
        linked.metric(f"m{number}", enabled=number != 2)
    everything = get(linked.http, "metrics", connectionId=linked.connection)
    assert names(everything) == ["m4", "m3", "m2", "m1", "m0"]
    assert (everything["total"], everything["limit"], everything["offset"]) == (5, 100, 0)
    page = get(linked.http, "metrics", limit=2, offset=1)
    assert (names(page), page["total"]) == (["m3", "m2"], 5)
    assert names(get(linked.http, "metrics", enabled="false")) == ["m2"]
    assert get(linked.http, "metrics", limit=5000)["limit"] == 1000
    assert get(linked.http, "metrics", connectionId="nobody")["total"] == 0


def test_a_metric_that_isn_t_there_is_404(served):
    assert get(served.http, "metrics/999", 404)["error"] == "Metric 999 not found"
    assert get(served.http, "metrics/999/value", 404)["errorCode"] == 1001
    assert get(served.http, "metrics/seven", 400)["errorCode"] == 3001


def test_a_metric_keeps_its_id_and_its_events_when_it_changes(linked):
    metric = linked.metric("changing")["metricId"]
    created_at = linked.show(metric)["createdAt"]
    linked.work(2)
    linked.counted(metric, 2)
    changes = {
        "name": "changed",
        "group": "till",
        "expressions": ["label", "number"],
        "mode": "sample",
        "sampleRate": 2,
        "condition": "number > 0",
        "safetyLevel": "moderate",
    }
    answer = linked.http.put(f"metrics/{metric}", json=changes)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    expected = {
        "metricId": metric,
        "name": "changed",
        "group": "till",
        "expressions": ["label", "number"],
        "mode": {"mode": {"sample": {"rate": 2}}},
        "condition": "number > 0",
        "safetyLevel": "trusted",
        "hitCount": 2,
        "createdAt": created_at,
    }
    assert {name: shown[name] for name in expected} == expected
    linked.armed(metric)
    linked.work(4)
    events = linked.events(metric, 4)
    # Of the hits where the condition holds, every second: 1 and 3.
    assert [[v["valueJson"] for v in event["values"]] for event in events] == [
        ['"order 3"', "3"],
        ['"order 1"', "1"],
        ["1"],
        ["0"],
    ]
    assert {event["metricId"] for event in events} == {metric}
    assert linked.http.put(f"metrics/{metric}", json={"mode": "often"}).status_code == 400
    assert linked.http.put("metrics/999", json={"enabled": False}).status_code == 404
    answer = linked.http.put(f"metrics/{metric}", json={"enabled": False, "group": ""})
    assert (answer.json()["enabled"], answer.json()["group"]) == (False, None)


def test_a_removed_metric_leaves_its_events(linked):
    metric = linked.metric("removed")["metricId"]
    linked.work(1)
    linked.events(metric, 1)
    assert linked.http.delete(f"metrics/{metric}").status_code == 204
    answer = linked.http.delete(f"metrics/{metric}")
    assert (answer.status_code, answer.json()["errorType"]) == (404, "METRIC_NOT_FOUND")
    (event,) = get(linked.http, "events", metricId=metric)
    assert (event["metricName"], event["connectionId"]) == ("removed", linked.connection)
    assert get(linked.http, "events", metricName="removed") == [event]


def test_disabling_takes_it_out_and_enabling_puts_it_back(observed):
    metric = observed.metric("switched")["metricId"]
    answer = post(observed.http, f"metrics/{metric}/disable")
    assert list(answer) == [
        "metricId",
        "name",
        "enabled",
        "storageUpdated",
        "dapConfirmed",
        "actualLine",
        "dapMessage",
        "metadata",
        "status",
    ]
    assert (answer["enabled"], answer["status"], answer["name"]) == (False, "disabled", "switched")
    wait_until(lambda: observed.show(metric)["state"] == "disabled")
    wait_until(lambda: post(observed.http, f"metrics/{metric}/disable")["dapConfirmed"])
    observed.work(3)
    post(observed.http, f"metrics/{metric}/enable")
    observed.armed(metric)
    answer = post(observed.http, f"metrics/{metric}/enable")
    assert (answer["enabled"], answer["status"], answer["dapMessage"]) == (True, "enabled", None)
    assert (answer["dapConfirmed"], answer["actualLine"]) == (True, line_of("# observed"))
    observed.work(1)
    assert numbers(observed.events(metric, 1)) == [0]
    assert observed.http.post("metrics/999/enable").status_code == 404


@pytest.mark.usefixtures("settled")
def test_a_line_that_an_adapter_moved_is_a_warning(observed):
    if observed.way == LINKED:
        return  # treetap's own engine takes the line that was asked for, or none
    blank = line_of("return label") + 1
    fields = {"location": {"file": str(PROGRAM), "line": blank}}
    observed.metric("moved", **fields)
    answer = observed.metric("moved", **fields)  # once more, now that it is armed for certain
    line = post(observed.http, f"metrics/{answer['metricId']}/enable")["actualLine"]
    assert line != blank
    assert any(f"Line {blank} " in told and f"line {line} " in told for told in answer["warnings"])
    assert "warnings" not in observed.metric("unmoved")


def test_stacks_and_locals_are_shown_where_they_are_asked_for(observed):
    asked = {"captureStackTrace": True, "stackTraceSlice": [1, 1]}
    both = observed.metric("both", captureMemorySnapshot=True, **asked)["metricId"]
    whole = observed.metric("whole", captureStackTrace=True, stackTraceSlice={"full": True})
    memory = observed.metric("memory", captureMemorySnapshot=True)["metricId"]
    observed.work(1)
    (event,) = observed.events(both, 1)
    (first, last) = event["stackTrace"]["frames"]
    assert (first["name"], first["line"], first["index"]) == ("work", line_of("# observed"), 0)
    assert (last["name"], last["file"]) == ("<module>", str(PROGRAM))
    shown = {each["name"]: each["value"] for each in event["memorySnapshot"]["locals"]}
    assert (shown["number"], shown["label"]) == ("0", "order 0")
    assert event["memorySnapshot"]["globals"] == []
    (event,) = observed.events(whole["metricId"], 1)
    assert [f["name"] for f in event["stackTrace"]["frames"]] == ["work", "main", "<module>"]
    assert event["memorySnapshot"] is None
    (event,) = observed.events(memory, 1)
    assert event["stackTrace"] is None
    assert event["memorySnapshot"]["locals"]
    assert observed.show(memory)["captureMemorySnapshot"]
    assert not observed.show(memory)["captureStackTrace"]


def test_a_stack_s_time_to_live_ends_what_is_shown(linked):
    metric = linked.metric(
        "brief", captureStackTrace=True, captureMemorySnapshot=True, stackTraceTtl=1
    )["metricId"]
    created_at_s = linked.show(metric)["createdAt"] / 1e6
    wait_until(lambda: time.time() > created_at_s + 1.1)
    linked.work(1)
    (event,) = linked.events(metric, 1)
    assert event["stackTrace"] is None
    assert event["memorySnapshot"]["locals"]


def test_a_probe_of_our_own_api_is_a_metric(linked, served):
    client = served.running.client
    probe = client.add_probe(
        location=f"{PROGRAM.name}:{line_of('# observed')}", expressions=["number"], group="ours"
    )
    metric = int(probe["id"][1:])
    linked.armed(metric)
    shown = linked.show(metric)
    assert (shown["name"], shown["group"], shown["connectionId"]) == (probe["id"], "ours", "")
    linked.work(1)
    (event,) = linked.events(metric, 1)
    assert (event["metricName"], event["connectionId"]) == (probe["id"], linked.connection)
    own = client.add_probe(
        location=f"{PROGRAM.name}:{line_of('# observed')}",
        expressions=["label"],
        name="own",
        target={"pid": linked.pid},
    )
    assert linked.show(int(own["id"][1:]))["connectionId"] == linked.connection
    entry = client.probe("own")
    assert entry["target"]["pid"] == linked.pid


def numbers(events):
    """The first value of each, oldest first."""
    return [int(event["values"][0]["valueJson"]) for event in reversed(events)]


def names(page):
    return [metric["name"] for metric in page["metrics"]]
