"""Actors are nodes: seen by ``treetap ps``, with their names, parents and tree."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio.testing

from tests.actor import processes as act
from treetap.actor import open_nursery
from treetap.model.node import NodeIdentity
from treetap.node import registry
from treetap.node.api import init, shutdown, slot, status


async def own_node() -> dict[str, object]:
    return {key: status()[key] for key in ("name", "id", "parent", "tree", "state")}


async def node_below() -> dict[str, object]:
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("leaf")
        return await portal.run(own_node)


async def call_init() -> str:
    init(name="its own idea")
    return status()["name"]


def nodes(home: Path) -> dict[str, NodeIdentity]:
    return {node.identity.name: node.identity for node in registry.live_nodes(str(home))}


@pytest.mark.parametrize("method", ["warm", "fresh"])
@trio.testing.trio_test
async def test_an_actor_is_a_node_with_its_own_name_below_its_parents(home: Path, method: str):
    async with open_nursery(start_method=method) as nursery:
        portal = await nursery.start_actor("worker")
        seen = await portal.run(own_node)
        root = slot.node.identity
        assert seen["name"] == "worker"
        assert seen["state"] == "sleeping"
        assert seen["parent"] == root.id
        assert seen["tree"] == root.tree
        assert nodes(home)["worker"].pid == portal.actor.pid
        below = await portal.run(node_below)
        assert below["name"] == "leaf"
        assert below["parent"] == seen["id"]
        assert below["tree"] == root.tree
    assert "worker" not in nodes(home)


@trio.testing.trio_test
async def test_an_actor_may_say_itself_what_it_is_called(home: Path):
    async with open_nursery() as nursery:
        assert await nursery.run(call_init) == "its own idea"


@trio.testing.trio_test
async def test_a_node_that_the_program_made_is_kept(home: Path):
    init(name="shop")
    try:
        async with open_nursery() as nursery:
            seen = await nursery.run(own_node)
            assert seen["parent"] == slot.node.identity.id
            assert "shop" in nodes(home)
    finally:
        shutdown()


def test_a_node_that_was_made_for_the_tree_goes_with_the_run(home: Path):
    async def main() -> None:
        async with open_nursery() as nursery:
            await nursery.run(act.pid)
        assert slot.node is not None

    trio.run(main)
    assert slot.node is None
    assert nodes(home) == {}


@trio.testing.trio_test
async def test_who_does_not_want_its_children_observed_has_actors_that_are_no_nodes(home: Path):
    init(follow_children=False)
    try:
        async with open_nursery() as nursery:
            seen = await nursery.run(own_node_or_none)
            assert seen is None
    finally:
        shutdown()


async def own_node_or_none() -> str | None:
    return slot.node.identity.id if slot.node is not None else None


@trio.testing.trio_test
async def test_a_home_that_can_not_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TREETAP_HOME", str(tmp_path / "file"))
    async with open_nursery() as nursery:
        assert await nursery.run(act.add, 1, 2) == 3
