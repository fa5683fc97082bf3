from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from tests.conftest import wait_until
from treetap.actor import open_nursery
from treetap.errors import ActorError

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes modules that this process and its actors find."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda name, code: (tmp_path / f"{name}.py").write_text(code)


async def is_loaded(name: str) -> bool:
    return name in sys.modules


async def pid_of_import(name: str) -> int:
    return sys.modules[name].PID


@trio.testing.trio_test
async def test_a_module_is_imported_once_for_all_warm_actors(module):
    module("treetap_shared", "import os; PID = os.getpid()")
    async with open_nursery(preload=["treetap_shared"]) as nursery:
        spawner = await nursery.run(act.parent_pid)
        for _ in range(2):
            assert await nursery.run(pid_of_import, "treetap_shared") == spawner


@trio.testing.trio_test
async def test_a_fresh_actor_imports_for_itself(module):
    module("treetap_own", "import os; PID = os.getpid()")
    async with open_nursery(start_method="fresh", preload=["treetap_own"]) as nursery:
        portal = await nursery.start_actor("worker")
        assert await portal.run(pid_of_import, "treetap_own") == portal.actor.pid


@trio.testing.trio_test
async def test_a_module_that_can_not_be_imported_is_told_and_may_be_mended(module, tmp_path: Path):
    module("treetap_bad", "1 / 0")
    async with open_nursery() as nursery:
        for _ in range(2):
            with pytest.raises(ActorError, match="ZeroDivisionError"):
                await nursery.start_actor("worker", preload=["treetap_bad"])
        (tmp_path / "treetap_bad.py").write_text("GOOD = True  # longer than it was")
        portal = await nursery.start_actor("worker", preload=["treetap_bad"])
        assert await portal.run(is_loaded, "treetap_bad")


@pytest.mark.parametrize(
    "code", ["raise SystemExit(3)", "import os; os._exit(3)", "import os; os.abort()"]
)
@trio.testing.trio_test
async def test_a_module_that_ends_its_process_ends_no_spawner(module, code: str):
    module("treetap_deadly", code)
    async with open_nursery() as nursery:
        before = await nursery.start_actor("before")
        with pytest.raises(ActorError) as caught:
            await nursery.start_actor("worker", preload=["treetap_deadly"])
        assert caught.value.slug == "actor-spawn"
        assert await before.run(act.add, 1, 2) == 3


@trio.testing.trio_test
async def test_a_module_that_starts_a_thread_is_refused(module):
    module(
        "treetap_threaded",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
    )
    async with open_nursery() as nursery:
        with pytest.raises(ActorError, match="thread"):
            await nursery.start_actor("worker", preload=["treetap_threaded"])
        portal = await nursery.start_actor(
            "worker", preload=["treetap_threaded"], start_method="fresh"
        )
        assert await portal.run(is_loaded, "treetap_threaded")


@trio.testing.trio_test
async def test_an_order_that_waits_for_a_module_can_be_cancelled(module, tmp_path: Path):
    module(
        "treetap_slow",
        "import os, time\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.005)\n",
    )
    async with open_nursery() as nursery:
        portal = await nursery.start_actor("before")
        with trio.move_on_after(0.2) as scope:
            await nursery.start_actor("worker", preload=["treetap_slow"])
        assert scope.cancelled_caught
        # The others needn't wait.
        assert await nursery.run(act.add, 1, 2) == 3
        assert nursery.actors == [portal.actor]
        (tmp_path / "go").write_text("")
        late = await nursery.start_actor("worker", preload=["treetap_slow"])
        assert await late.run(is_loaded, "treetap_slow")


@trio.testing.trio_test
async def test_two_orders_for_different_modules_are_both_served(module):
    for name in ("treetap_one", "treetap_two"):
        module(name, "import os; PID = os.getpid()")
    async with open_nursery() as nursery:
        seen = []

        async def start(name: str) -> None:
            portal = await nursery.start_actor(name, preload=[name])
            seen.append(await portal.run(is_loaded, name))

        async with trio.open_nursery() as tasks:
            for name in ("treetap_one", "treetap_two", "treetap_one"):
                tasks.start_soon(start, name)
        assert seen == [True] * 3


def test_a_rehearsal_that_hangs_ends_with_the_run(module):
    module("treetap_hanging", "import time; time.sleep(1000)")

    async def main() -> list[int]:
        async with open_nursery() as nursery:
            spawner = await nursery.run(act.parent_pid)
            with trio.move_on_after(0.1):
                await nursery.start_actor("worker", preload=["treetap_hanging"])
        # It goes on for now: others may wait for the same.
        return act.children_of(spawner)

    (rehearsal,) = trio.run(main)
    wait_until(lambda: not act.is_there(rehearsal))
