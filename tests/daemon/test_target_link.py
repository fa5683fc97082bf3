"""What a target's node says of its probes, with a session that is slow."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from treetap.daemon.target_identity import Registration
from treetap.daemon.target_link import TargetLink
from treetap.dap import Placed
from treetap.errors import DapError
from treetap.model.location import Location
from treetap.model.probe import Probe
from treetap.wire.message import probe_to_dict

SHOP = Registration("127.0.0.1", 5678, "python", "shop")
FILE = "/srv/a.py"
PROBE, OTHER = (
    probe_to_dict(Probe(probe_id, Location(file=FILE, line=3), ("a",), budget_percent=0))
    for probe_id in ("p1", "p2")
)


class Slow:
    """A session, which is held up where a test wants it to be; and the daemon that is told of it.

    Attributes:
        armed: The logpoints that are in the program.
        told: Of each report, the states by probe; and what was in the program at that moment.
    """

    def __init__(self) -> None:
        self.armed: dict[str, list[str]] = {}
        self.told: list[tuple[dict[str, str], list[str]]] = []
        self.is_refusing = False
        self.is_held_up_in = ""
        self.held_up = asyncio.Event()
        self.go_on = asyncio.Event()

    async def set_logpoints(self, file, points):
        await self._hold_up("set_logpoints")
        if self.is_refusing:
            raise DapError("It refused.", slug="dap-refused")
        self.armed[file] = [point.id for point in points]
        return [Placed(point.id, is_verified=True, line=point.line) for point in points]

    async def counts(self):
        await self._hold_up("counts")
        return {}

    async def _hold_up(self, where: str) -> None:
        if self.is_held_up_in == where:
            self.held_up.set()
            await self.go_on.wait()

    def probes_for(self, _identity):
        return 1, [PROBE]

    def receive(self, _entry, message, _size_bytes) -> None:
        states = {status["probe_id"]: status["state"] for status in message["probes"]}
        self.told.append((states, self.armed.get(FILE, [])))

    async def until_told(self, states: dict[str, str]) -> None:
        async with asyncio.timeout(30):
            while self.told[-1][0] != states:
                await asyncio.sleep(0.001)


def run(scenario):
    """Run ``scenario(slow, link)`` with a probe that is armed."""

    async def main():
        slow = Slow()
        link = TargetLink(slow, SHOP, {}, on_sleep=lambda: None, on_taken=lambda: None)
        await link.open(slow, SimpleNamespace(identity=None))
        await slow.until_told({"p1": "armed"})
        try:
            await scenario(slow, link)
        finally:
            link.stop()

    asyncio.run(main())


def disable(link) -> None:
    link.send({"type": "probes", "revision": 2, "probes": []})


@pytest.mark.parametrize("where", ["set_logpoints", "counts"])
def test_a_probe_is_told_as_gone_when_it_is_out_of_the_program(where):
    async def scenario(slow, link):
        slow.is_held_up_in = where
        link.send({"type": "probes", "revision": 2, "probes": [PROBE, OTHER]})
        await asyncio.wait_for(slow.held_up.wait(), 30)
        disable(link)
        slow.go_on.set()
        await slow.until_told({})
        for states, armed in slow.told:
            assert set(armed) <= set(states)

    run(scenario)


def test_a_probe_that_the_adapter_doesn_t_take_out_is_not_gone():
    async def scenario(slow, link):
        slow.is_refusing = True
        before = len(slow.told)
        disable(link)
        async with asyncio.timeout(30):
            while len(slow.told) == before:
                await asyncio.sleep(0.001)
        assert slow.told[-1] == ({"p1": "armed"}, ["p1"])
        slow.is_refusing = False
        await slow.until_told({})
        assert slow.told[-1] == ({}, [])

    run(scenario)
