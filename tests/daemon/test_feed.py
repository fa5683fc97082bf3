from __future__ import annotations

import asyncio

import pytest

from treetap.daemon.feed import About, Feed, FeedFilter, Happening


def hits(*numbers: int, probe: str = "p1", node: str = "n1", made: list | None = None) -> Happening:
    def make() -> list:
        if made is not None:
            made.append(numbers)
        return [{"kind": "hit", "number": number} for number in numbers]

    return Happening("hit", About(probe, node, "t1", 11), len(numbers), make)


def numbers(events) -> list:
    return [event["number"] for event in events]


def test_a_listener_gets_what_happens_after_it_began():
    async def scenario():
        feed = Feed()
        feed.publish(hits(0))
        listener = feed.listen()
        feed.publish(hits(1, 2))
        feed.publish(hits(3))
        assert numbers(await listener.next(1)) == [1, 2, 3]
        listener.close()
        assert feed.listener_count == 0

    asyncio.run(scenario())


def test_silence_is_an_empty_list_and_the_end_is_none():
    async def scenario():
        feed = Feed()
        listener = feed.listen()
        assert await listener.next(0.001) == []
        waiting = asyncio.create_task(listener.next(10))
        await asyncio.sleep(0)
        feed.close()
        assert await waiting is None
        assert await feed.listen().next(10) is None

    asyncio.run(scenario())


def test_what_came_before_the_end_is_told_before_the_end():
    async def scenario():
        feed = Feed()
        listener = feed.listen()
        feed.publish(hits(1, 2))
        feed.close()
        assert numbers(await listener.next(10)) == [1, 2]
        assert await listener.next(10) is None

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("wanted", "is_matching"),
    [
        (FeedFilter(), True),
        (FeedFilter(probe="p1"), True),
        (FeedFilter(probe="p2"), False),
        (FeedFilter(node="n1", tree="t1", pid=11), True),
        (FeedFilter(node="n1", tree="t2"), False),
        (FeedFilter(pid=12), False),
    ],
)
def test_a_filter_lets_through_what_it_says(wanted, is_matching):
    assert wanted.matches(hits(1).about) is is_matching


def test_a_slow_listener_loses_its_oldest_and_is_told_how_many_and_no_other_notices():
    async def scenario():
        feed = Feed()
        slow, quick = feed.listen(max_rows=5), feed.listen(max_rows=100)
        for first in range(0, 20, 2):
            feed.publish(hits(first, first + 1))
        loss, *kept = await slow.next(1)
        assert loss == {"kind": "loss", "where": "stream", "lost": 16}
        assert numbers(kept) == [16, 17, 18, 19]
        assert numbers(await quick.next(1)) == list(range(20))
        feed.publish(hits(99))
        assert numbers(await slow.next(1)) == [99]

    asyncio.run(scenario())


def test_events_are_made_once_for_all_and_only_if_somebody_takes_them():
    async def scenario():
        made: list = []
        feed = Feed()
        feed.publish(hits(0, made=made))
        first, second = feed.listen(), feed.listen()
        unread = feed.listen(FeedFilter(probe="p9"))
        feed.publish(hits(1, made=made))
        assert made == []
        await first.next(1)
        await second.next(1)
        assert made == [(1,)]
        unread.close()

    asyncio.run(scenario())


def test_much_that_waits_comes_in_portions():
    async def scenario():
        feed = Feed()
        listener = feed.listen(max_rows=100_000)
        for first in range(0, 10_000, 100):
            feed.publish(hits(*range(first, first + 100)))
        first_portion = await listener.next(1)
        assert 2000 <= len(first_portion) < 3000
        total = len(first_portion)
        while total < 10_000:
            total += len(await listener.next(1))
        assert await listener.next(0.001) == []

    asyncio.run(scenario())
