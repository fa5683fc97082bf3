from __future__ import annotations

import types

from treetap.stack import coroutine


@types.coroutine
def trap():
    yield


async def inner():
    await trap()


async def generator():
    await inner()
    yield 1


async def outer():
    async for _ in generator():
        pass


def names(awaitable) -> list[str]:
    return [frame.f_code.co_name for frame in coroutine.frames(awaitable)]


def test_the_frames_of_what_waits_go_through_asynchronous_generators_and_generators():
    waits = outer()
    waits.send(None)
    assert names(waits) == ["outer", "generator", "inner", "trap"]
    assert coroutine.frames(waits)[1].f_lineno == generator.__code__.co_firstlineno + 1
    waits.close()


def test_what_has_not_begun_stands_at_its_head_and_what_is_over_stands_nowhere():
    fresh = outer()
    assert names(fresh) == ["outer"]
    fresh.close()
    assert names(fresh) == []
    assert coroutine.own_frame(fresh) is None


def test_what_is_no_coroutine_has_no_frames_and_is_asked_nothing():
    class Sly:
        def __getattr__(self, name):
            raise AssertionError(name)

    assert coroutine.frames(Sly()) == []
    assert coroutine.frames(None) == []
