"""How a supervised program is ended: asked first, killed after a grace, its descendants with it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import trio

from treetap.process import family

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Send = Callable[[family.Entry, int], None]

#: Between two looks at who is still alive.
POLL_S = 0.02

#: How long descendants that got SIGKILL are looked for: their last fork may have been just before.
MAX_SWEEP_S = 1.0


class Quarry:
    """A program, and who is to end with it.

    Args:
        process: The program.
        leads_group: It has a process group of its own: its members end with it.
        with_descendants: Its descendants end with it, whatever their group. Who was seen as one
            stays one when its parent ends before it.
        send: Sends a signal to one of these.
    """

    def __init__(
        self,
        process: trio.Process,
        *,
        leads_group: bool,
        with_descendants: bool,
        send: Send = family.send,
    ) -> None:
        self._process = process
        self._leads_group = leads_group
        self._with_descendants = with_descendants
        self._send = send
        self._known: dict[tuple[int, int], family.Entry] = {}
        #: What couldn't be signalled: programs of other users.
        self.refused: set[int] = set()

    @property
    def has_others(self) -> bool:
        return self._leads_group or self._with_descendants

    def others(self) -> list[family.Entry]:
        """Who else is alive."""
        if not self.has_others:
            return []
        pid = self._process.pid
        now = family.processes()
        alive = {entry.key: entry for entry in now.values()}
        self._known = {key: alive[key] for key in self._known if key in alive}
        found = []
        if self._leads_group:
            found += [entry for entry in now.values() if entry.group == pid and entry.pid != pid]
            # Its number is another's some day, once nobody is in it.
            self._leads_group = bool(found) or self._process.returncode is None
        if self._with_descendants:
            ancestors = [entry.pid for entry in self._known.values()]
            if self._process.returncode is None:
                ancestors.append(pid)
            found += [entry for entry in family.descendants(ancestors, now) if entry.pid != pid]
        self._known.update((entry.key, entry) for entry in found)
        return [entry for entry in self._known.values() if entry.pid not in self.refused]

    def is_alive(self) -> bool:
        return self._process.returncode is None or bool(self.others())

    def signal(self, number: int) -> None:
        """Send a signal to all of it."""
        others = self.others()
        pid = self._process.pid
        is_running = self._process.returncode is None
        by_group = is_running and self._leads_group
        if is_running:
            try:
                # All of the group in one step: nobody forks in between.
                if by_group:
                    os.killpg(pid, number)
                else:
                    self._process.send_signal(number)
            except ProcessLookupError:
                pass
            except PermissionError:
                self.refused.add(pid)
        for entry in others:
            if by_group and entry.group == pid:
                continue  # it has it already; a second SIGTERM may mean something else to it
            try:
                self._send(entry, number)
            except PermissionError:
                self.refused.add(entry.pid)


async def end(
    quarry: Quarry,
    process: trio.Process,
    grace_s: float,
    deliver_cancel: Callable[[trio.Process], Awaitable[object]] | None = None,
) -> None:
    """End a program and reap it; not to be cancelled.

    Args:
        quarry: Who is to end.
        process: The program itself.
        grace_s: Between SIGTERM and SIGKILL.
        deliver_cancel: Called in the place of SIGTERM, with the program if that still runs;
            trio's convention: it alone sees to the end, which is waited for without a limit.
    """
    with trio.CancelScope(shield=True):
        try:
            if deliver_cancel is None:
                quarry.signal(signal.SIGTERM)
            elif process.returncode is None:  # else its pid is nobody's, or another's
                await _deliver(deliver_cancel, process)
            with trio.move_on_after(grace_s):
                await _wait_for_all(quarry, process)
        finally:
            if process.returncode is None:
                quarry.signal(signal.SIGKILL)
            with trio.move_on_after(MAX_SWEEP_S):
                while quarry.others():
                    quarry.signal(signal.SIGKILL)
                    await trio.sleep(POLL_S)
            await process.wait()


async def _wait_for_all(quarry: Quarry, process: trio.Process) -> None:
    if not quarry.has_others:
        await process.wait()
    # Nothing tells of the end of a process that isn't our child.
    while quarry.is_alive():  # noqa: ASYNC110
        await trio.sleep(POLL_S)


async def _deliver(
    deliver_cancel: Callable[[trio.Process], Awaitable[object]], process: trio.Process
) -> None:
    async with trio.open_nursery() as nursery:

        async def deliver() -> None:
            await deliver_cancel(process)

        nursery.start_soon(deliver)
        await process.wait()
        nursery.cancel_scope.cancel()
