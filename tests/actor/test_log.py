from __future__ import annotations

import logging
import os

import pytest
import trio.testing

from treetap.actor import current_actor, log, open_nursery

pytestmark = pytest.mark.usefixtures("home")


async def say(text: str, level: int) -> int:
    logging.getLogger("shop.orders").log(level, text)
    return os.getpid()


async def say_in_own_format(text: str) -> None:
    logging.basicConfig(format="%(processName)s said %(message)s", force=True)
    logging.getLogger("shop").warning(text)


@pytest.mark.parametrize("method", ["warm", "fresh"])
@trio.testing.trio_test
async def test_each_line_names_the_actor_and_its_process(
    method: str, capfd: pytest.CaptureFixture[str]
):
    async with open_nursery(start_method=method, loglevel="INFO") as nursery:
        portal = await nursery.start_actor("worker")
        pid = await portal.run(say, "something new", logging.INFO)
    line = next(each for each in capfd.readouterr().err.splitlines() if "something new" in each)
    assert f"INFO [worker {pid}] shop.orders: something new" in line


@trio.testing.trio_test
async def test_a_format_of_the_programs_own_finds_the_name_in_the_record(
    capfd: pytest.CaptureFixture[str],
):
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("worker")
        await portal.run(say_in_own_format, "hello")
    assert "worker said hello" in capfd.readouterr().err


@trio.testing.trio_test
async def test_the_level_is_the_parents_unless_one_is_given(capfd: pytest.CaptureFixture[str]):
    root = logging.getLogger()
    before = root.level
    try:
        async with open_nursery() as nursery:
            for level, name in ((logging.ERROR, "strict"), (logging.DEBUG, "open")):
                root.setLevel(level)
                portal = await nursery.start_actor(name)
                await portal.run(say, f"from the {name}", logging.WARNING)
            root.setLevel(logging.ERROR)
            portal = await nursery.start_actor("asked", loglevel=logging.WARNING)
            await portal.run(say, "from the asked", logging.WARNING)
    finally:
        root.setLevel(before)
    said = capfd.readouterr().err
    assert "from the strict" not in said
    assert "from the open" in said
    assert "from the asked" in said


async def grandchild_says() -> None:
    async with open_nursery() as nursery:
        portal = await nursery.start_actor(f"{current_actor().name}.child")
        await portal.run(say, "from below", logging.INFO)


@trio.testing.trio_test
async def test_the_level_is_handed_down(capfd: pytest.CaptureFixture[str]):
    async with open_nursery(loglevel="info") as nursery:
        await nursery.run(grandchild_says)
    assert "[grandchild_says.child" in capfd.readouterr().err


def test_a_level_is_a_name_a_number_or_that_of_the_root_logger():
    assert log.level_of("debug") == logging.DEBUG
    assert log.level_of(21) == 21
    assert log.level_of(None) == logging.getLogger().level
    with pytest.raises(ValueError, match="LOUD"):
        log.level_of("LOUD")
