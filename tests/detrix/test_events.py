"""Events that are kept: their fields, values that are JSON, errors, paging, values of the moment."""

from __future__ import annotations

import json
import time

import pytest

from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.observing import DEBUGPY, LINKED, PROGRAM, get, line_of, observing, post, serving

CONFORMANCE = [
    Row(
        "Events",
        "`GET /api/v1/events`",
        BETTER,
        "`since` and `until` hold without a metric too; `offset` pages; at most 10000 at once.",
        "test_events_are_paged_and_of_a_time",
    ),
    Row(
        "Events",
        "`MetricEvent`",
        BETTER,
        "`location` is filled; `timestamp` is that of the hit, not of its arrival.",
        "test_an_event_has_detrix_s_fields",
    ),
    Row(
        "Events",
        "`valueJson`, `typedValue`",
        BETTER,
        'Always JSON: a string has its quotes, so that `"42"` and 42 differ; `isWhole` is false where something was '
        "cut. Detrix has what debugpy printed.",
        "test_values_are_json_whatever_they_hold",
    ),
    Row(
        "Events",
        "`error` of an event",
        BETTER,
        "Of the expression that raised, never of what the program prints; the other values stay.",
        "test_an_expression_that_raises_is_told_and_the_others_stay",
    ),
    Row(
        "Events",
        "`GET /api/v1/metrics/{id}/value`",
        SAME,
        "404 as long as there is no event.",
        "test_the_newest_value",
    ),
    Row(
        "Events",
        "`GET /api/v1/metrics/{id}/history`",
        BETTER,
        "`offset`, `since`, `until` hold; `totalCount` counts all that match, not the page.",
        "test_history_is_paged",
    ),
]

HOSTILE = [
    ("'a|b=c\\x1f d'", "a|b=c\x1f d"),
    ("'DETRICS:x=1\\nTypeError: no'", "DETRICS:x=1\nTypeError: no"),
    ("'żółć 🌍' + label", "żółć 🌍order 0"),
    ("'42'", "42"),
    ("42", 42),
    ("number / 2", 0.0),
    ("2 ** 100", 2**100),
    ("None", None),
    ("number == 0", True),
    ("[1, 'a', None]", [1, "a", None]),
    ("{'a': [1.5, {'b': 'c'}]}", {"a": [1.5, {"b": "c"}]}),
    ("'x' * 60000", "x" * 60000),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("events") / "home") as found:
        yield found


@pytest.fixture(scope="module", params=[LINKED, DEBUGPY])
def observed(served, request):
    with observing(served, request.param) as found:
        yield found


@pytest.fixture(scope="module")
def ten(served):
    """A program, and a metric of it that has ten events."""
    with observing(served, LINKED) as found:
        metric = found.metric("ten")["metricId"]
        found.work(10)
        found.events(metric, 10)
        yield found, metric


def test_an_event_has_detrix_s_fields(observed):
    before_us = time.time_ns() // 1000
    metric = observed.metric("fields", expressions=["number", "label"])["metricId"]
    observed.work(1)
    (event,) = observed.events(metric, 1)
    assert before_us <= event.pop("timestamp") <= time.time_ns() // 1000
    assert event == {
        "metricId": metric,
        "metricName": "fields",
        "location": {"file": str(PROGRAM), "line": line_of("# observed")},
        "threadName": None,
        "threadId": None,
        "requestId": None,
        "sessionId": None,
        "values": [
            {"expression": "number", "valueJson": "0", "typedValue": {"numericValue": 0.0}},
            {
                "expression": "label",
                "valueJson": '"order 0"',
                "typedValue": {"stringValue": "order 0"},
            },
        ],
        "error": None,
        "connectionId": observed.connection,
        "stackTrace": None,
        "memorySnapshot": None,
    }


def test_values_are_json_whatever_they_hold(observed):
    metric = observed.metric("hostile", expressions=[text for text, _ in HOSTILE])["metricId"]
    observed.work(1)
    (event,) = observed.events(metric, 1)
    assert event["error"] is None
    found = {value["expression"]: value for value in event["values"]}
    for text, value in HOSTILE:
        assert json.loads(found[text]["valueJson"]) == value
        assert "isWhole" not in found[text], text
    assert found["'42'"]["typedValue"] == {"stringValue": "42"}
    assert found["42"]["typedValue"] == {"numericValue": 42.0}
    assert found["number == 0"]["typedValue"] == {"boolValue": True}
    assert found["None"]["typedValue"] is None
    assert found["[1, 'a', None]"]["typedValue"] is None


