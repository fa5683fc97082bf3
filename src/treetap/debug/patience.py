"""How long a process waits for its prompt, and whether that makes sense where there is no terminal."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from treetap.errors import LinkError, PauseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from treetap.errors import TreetapError

_HEALTH_TIMEOUT_S = 1.0


class Patience:
    """Args:
    limit_s: Of the setting ``pause_timeout_s``; 0 for none.
    home: treetap's: a daemon that runs there is somebody to ask.
    label: Of this process.
    pid: Of this process.
    say: Says something once.
    """

    def __init__(
        self, limit_s: float, home: str, label: str, pid: int, say: Callable[[TreetapError], None]
    ) -> None:
        self._limit_s = limit_s
        self._home = home
        self._label = label
        self._pid = pid
        self._say = say
        self._until_s = float("inf")

    def begin(self) -> None:
        if self._limit_s:
            self._until_s = time.monotonic() + self._limit_s

    def say_that_it_stops(self) -> None:
        """A shell says so of a job of its own; nobody does where a script has put us there."""
        self._say(
            PauseError(
                f"{self._label} has a prompt, and is stopped: its job is in the background.",
                f"Bring it back with fg, or, from any terminal: treetap answer --node {self._pid}",
                slug="pause-stopped",
            )
        )

    def check_time(self) -> None:
        """Raises:
        PauseError: Its time is over.
        """
        if time.monotonic() < self._until_s:
            return
        raise PauseError(
            f"{self._label} has waited {self._limit_s:g} s for a prompt.",
            "It goes on: pause_timeout_s says so.",
            slug="pause-timeout",
        )

    def check_sense(self, *, is_evicted: bool = False) -> None:
        """There is no terminal: somebody has to answer from another one.

        Args:
            is_evicted: There was one: the job that had it has ended.

        Raises:
            PauseError: Nobody is expected to.
        """
        if not self._limit_s and not _is_daemon_running(self._home):
            lacks = "has outlived its tree's root, which had the terminal" if is_evicted else (
                "has no terminal for a prompt"
            )  # fmt: skip
            raise PauseError(
                f"{self._label} {lacks}, and nobody to wait for.",
                "It goes on. Start it from a terminal, or set TREETAP_PAUSE_TIMEOUT_S to have it "
                "wait for 'treetap answer'.",
                slug="pause-no-terminal",
            )

    def say_that_it_waits(self) -> None:
        """And how it is answered: the broker knows of it by now, and so does ``treetap answer``."""
        limit = f", for {self._limit_s:g} s" if self._limit_s else ""
        self._say(
            PauseError(
                f"{self._label} waits for somebody to answer its prompt{limit}.",
                f"From any terminal: treetap answer --node {self._pid}",
                slug="pause-waiting",
            )
        )


def _is_daemon_running(home: str) -> bool:
    try:
        found = json.loads((Path(home) / "run" / "daemon.json").read_bytes())
        url, pid = str(found["url"]), int(found["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    from treetap.link import http

    try:
        answer = http.request(f"{url}/health", timeout_s=_HEALTH_TIMEOUT_S)
        # Its file may have outlived it, and another daemon may have its port.
        return bool(json.loads(answer.body)["treetap"]["pid"] == pid)
    except (LinkError, OSError, ValueError, KeyError, TypeError):
        return False
