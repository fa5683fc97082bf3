from __future__ import annotations

import asyncio
import bdb
import concurrent.futures

import pytest
import trio

from treetap.debug.crash import catch_crashes, is_crash


@pytest.mark.parametrize(
    "exc",
    [
        SystemExit(1),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
        concurrent.futures.CancelledError(),
        bdb.BdbQuit(),
        BaseExceptionGroup("all", [SystemExit(), asyncio.CancelledError()]),
        BaseExceptionGroup("nested", [BaseExceptionGroup("in", [KeyboardInterrupt()])]),
    ],
    ids=repr,
)
def test_the_ways_to_end_are_no_crashes(exc):
    assert not is_crash(exc)


@pytest.mark.parametrize(
    "exc",
    [
        ValueError(),
        ExceptionGroup("all", [ValueError()]),
        BaseExceptionGroup("mixed", [SystemExit(), ValueError()]),
    ],
    ids=repr,
)
def test_failures_are_crashes_also_among_others(exc):
    assert is_crash(exc)


def test_trios_cancellation_is_no_crash():
    seen = []

    async def main():
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep_forever()
            except trio.Cancelled as exc:
                seen.append(is_crash(exc))
                raise

    trio.run(main)
    assert seen == [False]


def test_what_is_ignored_or_filtered_opens_no_prompt_and_goes_on():
    asked = []

    def filter_it(exc):
        asked.append(exc)
        return False

    with pytest.raises(LookupError):
        with catch_crashes(ignore=LookupError, when=filter_it):
            raise KeyError
    with pytest.raises(ValueError):
        with catch_crashes(ignore=LookupError, when=filter_it):
            raise ValueError
    assert [type(exc) for exc in asked] == [ValueError]


def test_a_decorated_function_is_called_and_keeps_its_name():
    @catch_crashes()
    def add(a, b):
        return a + b

    assert (add(1, b=2), add.__name__) == (3, "add")
