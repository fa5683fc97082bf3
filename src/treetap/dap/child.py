"""A process that the debuggee started, and that its adapter holds until somebody says what to do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.dap import opening
from treetap.dap.channel import Channel

if TYPE_CHECKING:
    from treetap.dap.message import Message


class Child(NamedTuple):
    """What ``on_child`` gets. It waits before its first line of code, so be quick.

    To observe it, ``attach(child.host, child.port, language, child_pid=child.pid, configure=…)``
    before ``on_child`` returns; one that nobody attached to by then is let go, and runs on free.
    """

    pid: int
    host: str
    port: int
    name: str = ""

    async def let_go(self, timeout_s: float) -> None:
        """Let it run on without us, if it still waits.

        Raises:
            DapError: The adapter doesn't do it; then it waits for another client.
        """
        initialized = asyncio.Event()

        def hear(event: Message) -> None:
            if event.event in ("initialized", "terminated"):
                initialized.set()

        channel = Channel(self.host, self.port)
        try:
            async with asyncio.timeout(timeout_s):
                await channel.open(hear, lambda _: initialized.set())
                await opening.initialize(channel, "python", timeout_s)
                attached = channel.post("attach", {"subProcessId": self.pid, "justMyCode": False})
                ready = asyncio.ensure_future(initialized.wait())
                first: list[asyncio.Future[Any]] = [attached, ready]
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                ready.cancel()
                if attached.done():
                    return  # somebody has attached to it, or it is gone already
                await channel.request("configurationDone", timeout_s=timeout_s)
                await channel.request(
                    "disconnect", {"terminateDebuggee": False}, timeout_s=timeout_s
                )
        except TimeoutError:
            raise channel.slow("attach", timeout_s) from None
        finally:
            await channel.close()
