from __future__ import annotations

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from treetap.actor import ActorId, current_actor, open_nursery
from treetap.errors import ActorError

pytestmark = pytest.mark.usefixtures("home")


async def who() -> ActorId:
    return current_actor()


@trio.testing.trio_test
async def test_every_actor_knows_who_it_is():
    async with open_nursery() as nursery:
        me = current_actor()
        assert me.name == "root"
        assert me.pid == act.os.getpid()
        portal = await nursery.start_actor("worker")
        assert await portal.run(who) == portal.actor
        assert portal.actor.tree == me.tree
        assert portal.actor.uid != me.uid


@trio.testing.trio_test
async def test_the_root_may_have_a_name():
    async with open_nursery(name="boss"):
        assert current_actor().name == "boss"
        async with open_nursery(name="too late"):
            assert current_actor().name == "boss"


@trio.testing.trio_test
async def test_without_a_tree_nobody_is_anybody():
    with pytest.raises(ActorError) as caught:
        current_actor()
    assert caught.value.slug == "actor-no-tree"


def test_a_run_after_another_begins_anew():
    async def main() -> str:
        async with open_nursery() as nursery:
            assert await nursery.run(act.add, 1, 2) == 3
            return current_actor().uid

    assert trio.run(main) != trio.run(main)


@trio.testing.trio_test
async def test_a_function_of_the_parents_can_be_called_from_below():
    async with open_nursery() as nursery:
        assert await nursery.run(call_root) == (act.os.getpid(), "root")


async def call_root() -> tuple[int, str]:
    from treetap.actor import find_actor

    async with find_actor("root") as root:
        assert root is not None
        return await root.run(act.pid), await root.run(act.name)
