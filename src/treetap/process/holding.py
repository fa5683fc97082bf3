"""A program in which somebody is at a prompt, or waits for one, isn't ended before that is over.

Who it is the tree's broker knows (``treetap.debug``), which is asked only where there has been one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import trio

from treetap.config.settings import resolve
from treetap.errors import ConfigError
from treetap.process import family

if TYPE_CHECKING:
    from collections.abc import Callable

#: How often the broker is asked, while a program is held.
POLL_S = 0.05


async def until_free(process: trio.Process, say: Callable[[str], None]) -> None:
    """Wait until nobody of a program is at a prompt; at most ``max_hold_s``, if that is set.

    Args:
        process: The program; its end ends the waiting.
        say: Told once who it is, if there is somebody.
    """
    try:
        settings = resolve()
    except ConfigError:
        return  # then nobody can have been at a prompt
    if not _has_broker(settings.run_dir):
        return
    limit_s = settings.max_hold_s or float("inf")
    was_said = False
    with trio.move_on_after(limit_s):
        while process.returncode is None:
            by = await trio.to_thread.run_sync(_holders, process.pid, settings.home)
            if not by:
                return
            if not was_said:
                was_said = True
                say(", ".join(by))
            with trio.move_on_after(POLL_S):
                await process.wait()


def _has_broker(run_dir: str) -> bool:
    try:
        return any(path.suffix == ".sock" for path in Path(f"{run_dir}/debug").iterdir())
    except OSError:
        return False


def _holders(pid: int, home: str) -> list[str]:
    """Who holds or waits, of a process and its descendants."""
    from treetap.debug.standing import trees_with_prompts

    standings = [one for tree in trees_with_prompts(home=home).values() for one in tree]
    if not standings:
        return []
    ours = {pid, *(entry.pid for entry in family.descendants([pid], family.processes()))}
    return [one.label for one in standings if one.pid in ours]
