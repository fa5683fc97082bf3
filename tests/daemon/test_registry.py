from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from treetap.daemon import registry as registry_module
from treetap.daemon.registry import Registry
from treetap.errors import ProbeError
from treetap.store import Store


class Told(list):
    """What a registry told."""

    def __call__(self, change, record) -> None:
        self.append((change, record.probe.id))


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'treetap.db'}")
    yield store
    store.close()


def run(store, scenario):
    """Run ``scenario(registry, told)`` on a loop."""
    told = Told()

    async def main():
        return await scenario(Registry(store, told), told)

    return asyncio.run(main())


def asked(**fields):
    return {"location": "shop.py:3", "expressions": ["a"], **fields}


def test_each_probe_has_an_id_of_its_own_and_changes_are_told(store):
    async def scenario(registry, told):
        first = await registry.add(asked())
        second = await registry.add(asked(name="orders"))
        assert (first.probe.id, second.probe.id) == ("p1", "p2")
        await registry.change("orders", {"condition": "a"})
        await registry.remove("p1")
        assert told == [("added", "p1"), ("added", "p2"), ("changed", "p2"), ("removed", "p1")]
        assert registry.revision == 4
        assert [record.probe.id for record in registry.all()] == ["p2"]

    run(store, scenario)


def test_probes_outlive_the_daemon(store):
    async def first(registry, _told):
        await registry.add(asked(name="orders", condition="a > 1", limits={"max_depth": 1}))
        await registry.add(asked())
        await registry.remove("p2")
        return registry.get("p1")

    async def second(registry, _told):
        added = await registry.add(asked())
        assert added.probe.id == "p3"
        return registry.get("p1")

    assert run(store, first) == run(store, second)


def test_a_name_is_used_once(store):
    async def scenario(registry, _told):
        await registry.add(asked(name="orders"))
        await registry.add(asked(name="carts"))
        with pytest.raises(ProbeError) as caught:
            await registry.add(asked(name="orders"))
        assert caught.value.slug == "probe-exists"
        with pytest.raises(ProbeError) as caught:
            await registry.change("carts", {"name": "orders"})
        assert caught.value.slug == "probe-exists"
        await registry.remove("orders")
        await registry.change("carts", {"name": "orders"})
        assert registry.get("orders").probe.id == "p2"

    run(store, scenario)


def test_a_name_that_reads_as_an_id_is_refused(store):
    async def scenario(registry, _told):
        with pytest.raises(ProbeError) as caught:
            await registry.add(asked(name="p7"))
        assert caught.value.slug == "probe-invalid"

    run(store, scenario)


@pytest.mark.parametrize("reference", ["p9", "nobody", "", "p", "p-1", "p٣"])
def test_an_unknown_probe_is_told(store, reference):
    async def scenario(registry, _told):
        await registry.add(asked())
        with pytest.raises(ProbeError) as caught:
            registry.get(reference)
        assert caught.value.slug == "probe-unknown"

    run(store, scenario)


def test_two_that_ask_for_one_name_at_once_get_one(store):
    async def scenario(registry, _told):
        outcomes = await asyncio.gather(
            *(registry.add(asked(name="orders")) for _ in range(8)), return_exceptions=True
        )
        assert [isinstance(each, ProbeError) for each in outcomes] == [False] + [True] * 7

    run(store, scenario)


def test_a_bad_probe_takes_no_number(store):
    async def scenario(registry, _told):
        with pytest.raises(ProbeError):
            await registry.add(asked(mode="often"))
        assert (await registry.add(asked())).probe.id == "p1"

    run(store, scenario)


def test_a_disabled_probe_is_not_wanted(store):
    async def scenario(registry, told):
        await registry.add(asked())
        await registry.set_enabled("p1", is_enabled=False)
        assert registry.wanted() == []
        await registry.set_enabled("p1", is_enabled=False)
        await registry.set_enabled("p1", is_enabled=True)
        assert [probe.id for probe in registry.wanted()] == ["p1"]
        assert [change for change, _ in told] == ["added", "changed", "changed"]

    run(store, scenario)


class Clock:
    """The registry's, which is put on as a test wants it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def time(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(registry_module, "time", SimpleNamespace(time=clock.time))
    return clock


def test_a_probe_whose_time_is_over_is_told_once_and_can_live_again(store, clock):
    async def scenario(registry, told):
        await registry.add(asked(ttl_s=600))
        assert time.time() < registry.next_expiry_s() < time.time() + 601
        assert [probe.id for probe in registry.wanted()] == ["p1"]
        clock.ahead_s = 601
        assert registry.wanted() == []
        registry.expire()
        registry.expire()
        assert told[1:] == [("expired", "p1")]
        assert registry.next_expiry_s() == float("inf")
        await registry.set_enabled("p1", is_enabled=True)
        assert [probe.id for probe in registry.wanted()] == ["p1"]
        clock.ahead_s = 1202
        assert registry.wanted() == []
        registry.expire()
        assert told[-1] == ("expired", "p1")

    run(store, scenario)


def test_one_that_expired_before_the_daemon_began_is_no_news(store):
    async def first(registry, _told):
        await registry.add(asked(ttl_s=0.01))
        while registry.wanted():
            await asyncio.sleep(0)

    async def second(registry, told):
        registry.expire()
        assert told == []
        assert registry.get("p1").is_expired(time.time())

    run(store, first)
    run(store, second)


def test_removed_probes_are_found_by_their_events_only(store):
    async def scenario(registry, _told):
        await registry.add(asked(name="orders"))
        await registry.remove("orders")
        await registry.add(asked(name="orders"))
        assert registry.numbers_of("orders") == (2, 1)
        assert registry.numbers_of("p1") == (1,)
        with pytest.raises(ProbeError):
            registry.numbers_of("p9")
        assert registry.record_of("p1") is not None
        with pytest.raises(ProbeError):
            registry.get("p1")

    run(store, scenario)


def test_a_definition_that_a_foreign_hand_spoiled_is_left_out(store):
    store.save_probe(5, name="x", definition={"nonsense": 1}).result(10)

    async def scenario(registry, _told):
        assert registry.all() == []

    run(store, scenario)


def test_a_successor_takes_the_name_and_the_events_stay_with_the_old_one(store):
    async def scenario(registry, told):
        await registry.add(asked(name="orders", group="shop"), notes={"asked_by": "a face"})
        await registry.succeed("orders", asked(name="orders", expressions=["b"]), notes={"of": 1})
        assert told == [("added", "p1"), ("removed", "p1"), ("added", "p2")]
        assert registry.get("orders").number == 2
        assert registry.record_of("p1").probe.expressions == ("a",)
        assert registry.numbers_of("orders") == (2, 1)
        await registry.add(asked(name="taken"))
        with pytest.raises(ProbeError, match="already"):
            await registry.succeed("orders", asked(name="taken"), notes={})
        assert registry.get("orders").number == 2

    run(store, scenario)


def test_a_group_and_notes_outlive_the_daemon(store):
    async def first(registry, _told):
        await registry.add(asked(group="shop"), notes={"of": 1})
        await registry.change("p1", {"group": "till"}, notes={"of": 2})

    async def second(registry, _told):
        record = registry.get("p1")
        assert (record.group, record.notes) == ("till", {"of": 2})
        assert (await registry.change("p1", {"condition": "a"})).notes == {"of": 2}
        with pytest.raises(ProbeError, match="255"):
            await registry.change("p1", {"group": "g" * 256})

    run(store, first)
    run(store, second)
