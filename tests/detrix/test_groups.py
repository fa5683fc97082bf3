"""Groups: metrics that are enabled and disabled together."""

from __future__ import annotations

import pytest

from tests.conftest import wait_until
from tests.detrix.conformance import SAME, Row
from tests.detrix.observing import LINKED, get, observing, post, serving

CONFORMANCE = [
    Row(
        "Groups",
        "`GET /api/v1/groups`",
        SAME,
        "By name; probes of every face; those without a group are in `default`.",
        "test_groups_are_listed_with_their_counts",
    ),
    Row(
        "Groups",
        "`GET /api/v1/groups/{name}/metrics`",
        SAME,
        test="test_groups_are_listed_with_their_counts",
    ),
    Row(
        "Groups",
        "`POST /api/v1/groups/{name}/enable`, `/disable`",
        SAME,
        test="test_a_group_is_switched_as_one",
    ),
]


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    with (
        serving(tmp_path_factory.mktemp("groups") / "home") as served,
        observing(served, LINKED) as found,
    ):
        yield found


@pytest.fixture
def group(observed):
    """A group of two, beside a metric without one."""
    made = [
        observed.metric("one", group="till"),
        observed.metric("two", group="till", expressions=["label"]),
        observed.metric("alone", enabled=False),
    ]
    yield [each["metricId"] for each in made]
    for each in made:
        observed.http.delete(f"metrics/{each['metricId']}")


def test_groups_are_listed_with_their_counts(observed, group):
    assert get(observed.http, "groups") == [
        {"name": "default", "metricCount": 1, "enabledCount": 0},
        {"name": "till", "metricCount": 2, "enabledCount": 2},
    ]
    members = get(observed.http, "groups/till/metrics")
    assert [(each["metricId"], each["group"]) for each in members] == [
        (group[1], "till"),
        (group[0], "till"),
    ]
    (alone,) = get(observed.http, "groups/default/metrics")
    assert (alone["name"], alone["group"]) == ("alone", None)
    assert get(observed.http, "groups/nobody/metrics") == []


def test_a_group_is_switched_as_one(observed, group):
    expected = {"group": "till", "affectedMetrics": 2, "successCount": 2, "failureCount": 0}
    assert post(observed.http, "groups/till/disable") == {**expected, "operation": "disable"}
    wait_until(lambda: not any(armed(observed, metric) for metric in group))
    observed.work(2)
    assert post(observed.http, "groups/till/enable") == {**expected, "operation": "enable"}
    wait_until(lambda: armed(observed, group[0]) and armed(observed, group[1]))
    observed.work(1)
    assert len(observed.events(group[0], 1)) == len(observed.events(group[1], 1)) == 1
    assert post(observed.http, "groups/nobody/enable")["affectedMetrics"] == 0


def armed(observed, metric):
    """Whether any process still says that it has it."""
    return bool(observed.probe(metric)["nodes"])
