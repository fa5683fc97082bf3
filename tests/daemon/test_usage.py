from __future__ import annotations

from treetap.daemon.usage import CLIENT_TIMEOUT_S, RECENT_CALLS, AgentClients, Usage


def test_nothing_yet_is_no_division_by_zero():
    view = Usage().view()
    assert (view["success_rate"], view["mean_s"], view["adherence"]) == (0.0, 0.0, 0.0)


def test_calls_are_counted_with_their_errors_and_the_last_are_kept():
    usage = Usage()
    for number in range(RECENT_CALLS + 1):
        usage.note("get_status", duration_s=0.5, error="probe-unknown" if number % 3 == 0 else "")
    view = usage.view()
    assert (view["calls"], view["succeeded"], view["failed"]) == (21, 14, 7)
    assert view["mean_s"] == 0.5
    assert view["errors"] == [("probe-unknown", 7)]
    assert len(view["recent"]) == RECENT_CALLS


def test_a_workflow_is_right_that_looks_before_it_observes():
    usage = Usage()
    usage.note("add_metric", duration_s=0, client="a")
    usage.note("inspect_file", duration_s=0, client="a")
    usage.note("add_metric", duration_s=0, client="a")
    usage.note("add_metric", duration_s=0, client="b")
    usage.note("observe", duration_s=0, client="b")
    usage.note("observe", duration_s=0, client="b", is_connected=False)
    view = usage.view()
    assert (view["correct"], view["skipped_inspect"], view["no_connection"]) == (2, 2, 1)
    assert view["adherence"] == 0.4


def test_a_client_that_is_silent_is_gone():
    now = [100.0]
    clients = AgentClients(clock=lambda: now[0])
    clients.seen("a", parent_pid=7, parent_name="editor")
    now[0] += CLIENT_TIMEOUT_S
    clients.seen("b")
    clients.seen("a", bridge_pid=9)
    (first, second) = clients.all()
    assert (first.id, second.id) == ("b", "a")
    assert (second.connected_at_s, second.last_seen_at_s) == (100.0, 130.0)
    assert (second.parent_pid, second.parent_name, second.bridge_pid) == (7, "editor", 9)
    now[0] += CLIENT_TIMEOUT_S + 1
    assert clients.all() == []
    assert not clients.forget("a")
