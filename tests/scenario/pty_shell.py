"""Our own small pexpect: a program on a pseudo-terminal, below a leader that is like a shell.

Nothing here sleeps to let something happen: what is waited for is a text, a state or an end, each
with a deadline.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import textwrap
import time
from pathlib import Path

import pytest

from tests.conftest import wait_until
from treetap import proc
from treetap.debug.kinship import read_process

LEADER = Path(__file__).with_name("leader.py")
PROMPT = r"\(Pdb\+*\) "
TIMEOUT_S = 40.0  # for a machine that is busy with other things
SOURCE = Path(__file__).resolve().parents[2] / "src"


def settle(*pids: int) -> None:
    """Wait until all threads of these processes wait for something, in twenty looks in a row.

    What a program has written just before tells only that it will soon; and in any Python program,
    a signal between its last look for one and the system call that blocks interrupts nothing.
    """
    looks = 0

    def waits() -> bool:
        nonlocal looks
        looks = looks + 1 if all(map(_is_waiting, pids)) else 0
        return looks >= 20

    wait_until(waits, TIMEOUT_S)


def _is_waiting(pid: int) -> bool:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return True
    states = [proc.stat(f"{pid}/task/{thread}")[:1] for thread in threads]
    return all(state in ([b"S"], []) for state in states)


class Shell:
    """A terminal, its leader, and the one program that the leader runs.

    ``text`` is what the program has written and no ``expect`` has used up; ``log`` is all of it.

    Args:
        command: The program.
        environment: Of the leader, and so of the program.
        has_jobs: The leader has job control.
    """

    def __init__(self, command: list[str], environment: dict[str, str], *, has_jobs: bool) -> None:
        self.has_jobs = has_jobs
        self._master, self._slave = os.openpty()
        self.modes_before = termios.tcgetattr(self._slave)
        self._control, theirs = socket.socketpair()
        self._control.settimeout(TIMEOUT_S)
        self._said = b""
        self.leader = subprocess.Popen(
            [sys.executable, "-I", "-S", LEADER, "job" if has_jobs else "plain",
             str(theirs.fileno()), os.ttyname(self._slave), *command],
            env=environment, pass_fds=[theirs.fileno()], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        self.text = ""
        self.log = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.pid = int(self._hear("started")[0])

    def expect(self, pattern: str, timeout_s: float = TIMEOUT_S) -> re.Match[str]:
        """Wait for the program to write what matches; all up to its end is used up."""
        deadline = time.monotonic() + timeout_s
        while not (match := re.search(pattern, self.text)):
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                pytest.fail(f"no {pattern!r} in what is left of the output:\n{self.text}")
        self.text = self.text[match.end() :]
        return match

    def never(self, pattern: str) -> None:
        """What is written until the program's end, which this waits for, has no such thing."""
        assert not re.search(pattern, self.text), self.text

    def prompt(self) -> None:
        self.expect(PROMPT)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def line(self, text: str) -> None:
        self.type(text + "\n")

    def ctrl_c(self, times: int = 1) -> None:
        """Press it; one that is pressed at a prompt is waited for, so that the next is too."""
        for _ in range(times):
            self.type("\x03")
            self.prompt()

    def settle(self) -> None:
        """See the function; for all processes of the session."""
        settle(*self.children())

    def foreground(self) -> int:
        return os.tcgetpgrp(self._master)

    def modes(self) -> list:
        return termios.tcgetattr(self._slave)

    def children(self) -> list[int]:
        """All live processes of the session but its leader, the oldest first."""
        found = []
        for name in os.listdir("/proc"):
            process = read_process(int(name)) if name.isdigit() else None
            if process and process.session == self.leader.pid and process.state != "Z":
                found.append((process.start_ticks, process.pid))  # pids begin anew at some time
        return [pid for _, pid in sorted(found) if pid != self.leader.pid]

    def broker(self) -> int:
        """The pid of the session's broker, not of its console; 0 if there is none."""
        for pid in self.children():
            with contextlib.suppress(OSError):
                if b"broker_process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return 0

    def wait_for_stop(self) -> None:
        self._hear("stopped")

    def resume(self) -> None:
        """``fg``."""
        self._control.sendall(b"fg\n")

    def resume_in_background(self) -> None:
        """``bg``."""
        self._control.sendall(b"bg\n")

    def end(self, code: int | None = 0) -> str:
        """Wait for the program's end; everything must be as before. Its last words."""
        self._drain_until_said("ended")
        ended = int(self._hear("ended")[0])
        if code is not None:
            assert ended == code, f"ended with {ended}:\n{self.text}"
        wait_until(lambda: not self.children())
        assert self.foreground() == self.leader.pid
        assert self.modes() == self.modes_before
        while self._read(0):
            pass
        return self.text

    def hang_up(self) -> None:
        """Close the terminal, as a window is closed."""
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, self._master, inheritable=False)
        os.close(null)

    def close(self) -> None:
        for pid in [*self.children(), self.leader.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.leader.wait(TIMEOUT_S)
        self._control.close()
        for fd in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(fd)

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if not ready:
            return False
        try:
            received = os.read(self._master, 65536)
        except OSError:
            return False
        text = self._decoder.decode(received).replace("\r\n", "\n")
        self.text = _joined(self.text, text)
        self.log = _joined(self.log, text)
        return True

    def _drain_until_said(self, word: str) -> None:
        """A program that writes more than the terminal holds would never end."""
        deadline = time.monotonic() + TIMEOUT_S
        while word not in self._said.decode():
            left = deadline - time.monotonic()
            if left <= 0:
                pytest.fail(f"the program doesn't end; it wrote:\n{self.text}")
            ready, _, _ = select.select([self._master, self._control], [], [], left)
            if self._master in ready:
                self._read(0)
            if self._control in ready:
                self._said += self._control.recv(1000)

    def _hear(self, word: str) -> list[str]:
        self._drain_until_said(word)
        line, _, rest = self._said.decode().partition("\n")
        self._said = rest.encode()
        assert line.startswith(word), line
        return line.split()[1:]


def _joined(before: str, more: str) -> str:
    """The two halves of a line's end may be read apart."""
    if before.endswith("\r") and more.startswith("\n"):
        return before[:-1] + more
    return before + more


class Shells:
    """Makes the shells of one test, in one home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TREETAP_", "DETRIX_"))},
            "TREETAP_HOME": str(self.home),
            "PYTHONUNBUFFERED": "1",
            "PYTHON_COLORS": "0",
            "TERM": "xterm",
        }
        self.environment.pop("PYTHONBREAKPOINT", None)
        self._made: list[Shell] = []

    def program(self, source: str, name: str = "program.py") -> str:
        path = self.folder / name
        path.write_text(textwrap.dedent(source).lstrip("\n"))
        return str(path)

    def run(
        self, source: str, *options: str, has_jobs: bool = True, name: str = "program.py"
    ) -> Shell:
        """``treetap run OPTIONS -- python PROGRAM``."""
        script = self.program(source, name)
        return self.command("run", *options, "--", sys.executable, script, has_jobs=has_jobs)

    def command(self, *arguments: str, has_jobs: bool = True) -> Shell:
        command = [sys.executable, "-m", "treetap.cli", *arguments]
        return self.plainly(*command, has_jobs=has_jobs)

    def plainly(self, *command: str, has_jobs: bool = True) -> Shell:
        """Without ``treetap run``."""
        shell = Shell([*command], self.environment, has_jobs=has_jobs)
        self._made.append(shell)
        return shell

    def close(self) -> None:
        for shell in self._made:
            shell.close()
        # What has left its session.
        mark = os.fsencode(f"TREETAP_HOME={self.home}")
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                    os.kill(int(name), signal.SIGKILL)
