"""Programs with chains and trees of actors, for the tests of their prompts."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING

from tests.conftest import wait_until
from treetap.debug.standing import WAITING, holders
from treetap.node.identity import process_start_ns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenario.pty_shell import Shell, Shells

#: A chain: the root, DEPTH - 1 branches (``m1`` is the leaf's parent), and the leaf. The first argument
#: is DEPTH, the second ``debug``, the third what the leaf does, the rest who else does what once the test
#: says so: ``m1:raise``, ``root:cancel``.
CHAIN = """
    import os, sys, trio
    from treetap import actor
    from treetap.actor import to_asyncio

    FOLDER = os.path.dirname(os.path.abspath(sys.argv[0]))

    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    async def told(word):
        while not os.path.exists(f"{FOLDER}/{word}"):
            await trio.sleep(0.01)

    async def leaf(how):
        sap = "sweet"
        if how == "crash":
            raise ValueError("the leaf broke")
        if how == "thread":
            await trio.to_thread.run_sync(stop)
        elif how == "asyncio":
            await to_asyncio.run_task(stop_in_asyncio)
        elif how == "step":
            breakpoint()
            await trio.sleep(60)
        else:
            breakpoint()
        say("leaf goes on")
        if how in ("linger", "thread", "asyncio"):
            try:
                await trio.sleep_forever()
            finally:
                say("leaf is cancelled")

    def stop():
        breakpoint()

    async def stop_in_asyncio():
        breakpoint()

    async def twig():
        raise KeyError("twig")

    async def upset(who, nursery, portal, call):
        for one, _, what in (word.partition(":") for word in sys.argv[4:]):
            if one != who:
                continue
            await told("now")
            say(who, "does", what)
            if what == "raise":
                raise LookupError(f"{who} broke")
            if what == "cancel":
                await portal.cancel()
                say("cancelled")
            if what == "timeout":
                call.cancel()
            if what == "context":
                await call.cancel()
                say("cancelled")
            if what == "start":
                await nursery.run(twig)

    async def linked(context, level, how):
        await context.started(None)
        await (branch(level, how) if level else leaf(how))

    async def go_down(me, nursery, portal, level, how):
        if f"{me}:context" in sys.argv:
            async with portal.open_context(linked, level - 1, how) as (context, _):
                await upset(me, nursery, portal, context)
            return
        async with trio.open_nursery() as tasks:
            call = trio.CancelScope()
            tasks.start_soon(upset, me, nursery, portal, call)
            with call:
                await portal.run(*((branch, level - 1, how) if level > 1 else (leaf, how)))
            tasks.cancel_scope.cancel()

    async def branch(level, how):
        me = f"m{level}" if level < int(sys.argv[1]) else "root"
        below = f"m{level - 1}" if level > 1 else "leaf"
        async with actor.open_nursery(debug=DEBUG if me == "root" else None) as nursery:
            portal = await nursery.start_actor(below)
            say(below, "is", portal.actor.pid)
            await go_down(me, nursery, portal, level, how)
        say(me, "is through")

    DEBUG = {"on": True, "off": False, "each": "each"}[sys.argv[2]]

    if __name__ == "__main__":
        trio.run(branch, int(sys.argv[1]), sys.argv[3])
"""


class Chain:
    """A running chain.

    Attributes:
        shell: Where it runs.
        pids: Of the actors by their names.
    """

    def __init__(
        self, shells: Shells, depth: int, leaf: str, *upsets: str, debug: str = "on"
    ) -> None:
        self.folder: Path = shells.folder
        self.depth = depth
        script = shells.program(CHAIN)
        self.shell: Shell = shells.plainly(sys.executable, script, str(depth), debug, leaf, *upsets)
        self.pids = {}
        for name in self.names:
            found = self.shell.expect(rf"{name} is (\d+)\n")
            self.pids[name] = int(found[1])

    @property
    def names(self) -> list[str]:
        """Of the actors, from the root's child down."""
        return [*(f"m{level}" for level in range(self.depth - 1, 0, -1)), "leaf"]

    def now(self) -> None:
        """Let happen what was asked for."""
        (self.folder / "now").touch()

    def wait_for_prompt_of(self, name: str) -> None:
        self.shell.expect(rf"treetap: {name} \(\d+\)")
        self.shell.prompt()

    def answers(self) -> None:
        """The leaf's prompt is as it should be."""
        self.shell.line("p sap * 2")
        self.shell.expect("'sweetsweet'")
        self.shell.prompt()

    def wait_for_waiting(self, name: str) -> None:
        """Until the broker knows that this one waits for the terminal."""
        wait_until(lambda: name in waiting_names(self.shell, self.folder / "home"))

    @property
    def said(self) -> list[str]:
        """The lines in which somebody says that it waits."""
        return re.findall(r"\S+ \(pid \d+ on .*\) ends when .* has left the prompt", self.shell.log)

    def is_alive(self, *names: str) -> bool:
        return set(self.shell.children()) >= {self.pids[name] for name in names or self.names}


def waiting_names(shell: Shell, home: Path) -> set[str]:
    """Who waits for the terminal of a program, by the broker."""
    tree = f"{shell.pid}-{process_start_ns(shell.pid):x}"
    return {one.name for one in holders(tree, home=str(home)) if one.state == WAITING}


def stays(shell: Shell, seconds: float) -> None:
    """Nothing happens for so long, but that somebody says that it waits.

    The one thing here that takes its time, for it is about time.
    """
    begin, until_s = len(shell.log), time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        shell._read(left_s)
    lines = shell.log[begin:].splitlines()
    assert [line for line in lines if "has left the prompt" not in line] == []


def prompts_in(log: str) -> list[str]:
    """Whose prompts a program has shown, in their order."""
    return re.findall(r"treetap: ([\w.-]+) \(\d+\)", log)
