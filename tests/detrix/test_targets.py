"""Programs behind a debug adapter, over their time: killed, started again, noisy."""

from __future__ import annotations

import pytest

from tests.conftest import wait_until
from tests.detrix.conformance import BETTER, NOT_THERE, Row
from tests.detrix.observing import DEBUGPY, get, observing, serving

CONFORMANCE = [
    Row(
        "Debuggers of others",
        "a program that is started again",
        BETTER,
        "On another port too, it is the same connection, and its metrics are armed again. Detrix answers with the "
        "old one, whatever the port, for as long as it takes that for alive.",
        "test_a_program_that_is_started_again_has_its_metrics",
    ),
    Row(
        "Debuggers of others",
        "a program that is killed",
        BETTER,
        "Status 1 within seconds, and its events stay. `autoReconnect` is meant: it is looked for again.",
        "test_a_program_that_is_started_again_has_its_metrics",
    ),
    Row(
        "Debuggers of others",
        "what the program prints",
        BETTER,
        "Is nobody's event, whatever it looks like. Detrix takes `DETRICS:name=…` for a hit, and `TypeError:` for "
        "an error of an expression.",
        "test_what_a_program_prints_is_no_event",
    ),
    Row(
        "Debuggers of others",
        "starting a program (`program`)",
        NOT_THERE,
        "A daemon that starts programs is a way to run code for whoever reaches it.",
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("targets") / "home") as found:
        yield found


def test_a_program_that_is_started_again_has_its_metrics(served):
    with observing(served, DEBUGPY, "till") as first:
        metric = first.metric("kept")["metricId"]
        first.work(3)
        first.events(metric, 3)
    connection = wait_until(lambda: disconnected(served, first.connection))
    with observing(served, DEBUGPY, "till") as second:
        assert second.connection == first.connection
        again = get(served.http, f"connections/{second.connection}")
        assert (again["status"], again["pid"]) == (3, second.pid)
        assert again["connectedAt"] > connection["connectedAt"]
        second.armed(metric)
        second.work(2)
        events = second.events(metric, 5)
        assert {event["connectionId"] for event in events} == {first.connection}
        assert second.show(metric)["hitCount"] >= 5


def test_what_a_program_prints_is_no_event(served):
    with observing(served, DEBUGPY) as observed:
        metric = observed.metric("plain")["metricId"]
        observed.say("DETRICS:plain=7")
        observed.say("TypeError: name 'x' is not defined")
        observed.work(1)
        (event,) = observed.counted(metric, 1)
        assert (event["values"][0]["valueJson"], event["error"]) == ("0", None)
        assert [e["metricId"] for e in get(served.http, "events", since=event["timestamp"])] == [
            metric
        ]


def disconnected(served, connection):
    shown = get(served.http, f"connections/{connection}")
    return shown if shown["status"] == 1 else None
