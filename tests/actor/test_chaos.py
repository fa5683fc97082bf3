"""Everything at once, both ways, with cancellations at any moment: nothing is lost, or left."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from tests.actor.pair import open_pair, open_process
from treetap.actor.context import Context
from treetap.errors import ActorError

#: What arrived, by conversation; the other end is in this process too.
arrived: dict[int, list[int]] = {}


class Odd(Exception): ...


async def work(seed: int) -> int:
    chance = random.Random(seed)
    for _ in range(chance.randrange(4)):
        await trio.sleep(chance.random() / 1000)
    if chance.random() < 0.2:
        raise Odd(seed)
    return seed


async def converse(ctx: Context[int, int, None], seed: int) -> int:
    chance = random.Random(seed)
    inbox = arrived.setdefault(seed, [])
    await ctx.started(None)
    async with ctx.open_stream(max_messages=chance.choice([1, 2, 10])) as stream:
        async for value in stream:
            inbox.append(value)
            if chance.random() < 0.01:
                raise Odd(seed)
            if chance.random() < 0.5:
                await stream.send(value)
    return len(inbox)


async def call_at_random(portal: Any, chance: random.Random) -> None:
    seed = chance.getrandbits(40)
    with trio.move_on_after(chance.random() / 300):
        try:
            assert await portal.run(work, seed) == seed
        except Odd as exc:
            assert exc.args == (seed,)


async def converse_at_random(portal: Any, chance: random.Random) -> None:
    seed = chance.getrandbits(40)
    sent, echoed = [], []

    async def send_all(stream: Any) -> None:
        for number in range(100):
            with trio.move_on_after(chance.random() / 1000):
                await stream.send(number)
                sent.append(number)
        await stream.send_eof()

    finished = False
    with trio.move_on_after(chance.choice([0.01, 0.05, 10])):
        try:
            async with portal.open_context(converse, seed) as (ctx, _):
                async with (
                    ctx.open_stream(max_messages=3) as stream,
                    trio.open_nursery() as nursery,
                ):
                    nursery.start_soon(send_all, stream)
                    async for value in stream:
                        echoed.append(value)
                assert await ctx.result() == len(sent)
                finished = True
        except* Odd:
            pass
    there = arrived.pop(seed, [])
    # What was acknowledged and then thrown away by an end may be missing, but only at the end.
    assert there == (sent if finished else sent[: len(there)])
    remaining = iter(there)
    assert all(value in remaining for value in echoed)


async def rounds(action: Any, portal: Any, chance: random.Random, count: int) -> None:
    for _ in range(count):
        await action(portal, chance)


@pytest.mark.parametrize("seed", range(4))
@trio_test
async def test_both_sides_call_converse_fail_and_cancel_at_random(seed):
    async with open_pair() as (near, far):
        with trio.fail_after(50):
            async with trio.open_nursery() as nursery:
                for number in range(10):
                    chance = random.Random(f"{seed} {number}")
                    portal = (near if number % 2 else far).portal
                    nursery.start_soon(rounds, call_at_random, portal, chance, 40)
                    nursery.start_soon(rounds, converse_at_random, portal, chance, 8)
        await wait_all_tasks_blocked()
        for peer in (near, far):
            assert not peer._outgoing
            assert not peer._incoming
            assert not peer._service.child_tasks
            assert peer.sender._outbox.size_bytes == 0
            assert not peer.fault
        assert await near.portal.run(len_of, [1]) == 1


async def len_of(values: list[int]) -> int:
    return len(values)


@trio_test
async def test_a_process_that_is_killed_in_the_midst_of_it_leaves_nobody_waiting():
    async def until_it_dies(action: Any, portal: Any, chance: random.Random) -> None:
        is_dead = False
        while not is_dead:
            try:
                await action(portal, chance)
            except* Odd:
                pass
            except* ActorError:
                is_dead = True

    with trio.fail_after(50):
        for seed in range(3):
            async with open_process() as (process, peer), trio.open_nursery() as nursery:
                for number in range(10):
                    chance = random.Random(f"{seed} {number}")
                    nursery.start_soon(until_it_dies, call_at_random, peer.portal, chance)
                    nursery.start_soon(until_it_dies, ignore_echoes, peer.portal, chance)
                await trio.sleep(0.1 + seed / 20)
                process.kill()
            assert not peer._outgoing


async def ignore_echoes(portal: Any, chance: random.Random) -> None:
    async with portal.open_context(converse, chance.getrandbits(40)) as (ctx, _):
        async with ctx.open_stream() as stream:
            for number in range(100):
                await stream.send(number)
