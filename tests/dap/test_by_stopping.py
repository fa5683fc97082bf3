"""delve and lldb-dap: as they were recorded; and, where they are installed, themselves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.dap.conftest import Watched, until
from tests.dap.fake_adapter import adapter
from tests.dap.recording import Replay, file_of
from treetap import dap
from treetap.model.probe import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAMS = Path(__file__).parent / "programs"
LLDB = next(filter(None, map(shutil.which, ("lldb-dap", "lldb-vscode-14", "lldb-vscode"))), None)
INSTALLED = {"go": shutil.which("dlv") and shutil.which("go"), "c": LLDB and shutil.which("gcc")}
#: As the compilers are told to call the files, wherever they are.
FILES = {"go": "observed/main.go", "c": "/srv/shop/observed.c"}
SOURCES = {"go": PROGRAMS / "go" / "main.go", "c": PROGRAMS / "observed.c"}
ORDERS: dict[str, dict[str, Any]] = {
    "go": {
        "$": "object",
        "type": "main.Order",
        "fields": [
            ["ID", 7],
            ["Name", 'a "name"'],
            ["Lines", {"$": "list", "type": "[]float64", "items": [1.5, 2], "len": 2}],
        ],
        "len": 3,
    },
    "c": {
        "$": "object",
        "type": "order",
        "fields": [
            ["id", 7],
            ["name", 'a "name"'],
            ["lines", {"$": "list", "type": "double[2]", "items": [1.5, 2], "len": 2}],
        ],
        "len": 3,
    },
}


def total_line(language: str) -> int:
    lines = SOURCES[language].read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if "TOTAL" in line)


@contextlib.asynccontextmanager
async def running(language: str, directory: Path) -> AsyncIterator[tuple[int, int]]:
    """Build the program and run it with its adapter; the adapter's port, and the program's pid."""
    built = directory / "observed"
    if language == "go":
        shutil.copytree(PROGRAMS / "go", directory / "source")
        build = ["go", "build", "-trimpath", "-gcflags=-N -l", "-o", str(built), "."]
        await asyncio.to_thread(subprocess.run, build, cwd=directory / "source", check=True)
    else:
        renamed = f"-fdebug-prefix-map={PROGRAMS}=/srv/shop"
        build = ["gcc", "-g", "-O0", renamed, "-o", str(built), str(SOURCES["c"])]
        await asyncio.to_thread(subprocess.run, build, check=True)
    program = subprocess.Popen([built])
    with contextlib.ExitStack() as stack:
        stack.callback(program.wait)
        stack.callback(program.kill)
        port, adapter_process = await start_adapter(language, program.pid)
        stack.enter_context(adapter_process)
        stack.callback(adapter_process.kill)
        # delve listens a moment before it lets the program go: see attaching.
        await until(lambda: is_going(program.pid))
        yield port, program.pid
        assert program.poll() is None, "it didn't outlive its session"


def is_going(pid: int) -> bool:
    """Whether no debugger has it stopped."""
    status = Path(f"/proc/{pid}/status").read_text()
    return re.search(r"State:\s+[SR]", status) is not None


async def start_adapter(language: str, pid: int) -> tuple[int, Any]:
    if language == "go":
        command = ["dlv", "attach", str(pid), "--headless", "--accept-multiclient", "--continue"]
        command += ["--api-version=2", "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        line = await asyncio.to_thread(process.stdout.readline)
        return int(line.rsplit(":", 1)[1]), process
    first = 41_000 + os.getpid() % 1000 * 10
    for port in range(first, first + 10):  # it can't be told to choose one itself
        process = subprocess.Popen([str(LLDB), "--port", str(port)])
        while process.poll() is None:
            with contextlib.suppress(OSError):
                # Whoever has connected has used it up: so look at who listens.
                if f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text():
                    return port, process
            await asyncio.sleep(0.02)
    raise AssertionError("no free port")


async def observe(language: str, port: int, pid: int) -> Watched:
    """Two hits with all there is, and a logpoint whose condition fails."""
    watched = Watched()
    await watched.attach(
        "127.0.0.1", port, language, pid=pid if language == "c" else 0, configure=None
    )
    point = dap.Logpoint(
        "a",
        total_line(language),
        ("total", "note", "nope", "order", "count", *(("long",) if language == "go" else ())),
        condition="count % 10 == 3",
        wants_stack=True,
        wants_locals=True,
        limits=Limits(max_depth=3, max_items=100, max_chars=10_000, max_fields=20),
    )
    [placed] = await watched.session.set_logpoints(FILES[language], [point])
    assert placed == dap.Placed("a", True, total_line(language))
    await until(lambda: len(watched.hits) >= 2)
    counts = await watched.session.counts()
    assert counts["a"].recorded >= 2
    await watched.session.close()
    return watched


def check(language: str, watched: Watched) -> None:
    assert watched.faults == []
    assert watched.ends == ["closed"]
    first, second = watched.hits[:2]
    assert (first.number, second.number) == (0, 1)
    total, note, nope, order, count, *long = first.values
    assert total == 3.5
    assert note == 'a|b\n"é" {x} ...+5 more'
    assert nope["$"] == "error"
    assert "nope" in nope["text"]
    assert order == ORDERS[language]
    assert count % 10 == 3
    if language == "go":
        assert long == ["é|\n" * 1500]
    assert first.function in ("main.handle", "handle")
    assert first.snapshot
    assert first.snapshot["stack"][0] == [first.function, FILES[language], total_line(language)]
    assert ["total", 3.5] in first.snapshot["locals"]
    assert ["order", ORDERS[language]] in first.snapshot["locals"]


@pytest.mark.parametrize("language", ["go", "c"])
def test_what_the_adapter_said_when_it_was_recorded_is_understood(language: str):
    async def scenario() -> None:
        async with adapter(Replay(file_of(language))) as port:
            check(language, await observe(language, port, 4711))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "language",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(not INSTALLED[name], reason=f"needs the adapter of {name}"),
        )
        for name in INSTALLED
    ],
)
def test_the_adapter_itself_is_understood_and_its_program_lives_on(language: str, tmp_path: Path):
    async def scenario() -> None:
        async with running(language, tmp_path) as (port, pid):
            check(language, await observe(language, port, pid))
            # Not left at a breakpoint: delve would.
            await until(lambda: is_going(pid))

    asyncio.run(scenario())
