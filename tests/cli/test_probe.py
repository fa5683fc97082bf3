from __future__ import annotations

import time

from treetap.cli.probe import _list_row, _states


def listed(expires_at: float, *states: str):
    return {"expires_at": expires_at, "nodes": [{"state": state} for state in states]}


def test_a_probe_that_is_in_no_node_says_whether_its_time_is_over():
    now = time.time()
    assert _states(listed(now - 1)) == "ended"
    assert _states(listed(now + 60)) == "no node"
    assert _states(listed(0)) == "no node"
    assert _states(listed(now + 60, "armed", "pending")) == "armed 1, pending 1"


def test_a_probe_s_group_stands_behind_its_name():
    probe = {
        "id": "p7",
        "name": "orders",
        "location": "shop.py:3",
        "expressions": ["total"],
        "snapshot": False,
        "nodes": [],
    }
    assert _list_row(probe)[0] == "p7 orders"
    assert _list_row({**probe, "group": "till"})[0] == "p7 orders (till)"
    assert _list_row({**probe, "name": "", "group": "till"})[0] == "p7 (till)"
