"""What there is of processes, by ``/proc`` alone; and functions that actors are asked to run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import trio

from tests.process.programs import until
from treetap.actor import current_actor, open_nursery

#: A grace for actors that end in order: a busy machine may take long to let them.
PATIENCE_S = 30.0


def state_of(pid: int) -> str:
    """The kernel's letter for the state of a process; ``""`` if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_there(pid: int) -> bool:
    """Whether there is such a process, a zombie being one."""
    return bool(state_of(pid))


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def marked(text: str) -> dict[int, str]:
    """The processes in whose environment ``text`` is, zombies left out: pid and command line."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            environment = Path(f"/proc/{entry}/environ").read_bytes()
            shown = Path(f"/proc/{entry}/cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in environment:
            found[int(entry)] = shown.replace(b"\0", b" ").decode(errors="replace")
    return found


def children_of(pid: int) -> list[int]:
    """All children of a process, zombies among them; none if it has ended."""
    assert pid > 1
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


async def cancel_when(begun: Callable[[], object], scope: trio.CancelScope) -> None:
    """Cancel ``scope`` once ``begun`` gives something true.

    A limit of time instead might end before what is to be cancelled has begun.
    """
    await until(begun)
    scope.cancel()


async def gone(*pids: int, within_s: float = 30.0) -> None:
    """Wait until there is none of these processes."""
    with trio.fail_after(within_s):
        while any(is_there(pid) for pid in pids):
            await trio.sleep(0.002)


# What actors run.


async def pid() -> int:
    return os.getpid()


async def parent_pid() -> int:
    return os.getppid()


async def add(a: int, b: int) -> int:
    return a + b


async def name() -> str:
    return current_actor().name


async def fail(text: str) -> None:
    raise ValueError(text)


async def wait_forever() -> None:
    await trio.sleep_forever()


async def be_stuck() -> None:
    time.sleep(1000)


async def be_stuck_in_c() -> None:
    sum(range(10**12))


async def end_at_once(code: int) -> None:
    os._exit(code)


async def kill_oneself(number: int) -> None:
    os.kill(os.getpid(), number)
    await trio.sleep_forever()


async def write_when_cancelled(path: str, delay_s: float = 0.0) -> None:
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(delay_s)
        Path(path).write_text("cancelled")


async def start_program(*words: str) -> int:
    return subprocess.Popen([sys.executable, "-c", *words]).pid


async def grow(depth: int, width: int, folder: str, then: str = "wait") -> None:
    """Be a tree: each level starts ``width`` actors; every process writes its pid into ``folder``.

    What ``then`` says is done by the leaves.
    """
    me = current_actor()
    Path(folder, f"{depth}-{me.name}-{me.uid}").write_text(str(os.getpid()))
    if not depth:
        if then == "fail":
            raise ValueError("a leaf fell")
        if then == "stuck":
            time.sleep(1000)
        await trio.sleep_forever()
    async with open_nursery() as nursery:

        async def branch(number: int) -> None:
            portal = await nursery.start_actor(f"{me.name}.{number}")
            await portal.run(grow, depth - 1, width, folder, then)

        async with trio.open_nursery() as tasks:
            for number in range(width):
                tasks.start_soon(branch, number)


def written_pids(folder: Path, count: int) -> list[int] | None:
    """What ``grow`` wrote, once there are ``count``."""
    texts = [path.read_text() for path in folder.iterdir() if path.is_file()]
    return [int(text) for text in texts] if len(texts) == count and all(texts) else None


async def grown(folder: Path, count: int, within_s: float = 60.0) -> list[int]:
    """Wait until a tree of ``count`` actors is up; their pids."""
    with trio.fail_after(within_s):
        while True:
            pids = written_pids(folder, count)
            if pids is not None:
                return pids
            await trio.sleep(0.005)


def name_of_signal(number: int) -> str:
    return signal.Signals(number).name
