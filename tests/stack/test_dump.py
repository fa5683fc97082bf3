"""Dumps of this process, taken from another thread while a loop runs in one."""

from __future__ import annotations

import asyncio
import functools
import threading
import types
from contextlib import contextmanager
from pathlib import Path

import trio

from tests.conftest import wait_until
from treetap.stack import dump, text

HERE = __file__
LINES = Path(HERE).read_text().splitlines()


def line_of(mark: str) -> int:
    return next(n for n, line in enumerate(LINES, 1) if line.endswith(f"# {mark}"))


def tree(loop: dict) -> list[tuple[int, str]]:
    return [(row["depth"], row["name"].rpartition(".")[2]) for row in loop["tasks"]]


def row(loop: dict, name: str) -> dict:
    (found,) = [row for row in loop["tasks"] if row["name"].rpartition(".")[2] == name]
    return found


def own_places(frames: list) -> list[tuple[int, str]]:
    return [(line, function.rpartition(".")[2]) for file, line, function in frames if file == HERE]


def loop_of(kind: str, thread: threading.Thread) -> dict:
    loops = [found for found in dump.take()["loops"] if found["thread"] == thread.ident]
    return next((found for found in loops if found["kind"] == kind), {"tasks": []})


async def trio_leaf():
    await trio.sleep_forever()  # trio leaf


async def trio_starts(task_status=trio.TASK_STATUS_IGNORED):
    task_status.started()
    await trio_leaf()  # starts


async def trio_middle():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio_leaf, name="first")
        nursery.start_soon(trio_leaf, name="second")
        async with trio.open_nursery() as other:
            await other.start(trio_starts)
            await trio.sleep_forever()  # middle


def has_settled(loop: dict) -> bool:
    """All have come to where they wait for ever."""
    waiting = [line for row in loop["tasks"] for line, _name in own_places(row["frames"])]
    return line_of("middle") in waiting and waiting.count(line_of("trio leaf")) == 3


@contextmanager
def in_trio(main):
    """``main`` runs in a thread of its own, until the block's end."""
    begun = threading.Event()
    known: list = []

    async def run():
        with trio.CancelScope() as scope:
            known.extend((trio.lowlevel.current_trio_token(), scope))
            begun.set()
            await main()

    thread = threading.Thread(target=trio.run, args=(run,), name="trio thread", daemon=True)
    thread.start()
    assert begun.wait(20)
    try:
        yield thread
    finally:
        known[0].run_sync_soon(known[1].cancel)
        thread.join(20)


def test_trio_tasks_stand_below_their_parents_in_their_nurseries_each_where_it_waits():
    with in_trio(trio_middle) as thread:
        found = wait_until(lambda: (f := loop_of("trio", thread)) and has_settled(f) and f, 20)
        # trio's own come first: the task that runs everything, and the one that hears other threads.
        assert tree(found) == [
            (0, "<init>"),
            (1, "run_sync_soon task>"),
            (1, "run"),
            (2, "first"),
            (2, "second"),
            (2, "trio_starts"),
        ]
        assert [row(found, name)["nursery"] for name in ("first", "second", "trio_starts")] == [
            0,
            0,
            1,
        ]
        assert own_places(row(found, "first")["frames"]) == [(line_of("trio leaf"), "trio_leaf")]
        starts = [(line_of("starts"), "trio_starts"), (line_of("trio leaf"), "trio_leaf")]
        assert own_places(row(found, "trio_starts")["frames"]) == starts
        assert (line_of("middle"), "trio_middle") in own_places(row(found, "run")["frames"])
        assert {each["state"] for each in found["tasks"]} == {"waits"}


def test_a_trio_task_that_blocks_its_loop_runs_and_one_that_is_cancelled_says_so():
    gate = threading.Event()

    async def shielded(begun, over):
        with trio.CancelScope(shield=True):
            begun.set()
            await over.wait()

    async def blocks():
        begun, over = trio.Event(), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio_leaf, name="doomed")
            nursery.start_soon(shielded, begun, over)
            await begun.wait()
            nursery.cancel_scope.cancel()
            gate.wait(20)  # blocks
            over.set()

    with in_trio(blocks) as thread:
        try:
            found = wait_until(lambda: (f := loop_of("trio", thread)) and has_blocked(f) and f, 20)
            assert row(found, "run")["state"] == "runs"
            doomed = row(found, "doomed")
            assert (doomed["is_cancelled"], doomed["state"]) == (True, "is ready")
            assert not row(found, "shielded")["is_cancelled"]
        finally:
            gate.set()


def has_blocked(loop: dict) -> bool:
    return any((line_of("blocks"), "blocks") in own_places(row["frames"]) for row in loop["tasks"])


async def leaf():
    await asyncio.sleep(1000)  # leaf


async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(leaf(), name="in group")
        await asyncio.sleep(1000)


async def gathers():
    await asyncio.gather(asyncio.create_task(leaf(), name="gathered"), return_exceptions=True)


async def waits():
    await asyncio.wait([asyncio.create_task(leaf(), name="waited for")])


async def awaits():
    await asyncio.create_task(grouped(), name="awaited")


async def limits():
    await asyncio.wait_for(asyncio.create_task(leaf(), name="limited"), 1000)


