from __future__ import annotations

import pytest

from treetap.client.sse import read_events

SENT = b': listening\n\nevent: hit\ndata: {"a":1}\n\n: heartbeat\n\nevent: loss\ndata: {"b":"x\\n\\n"}\n\n'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_found_wherever_the_chunks_are_cut(size):
    chunks = [SENT[i : i + size] for i in range(0, len(SENT), size)]
    assert list(read_events(chunks)) == [{"a": 1}, {"b": "x\n\n"}]


def test_half_an_event_at_the_end_is_none():
    assert list(read_events([b'data: {"a":1}\n'])) == []
