from __future__ import annotations

from treetap.daemon.tally import Tally
from treetap.model.status import ProbeStatus


def armed(**fields) -> ProbeStatus:
    return ProbeStatus("p1", "armed", **fields)


def test_counts_of_all_nodes_add_up():
    tally = Tally()
    tally.report(1, [armed(hits=3, recorded=2)])
    tally.report(2, [armed(hits=5, recorded=5)])
    assert tally.totals("p1")[:3] == (8, 7, 0)


def test_a_report_replaces_the_one_before():
    tally = Tally()
    tally.report(1, [armed(hits=3)])
    tally.report(1, [armed(hits=4)])
    assert tally.totals("p1")[:3] == (4, 0, 0)


def test_counts_that_begin_anew_are_added_to_those_before():
    tally = Tally()
    tally.report(1, [armed(hits=10, recorded=10)])
    tally.report(1, [armed(hits=2, recorded=1)])
    assert tally.totals("p1")[:3] == (12, 11, 0)


def test_what_a_node_counted_outlives_it():
    tally = Tally()
    tally.report(1, [armed(hits=10, recorded=4)])
    tally.forget_node(1)
    assert tally.totals("p1")[:3] == (10, 4, 0)
    assert tally.of_probe("p1") == {}


def test_how_it_fared_last_is_known_when_the_node_is_gone():
    tally = Tally()
    assert tally.last_of("p1") is None
    failed = ProbeStatus("p1", "failed", error=("location-no-code", "no", "code"))
    tally.report(1, [failed])
    tally.forget_node(1)
    assert tally.last_of("p1") == (1, failed)
    tally.report(2, [armed(hits=3)])
    assert tally.last_of("p1") == (1, failed)
    tally.forget_node(2)
    assert tally.last_of("p1") == (2, armed(hits=3))
    tally.forget_probe("p1")
    assert tally.last_of("p1") is None


def test_skips_add_up_by_reason_also_those_of_nodes_that_are_gone():
    tally = Tally()
    tally.report(1, [armed(hits=9, recorded=2, skipped={"condition": 4, "first": 3})])
    tally.forget_node(1)
    tally.report(2, [armed(hits=6, recorded=1, skipped={"condition": 5})])
    totals = tally.totals("p1")
    assert totals.skipped == {"condition": 9, "first": 3}
    assert totals.hits == totals.recorded + sum(totals.skipped.values())


def test_a_probe_that_a_node_no_longer_reports_is_not_shown_there():
    tally = Tally()
    tally.report(1, [armed(hits=10)])
    tally.report(1, [])
    assert tally.of_node(1) == []
    assert tally.totals("p1")[0] == 10


def test_a_change_of_state_is_news_and_a_count_is_not():
    tally = Tally()
    assert tally.report(1, [armed(hits=1)]) == ["p1"]
    assert tally.report(1, [armed(hits=2)]) == []
    assert tally.report(1, [ProbeStatus("p1", "tripped", why="over budget", hits=3)]) == ["p1"]
    assert tally.report(2, [armed()]) == ["p1"]


def test_losses_are_counted_by_probe():
    tally = Tally()
    tally.add_lost("p1", 3)
    tally.add_lost("p1", 4)
    assert tally.totals("p1")[:3] == (0, 0, 7)
    tally.forget_probe("p1")
    assert tally.totals("p1")[:3] == (0, 0, 0)
