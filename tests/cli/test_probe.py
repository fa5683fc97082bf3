from __future__ import annotations

import time

from treetap.cli.probe import _states


def listed(expires_at: float, *states: str):
    return {"expires_at": expires_at, "nodes": [{"state": state} for state in states]}


def test_a_probe_that_is_in_no_node_says_whether_its_time_is_over():
    now = time.time()
    assert _states(listed(now - 1)) == "ended"
    assert _states(listed(now + 60)) == "no node"
    assert _states(listed(0)) == "no node"
    assert _states(listed(now + 60, "armed", "pending")) == "armed 1, pending 1"