async def alone():
    await leaf()


@contextmanager
def in_asyncio(*functions):
    begun = threading.Event()
    known: list = []

    async def main():
        tasks = [asyncio.create_task(f(), name=f.__name__) for f in functions]
        over = asyncio.Event()
        known.extend((asyncio.get_running_loop(), over))
        begun.set()
        await over.wait()
        for task in tasks:
            task.cancel()

    thread = threading.Thread(
        target=asyncio.run, args=(main(),), name="asyncio thread", daemon=True
    )
    thread.start()
    assert begun.wait(20)
    try:
        yield thread
    finally:
        known[0].call_soon_threadsafe(known[1].set)
        thread.join(20)


def test_asyncio_tasks_stand_below_the_one_that_waits_for_them():
    def asleep(found):
        """All six of the tasks that end in a leaf have come there."""
        places = [own_places(row["frames"]) for row in found["tasks"]]
        return len(places) == 13 and sum((line_of("leaf"), "leaf") in each for each in places) == 6

    with in_asyncio(grouped, gathers, waits, awaits, limits, alone) as thread:
        found = wait_until(lambda: (f := loop_of("asyncio", thread)) and asleep(f) and f)
        parents: dict[str, list[str]] = {}
        path: list[str] = []
        for depth, name in tree(found):
            path[depth:] = [name]
            parents.setdefault(path[depth - 1] if depth else "", []).append(name)
        assert [name for name in parents.pop("") if not name.startswith("Task-")] == [
            "alone", "awaits", "gathers", "grouped", "limits", "waits",
        ]  # fmt: skip
        assert parents == {
            "gathers": ["gathered"],
            "waits": ["waited for"],
            "limits": ["limited"],
            "awaits": ["awaited"],
            "awaited": ["in group"],
            "grouped": ["in group"],
        }
        assert own_places(row(found, "limited")["frames"]) == [(line_of("leaf"), "leaf")]
        assert [name for _line, name in own_places(row(found, "alone")["frames"])] == [
            "alone",
            "leaf",
        ]


class Lazy:
    """As a ``LocalProxy`` outside of its context is; says what it was asked for."""

    asked: list[str] = []

    def __getattribute__(self, name):
        Lazy.asked.append(name)
        raise RuntimeError("working outside of request context")


class OddTask(asyncio.Task):
    """Of a task factory of the program's own, and with a fault."""

    def get_name(self):
        raise RuntimeError("no name")

    get_coro = get_loop = get_name


class Called(functools.partial):
    @property
    def args(self):
        Lazy.asked.append("args")
        raise RuntimeError


def test_what_a_callback_holds_is_not_asked_for_anything():
    lazy = Lazy()

    async def holds():
        callbacks = asyncio.current_task().add_done_callback
        callbacks(lambda _task: lazy)
        callbacks(functools.partial(print, lazy))
        callbacks(types.MethodType(print, lazy))
        callbacks(Called(print))
        await grouped()

    Lazy.asked.clear()
    with in_asyncio(holds) as thread:
        wait_until(lambda: (1, "in group") in tree(loop_of("asyncio", thread)), 20)
        assert not Lazy.asked


def test_an_odd_task_hides_no_other_one():
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(leaf(), name="idle"), OddTask(leaf(), loop=loop)]
    try:
        found = dump.take()
        names = {row["name"]: row["state"] for each in found["loops"] for row in each["tasks"]}
        assert names["idle"] == "is ready"
        assert names["OddTask"] == "can't be read: RuntimeError"
        assert not found["faults"]
    finally:
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks))
        loop.close()


def test_a_loop_that_does_not_run_has_its_tasks_all_the_same():
    loop = asyncio.new_event_loop()
    task = loop.create_task(leaf(), name="idle")
    try:
        found = [l for l in dump.take()["loops"] if any(r["name"] == "idle" for r in l["tasks"])]
        assert [(each["kind"], each["thread"]) for each in found] == [("asyncio", 0)]
    finally:
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()


def test_threads_are_told_with_their_names_and_places_the_main_one_first():
    gate = threading.Event()
    named = threading.Thread(target=gate.wait, args=(20,), name="worker\x1b[31m", daemon=True)
    named.start()
    try:
        found = dump.take()
        names = [each["name"] for each in found["threads"]]
        assert names[0] == threading.main_thread().name
        assert named.name in names
        (worker,) = [each for each in found["threads"] if each["name"] == named.name]
        assert worker["is_daemon"]
        assert worker["at"] == ""
        shown = "\n".join(text.lines(found))
        assert "thread worker\\x1b[31m (daemon)" in shown
        assert "\x1b" not in shown
        assert f"{HERE}:" in shown
        assert "found = dump.take()" in shown
    finally:
        gate.set()
        named.join(20)


def test_a_trio_unlike_the_one_that_is_known_leaves_the_threads():
    strange = object.__new__(trio._core._run.Runner)
    strange.init_task = object()
    names = {"__name__": "trio._core._run", "dump": dump}
    exec("def run(runner): return dump.take()", names)
    found = names["run"](strange)
    assert found["threads"]
    (fault,) = found["faults"]
    assert fault.startswith("trio_loop: AttributeError: ")
    assert f"not read: {fault}" in list(text.lines(found))
