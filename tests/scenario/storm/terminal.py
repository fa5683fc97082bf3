"""The storm's terminal: a shell of the scenarios, whose every word and change is an event."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios

from tests.scenario.pty_shell import PROMPT, Shell
from treetap.debug.kinship import read_process

#: Above a prompt: who is at it.
_HEADER = re.compile(r"treetap: [^\n]*?\((\d+)\)(?=[,;\n])")
#: A prompt that isn't only drawn again, after what was there is erased; but after ``fg`` it is.
_NEW = rf"(?<!\x1b\[J){PROMPT}(?=\Z|\s|treetap:|Traceback)|treetap: [^\n]*\n(?:\x1b\[\w*|[\r\n])*{PROMPT}"


class Terminal(Shell):
    """Attributes:
    holder: Pid of who has said last that it is at the prompt.
    seen: Pids of all who have had a prompt.
    """

    def __init__(self, command: list[str], environment: dict[str, str], *, has_jobs: bool) -> None:
        self.holder = 0
        self.seen: set[int] = set()
        self.is_open = True
        super().__init__(command, environment, has_jobs=has_jobs)

    @property
    def descriptors(self) -> list[int]:
        """What is to be looked at: the screen, and the leader."""
        return [self._master, self._control.fileno()] if self.is_open else []

    def look(self) -> str:
        """What was written since; and note who is at the prompt."""
        before = len(self.log)
        while self._read(0):
            pass
        for found in _HEADER.finditer(self.log, max(0, before - 200)):
            self.holder = int(found[1])
            self.seen.add(self.holder)
        return self.log[before:]

    def take_prompt(self) -> str | None:
        """What stands above the last prompt that is there; ``None`` if there is no new one."""
        found = [*re.finditer(_NEW, self.text)]
        if not found:
            return None
        above, self.text = self.text[: found[-1].start()], self.text[found[-1].end() :]
        return above

    def take_word(self) -> str:
        """What the leader says: ``stopped``, ``ended CODE``; ``""`` if it is gone."""
        while b"\n" not in self._said:
            received = self._control.recv(1000)
            if not received:
                return ""
            self._said += received
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()

    def is_stopped(self) -> bool:
        """Whether all of the job are; who waits for a program's start can't be sooner than that."""
        members = (read_process(pid) for pid in self.children())
        return all(one.state in "TZD" for one in members if one and one.group == self.pid)

    def forget_typed(self) -> None:
        termios.tcflush(self._slave, termios.TCIFLUSH)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """The window is closed."""
        self.is_open = False
        os.close(self._slave)
        os.close(self._master)
        self._slave = self._master = -1
