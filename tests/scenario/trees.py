"""Trees that others make: two of their processes pause at once, and are answered one after another."""

from __future__ import annotations

import re
import sys
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.conftest import wait_until
from tests.ports import free_port as free_port
from tests.scenario.pty_shell import PROMPT, TIMEOUT_S, Shells

if TYPE_CHECKING:
    from tests.scenario.pty_shell import Shell

#: ``work(n)`` pauses, with a local variable by which it is known, and says that it goes on.
WORK = """
import os
import sys

def work(n):
    mine = n * n
    breakpoint()
    os.write(1, b"worker goes on\\n")  # in one piece, whatever is at the prompt
    return mine

if __name__ == "__main__" and len(sys.argv) > 1:
    work(int(sys.argv[1]))
"""

#: Both numbers at once, in a pool.
POOL = """
import multiprocessing
from work import work

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print("done", pool.map(work, [1, 2], chunksize=1))
"""


@pytest.fixture
def shells(tmp_path):
    made = Shells(tmp_path)
    made.work = made.program(WORK, "work.py")
    made.pool = made.program(POOL, "pool.py")
    # Each has a name of its own, and loads what it is to test only.
    made.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    yield made
    made.close()


def worker(shells: Shells, number: int) -> list[str]:
    """The command that does ``work(number)``."""
    return [sys.executable, shells.work, str(number)]


def run_command(*command: str) -> list[str]:
    """``treetap run -- COMMAND``, as a command."""
    return [sys.executable, "-m", "treetap.cli", "run", "--", *command]


def answer_each(
    program: Shell, count: int = 2, presses: int = 2, *, start_s: float = TIMEOUT_S
) -> list[str]:
    """Answer ``count`` prompts; ctrl-c at each hurts nobody. The headers, without numbers.

    Args:
        start_s: What a program may take until the first.
    """
    headers, seen = [], set()
    for number in range(count):
        timeout_s = TIMEOUT_S if number else start_s
        header = program.expect(r"treetap: ([^\n]*)\n", timeout_s)[1]
        headers.append(re.sub(r"\d+", "N", header.partition(";")[0]))
        program.prompt()
        assert not re.search(PROMPT, program.text), "two prompts at once"
        program.ctrl_c(presses)
        program.line("p 'mine', mine")  # whole, whatever another process writes before it
        seen.add(program.expect(r"\('mine', (\d+)\)")[1])
        program.prompt()
        program.line("c")
    assert len(seen) == count, f"one was asked twice: {seen}"
    return headers


def wait_for(program: Shell, pattern: str, count: int) -> None:
    """Wait until it has been written so often, no matter what else was expected meanwhile."""

    def is_written() -> bool:
        program._read(0.02)
        return len(re.findall(pattern, program.log)) >= count

    wait_until(is_written, TIMEOUT_S)


class Requests:
    """Requests to a server on this machine, each in a thread of its own.

    Args:
        port: Of the server.
    """

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._threads: list[threading.Thread] = []
        self.answers: list[str] = []

    def send(self, number: int) -> None:
        thread = threading.Thread(target=self._send, args=(number,))
        self._threads.append(thread)
        thread.start()

    def end(self) -> list[str]:
        """Wait for all answers."""
        for thread in self._threads:
            thread.join(TIMEOUT_S)
        assert not any(thread.is_alive() for thread in self._threads), "a request isn't answered"
        return sorted(self.answers)

    def _send(self, number: int) -> None:
        try:
            with urllib.request.urlopen(f"{self._url}{number}", timeout=3 * TIMEOUT_S) as answer:
                self.answers.append(answer.read().decode())
        except (OSError, urllib.error.URLError, ValueError) as exc:
            self.answers.append(type(exc).__name__)
