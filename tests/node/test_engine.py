from __future__ import annotations

from treetap.model.location import Location
from treetap.model.probe import Probe
from treetap.node.engine import readable_probes
from treetap.wire.message import probe_to_dict

PROBE = Probe(id="p1", location=Location(file="shop.py", line=3), expressions=("x",))


def test_what_can_be_read_is_wanted_and_the_rest_is_a_fault():
    faults = []
    fields = [probe_to_dict(PROBE), None, {"id": 7}]
    assert readable_probes(fields, lambda *fault: faults.append(fault)) == [PROBE]
    assert len(faults) == 2


def test_the_real_engine_is_made_with_the_nodes_redaction(make_node):
    node = make_node(factory=None, redact=["colour"])
    node.life.warm_up()
    engine = node.life.probe_set
    assert engine._redaction.hides("colour")
    assert engine.is_idle