def test_a_megabyte_comes_whole_from_an_adapter_and_says_what_is_missing_from_a_node(observed):
    metric = observed.metric("large", expressions=["LARGE"])["metricId"]
    observed.work(1)
    (event,) = observed.events(metric, 1)
    (value,) = event["values"]
    whole = "megabyte" * 125_000
    if observed.way == DEBUGPY:
        assert json.loads(value["valueJson"]) == whole
        assert "isWhole" not in value
    else:
        assert json.loads(value["valueJson"]) == whole[:65_536]
        assert value["isWhole"] is False


def test_an_expression_that_raises_is_told_and_the_others_stay(observed):
    metric = observed.metric("raising", expressions=["number", "parts[7]"])["metricId"]
    observed.work(1)
    (event,) = observed.events(metric, 1)
    assert [value["valueJson"] for value in event["values"]] == ["0"]
    error = event["error"]
    assert (error["error"], error["errorCode"], error["traceback"]) == (True, "EVAL_ERROR", None)
    assert error["errorType"] == "IndexError"
    assert "list index out of range" in error["errorMessage"]
    missing = observed.metric("missing", expressions=["nothing_of_this_name"])["metricId"]
    observed.work(1)
    (event,) = observed.events(missing, 1)
    assert (event["error"]["errorType"], event["values"]) == ("NameError", [])
    value = get(observed.http, f"metrics/{missing}/value")
    assert value["isError"]
    assert "NameError" in value["value"]


def test_the_newest_value(ten):
    observed, metric = ten
    value = get(observed.http, f"metrics/{metric}/value")
    assert 0 < value.pop("timestamp") <= time.time_ns() // 1000
    assert value == {"metricId": metric, "metricName": "ten", "value": 9, "isError": False}
    fresh = observed.metric("fresh", enabled=False)["metricId"]
    assert get(observed.http, f"metrics/{fresh}/value", 404)["errorType"] == "METRIC_NOT_FOUND"


def test_history_is_paged(ten):
    observed, metric = ten
    path = f"metrics/{metric}/history"
    whole = get(observed.http, path)
    assert list(whole) == ["metricId", "metricName", "events", "totalCount", "hasMore"]
    assert (whole["metricId"], whole["metricName"]) == (metric, "ten")
    assert (numbers(whole["events"]), whole["totalCount"]) == ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 10)
    assert not whole["hasMore"]
    page = get(observed.http, path, limit=3, offset=6)
    assert (numbers(page["events"]), page["totalCount"], page["hasMore"]) == ([3, 2, 1], 10, True)
    page = get(observed.http, path, limit=3, offset=7)
    assert (numbers(page["events"]), page["hasMore"]) == ([2, 1, 0], False)
    assert get(observed.http, path, limit=0)["events"] == []
    times = [event["timestamp"] for event in whole["events"]]
    later = get(observed.http, path, since=times[4])
    assert numbers(later["events"])[-1] >= 5
    assert later["totalCount"] == len([t for t in times if t >= times[4]])
    earlier = get(observed.http, path, until=times[4])
    assert later["totalCount"] + earlier["totalCount"] == 10
    assert get(observed.http, "metrics/999/history", 404)["errorCode"] == 1001


def test_events_are_paged_and_of_a_time(ten):
    observed, metric = ten
    events = observed.events(metric, 10)
    assert get(observed.http, "events", metricName="ten", limit=1000) == events
    assert get(observed.http, "events", metricId=metric, limit=2, offset=1) == events[1:3]
    since = events[0]["timestamp"]
    assert events[0] in get(observed.http, "events", since=since, limit=1000)
    assert get(observed.http, "events", since=since + 3600 * 10**6) == []
    assert get(observed.http, "events", metricId=999) == []
    assert get(observed.http, "events", metricName="nobody", status=404)["errorCode"] == 1001
    for query in ({"limit": "many"}, {"limit": -1}, {"since": "noon"}, {"metricId": "x"}):
        assert get(observed.http, "events", status=400, **query)["errorCode"] == 3001
    post(observed.http, f"metrics/{metric}/disable")
    assert get(observed.http, "events", metricId=metric, limit=1000) == events


def numbers(events):
    return [int(event["values"][0]["valueJson"]) for event in events]
