from __future__ import annotations

import asyncio

from tests.dap.conftest import OBSERVED, Observed, Watched, line_of, until, watching
from treetap import dap

FILE = str(OBSERVED)
CHILD_FILE = OBSERVED.with_name("observed_child.py")
HIT, SQUARE = line_of("HIT"), line_of("SQUARE", CHILD_FILE)


def test_a_child_that_nobody_takes_runs_on_free(program: Observed):
    async def scenario() -> None:
        async with watching(program) as watched:
            await watched.session.set_logpoints(FILE, [dap.Logpoint("v", HIT, ("value",))])
            assert await program.do("spawn()[:2]") == "(0, '16')"
            assert watched.faults == []

    asyncio.run(scenario())


def test_a_child_that_is_attached_is_observed_from_its_first_line(program: Observed):
    async def scenario() -> None:
        children: list[tuple[dap.Child, Watched]] = []

        async def configure(session: dap.Session) -> None:
            point = dap.Logpoint("s", SQUARE, ("square",))
            await session.set_logpoints(str(CHILD_FILE), [point])

        async def on_child(child: dap.Child) -> None:
            watched = Watched()
            await watched.attach(child.host, child.port, child_pid=child.pid, configure=configure)
            children.append((child, watched))

        async with watching(program, on_child=on_child) as parent:
            await program.do("start()")
            await until(lambda: children)
            [(child, watched)] = children
            await until(lambda: watched.hits)
            assert watched.values("s") == [(16,)]
            assert child.pid == watched.session.pid != parent.session.pid
            assert await program.do("finish()") == "0"
            await until(lambda: watched.ends)
            await watched.session.close()

    asyncio.run(scenario())


def test_a_child_whose_taker_fails_is_let_go(program: Observed):
    async def scenario() -> None:
        async def on_child(child: dap.Child) -> None:
            raise ValueError("no room")

        async with watching(program, on_child=on_child) as watched:
            assert await program.do("spawn()[:2]") == "(0, '16')"
            [fault] = watched.faults
            assert fault.kind == "child"
            assert "no room" in fault.text

    asyncio.run(scenario())
