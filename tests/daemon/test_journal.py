from __future__ import annotations

from concurrent.futures import Future

from tests.conftest import wait_until
from tests.running_daemon import identity
from treetap.daemon.journal import BURST_S, MAX_BURST, Journal, Kind


class Sheet:
    """Keeps what is written."""

    def __init__(self):
        self.written = []

    def write(self, entry):
        self.written.append(entry)
        done = Future()
        done.set_result(None)
        return done


def test_a_flood_is_cut_off_and_counted():
    now = [0.0]
    sheet = Sheet()
    journal = Journal(sheet, clock=lambda: now[0])
    for _ in range(MAX_BURST + 30):
        journal.note(Kind.REQUEST_REFUSED, actor="10.0.0.1")
    journal.note(Kind.PROBE_ADDED)
    assert len(sheet.written) == MAX_BURST + 1
    now[0] = BURST_S
    journal.note(Kind.REQUEST_REFUSED)
    assert sheet.written[-1].details == {"suppressed": 30}
    journal.note(Kind.REQUEST_REFUSED)
    assert sheet.written[-1].details == {}


def test_the_daemon_writes_down_what_happens_to_probes_and_nodes(running):
    def kinds():
        running.flush()
        return [each.kind for each in running.daemon.journal.table.entries()][::-1]

    probe = running.client.add_probe(location="shop.py:3", expressions=["a"], name="orders")
    running.client.disable_probe("orders")
    running.client.change_probe("orders", condition="a > 1")
    running.client.remove_probe("orders")
    link = running.connect(identity())
    link.close()
    wait_until(lambda: len(kinds()) == 6)
    again = running.connect(identity())
    again.send({"type": "bye", "reason": "sleep"})
    wait_until(lambda: len(kinds()) == 8)
    again.close()
    assert kinds() == [
        "probe-added",
        "probe-toggled",
        "probe-changed",
        "probe-removed",
        "node-connected",
        "node-lost",
        "node-restored",
        "node-closed",
    ]
    entries = running.daemon.journal.table.entries()[::-1]
    assert entries[1].details == {
        "probe": probe["id"],
        "probe_name": "orders",
        "location": "shop.py:3",
        "is_enabled": False,
    }
    assert entries[7].details == {"node": identity().id, "name": "shop", "reason": "sleep"}
