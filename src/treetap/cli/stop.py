"""``treetap stop``: ends trees, or a process and all below it; waits for who is at a prompt."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from treetap.cli import choice, exitcode, live, prompts, screen, session
from treetap.errors import ControlPlaneError

if TYPE_CHECKING:
    from treetap.config.settings import Settings
    from treetap.node.lineage import Member

EPILOG = """\b
Examples:
  treetap stop
  treetap stop shop
  treetap stop 4711 --timeout 60
  treetap stop --force
"""

#: After SIGTERM: how long a process may take, and how long one may that is ended by force.
_END_TIMEOUT_S = 10.0
_FORCE_TIMEOUT_S = 2.0
_POLL_S = 0.05


def stop(
    node: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NODE",
            help="Name, pid, node id or tree id; with all below it. [default: the only tree]",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also who is at a prompt; SIGKILL after two seconds.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.0, help="Wait so long for prompts, then --force."),
    ] = None,
) -> None:
    """End a tree, or a process and all below it.

    Waits, and says so once, while one of them is at a prompt or waits for one; ctrl-c leaves all as it was. Then they
    get SIGTERM, parents first; returns when all have ended, or after ten seconds says who has not, with exit code 1.
    The daemon is another matter: treetap daemon stop.
    """
    settings = session.settings()
    members = _chosen(settings, node or [])
    if not members:
        screen.complain("No live node. Start one: treetap run -- COMMAND.")
        raise typer.Exit(exitcode.NOTHING_MATCHES)
    ending = Ending(settings, members)
    if not force:
        force = not ending.wait_for_prompts(timeout)
    left = ending.end(is_forced=force)
    if left:
        screen.complain(f"Not ended by SIGTERM: {_names(left)}. By force: treetap stop --force.")
        raise typer.Exit(exitcode.FAILURE)
    for top in ending.tops:
        print(f"{top.name} {top.pid} ended")


class Ending:
    """The end of some processes, and of what they still start.

    Args:
        settings: Whose home has the nodes.
        members: Who shall end, in order.
    """

    def __init__(self, settings: Settings, members: list[Member]) -> None:
        self._settings = settings
        self.tops = choice.tops(members)
        self._known = {member.pid: member for member in members}

    def wait_for_prompts(self, timeout_s: float | None) -> bool:
        """Wait until none of them is at a prompt or waits for one; ``False`` if that takes too long."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        has_said = False
        while busy := self._at_prompts():
            if deadline_s is not None and time.monotonic() >= deadline_s:
                screen.complain(f"{_names(busy)}: no longer waited for.")
                return False
            if not has_said:
                has_said = True
                screen.complain(
                    f"{_names(busy)}: at a prompt, or waiting for one; waiting until that is over. "
                    "Now: treetap stop --force."
                )
            time.sleep(_POLL_S)
            self._look()
        return True

    def end(self, *, is_forced: bool) -> list[Member]:
        """End them; those that are left."""
        for top in self.tops:
            _send(top, signal.SIGTERM)
        began_s = time.monotonic()
        told = {top.pid for top in self.tops}
        while alive := self._look():
            passed_s = time.monotonic() - began_s
            if passed_s > (_FORCE_TIMEOUT_S if is_forced else _END_TIMEOUT_S):
                if not is_forced:
                    return alive
                for member in alive:
                    _send(member, signal.SIGKILL)
            elif is_forced or not any(top.is_alive() for top in self.tops):
                # Not before: whoever ends its children in order is not to be disturbed.
                for member in alive:
                    if member.pid not in told:
                        told.add(member.pid)
                        _send(member, signal.SIGTERM)
            if not is_forced and self._at_prompts():
                began_s = time.monotonic()  # it answers for itself, and has all the time
            time.sleep(_POLL_S)
        return []

    def _at_prompts(self) -> list[Member]:
        standing = prompts.by_pid(self._settings)
        return [self._known[pid] for pid in standing if pid in self._known]

    def _look(self) -> list[Member]:
        """Those that live, and their new children."""
        for member in choice.members(live.live_nodes(self._settings)):
            if member.parent in self._known and member.pid != os.getpid():
                self._known.setdefault(member.pid, member)
        self._known = {pid: member for pid, member in self._known.items() if member.is_alive()}
        return list(self._known.values())


def _chosen(settings: Settings, words: list[str]) -> list[Member]:
    everything = choice.members(live.live_nodes(settings))
    trees = list(dict.fromkeys(member.tree for member in everything))
    if not words and len(trees) > 1:
        roots = ", ".join(f"{top.name} ({top.pid})" for top in choice.tops(everything))
        raise ControlPlaneError(
            f"There are {len(trees)} trees, and none is named.",
            f"Name the one, or those, to stop: {roots}.",
            slug="usage",
        )
    standings = prompts.by_pid(settings) if words else {}
    members = choice.chosen(everything, words, standings)
    return [member for member in members if member.pid != os.getpid()]


def _send(member: Member, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        if member.is_alive():  # and is no other one that has got its pid since
            os.kill(member.pid, number)
            if member.is_stopped:
                os.kill(member.pid, signal.SIGCONT)


def _names(members: list[Member]) -> str:
    return ", ".join(f"{member.name} ({member.pid})" for member in members)
