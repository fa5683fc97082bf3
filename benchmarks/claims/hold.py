"""What the prompt costs: nothing to a tree that never pauses; and how soon it is there.

Programs run on a terminal of their own, below a shell, as a user's do. Each says what time it is just before it
pauses; the clock is shared by all processes of a machine. Plain pdb, on the same terminal, is the peer.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.claims.asleep import tree_variables
from benchmarks.sample import Claim, sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.setting import Setting

GROUP = "hold"
PROMPT = b"(Pdb) "
#: A program that says nothing for so long has failed.
_LIMIT_S = 30.0
_PAUSES = 30
_INTERRUPTS = 10
#: So long a step has run when ctrl-c is pressed.
_STEP_S = 0.2

#: One process that pauses again and again.
LOOP = """\
import os, time
for _ in range({}):
    os.write(1, b"at %d\\n" % time.time_ns())
    {}
"""
#: Two that take turns: one waits while the other one is at the prompt.
PAIR = """\
import os
child = os.fork()
for _ in range({}):
    breakpoint()
if child:
    os.wait()
"""
#: One whose next step takes very long.
STEP = """\
import time
breakpoint()
time.sleep(600)
"""
#: A program that never pauses says how long its work took.
WORK = """\
import sys, time
def work(number):
    total = 0
    for each in range(number):
        total += each * each
    return total
work(10_000)
best = min(-time.process_time() + (work(200_000) and time.process_time()) for _ in range(9))
assert not {"pdb", "treetap.debug.session"} & {*sys.modules}, "the prompt is loaded"
print(best)
"""


def measure(setting: Setting) -> list[Claim]:
    home = setting.directory / "hold"
    home.mkdir(mode=0o700, exist_ok=True)
    environment = {**os.environ, "TREETAP_HOME": str(home), "TERM": "dumb", "PYTHON_COLORS": "0"}
    environment.pop("PYTHONBREAKPOINT", None)
    ratios, starts = _without_a_pause(setting, environment)
    ours = _Terminal(_tapped(setting, LOOP.format(_PAUSES, "breakpoint()")), environment)
    first_ms, *requests_ms = ours.requests()
    bare = _Terminal(
        _plain(setting, LOOP.format(_PAUSES, "import pdb; pdb.set_trace()")), environment
    )
    _, *bare_ms = bare.requests()
    turns_ms = _Terminal(_tapped(setting, PAIR.format(_PAUSES)), environment).turns()
    interrupts_ms = _Terminal(_tapped(setting, STEP), environment).interrupts()
    return [
        Claim(
            GROUP,
            "a program's speed in a tree that would show crashes, against without treetap",
            sample(ratios),
            "x",
            at_most=1.02,
            note="the hooks for a crash are set, and neither pdb nor the prompt is loaded",
        ),
        Claim(
            GROUP,
            "a child's start in such a tree, over one outside",
            sample(starts),
            "ms",
            at_most=20,
        ),
        Claim(
            GROUP,
            "breakpoint() to its prompt on the screen",
            sample(requests_ms),
            "ms",
            at_most=20,
            note="tractor: 5.6 ms for the lock, without a prompt",
        ),
        Claim(GROUP, "the same, plain pdb alone", sample(bare_ms), "ms"),
        Claim(
            GROUP,
            "the first of a tree: the broker is started, pdb is loaded",
            sample([first_ms]),
            "ms",
        ),
        Claim(
            GROUP,
            "c at one prompt to the next holder's prompt on the screen",
            sample(turns_ms),
            "ms",
            at_most=20,
            note="tractor: 13.6 ms",
        ),
        Claim(
            GROUP,
            "ctrl-c in a step that runs long to the prompt on the screen",
            sample(interrupts_ms),
            "ms",
            at_most=200,
            note="tractor: it is ignored until the step is over",
        ),
    ]


def _without_a_pause(
    setting: Setting, environment: dict[str, str]
) -> tuple[list[float], list[float]]:
    """Ratios of the work's time in a tree and outside, and milliseconds that a start takes more."""
    in_tree = {**environment, **tree_variables(environment, "--on-crash")}
    ratios, starts = [], []
    for number in range(2 * setting.rounds + 2):
        work: dict[str, float] = {}
        start: dict[str, float] = {}
        ways = [("outside", environment), ("in", in_tree)]
        for name, variables in ways if number % 2 else reversed(ways):
            done = subprocess.run(
                [sys.executable, "-c", WORK], env=variables, check=True, stdout=subprocess.PIPE
            )
            work[name] = float(done.stdout)
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], env=variables, check=True)
            start[name] = time.perf_counter() - began
        if number >= 2:  # these write the bytecode
            ratios.append(work["in"] / work["outside"])
            starts.append((start["in"] - start["outside"]) * 1000)
    return ratios, starts


def _tapped(setting: Setting, program: str) -> list[str]:
    return [sys.executable, "-m", "treetap.cli", "run", "--", *_plain(setting, program)]


def _plain(setting: Setting, program: str) -> list[str]:
    script: Path = setting.directory / f"hold-{abs(hash(program))}.py"
    script.write_text(program, encoding="utf-8")
    return [sys.executable, str(script)]


class _Terminal:
    """A program on a pseudo-terminal, below a shell."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._seen = b""
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            # The leader of a session can't leave its group: that is the shell.
            os.execvpe("sh", ["sh", "-c", '"$@"; exit $?', "sh", *command], environment)

    def requests(self) -> list[float]:
        """Milliseconds from each "at TIME" to the prompt after it."""
        return [
            (at - int(above.rpartition(b"at ")[2].split()[0])) / 1e6
            for above, at, _ in self._prompts()
        ]

    def turns(self) -> list[float]:
        """Milliseconds from each ``c`` to the next prompt; the last has none that waits for it."""
        seen = list(self._prompts())
        return [(after[1] - before[2]) / 1e6 for before, after in pairwise(seen[2:-1])]

    def interrupts(self) -> list[float]:
        """Milliseconds from each ctrl-c in a step to the prompt where the program is then."""
        times = []
        self._to_prompt()
        os.write(self._master, b"n\n")
        self._to_prompt()
        for _ in range(_INTERRUPTS):
            os.write(self._master, b"n\n")
            time.sleep(_STEP_S)
            if select.select([self._master], [], [], 0)[0] and self._read():
                assert PROMPT not in self._seen, "the step is over"
            began_ns = time.time_ns()
            os.write(self._master, b"\x03")
            self._to_prompt()
            times.append((time.time_ns() - began_ns) / 1e6)
        os.write(self._master, b"q\n")
        while self._read():
            pass
        os.close(self._master)
        os.waitpid(self._pid, 0)
        return times

    def _to_prompt(self) -> None:
        while PROMPT not in self._seen:
            if not self._read():
                raise RuntimeError("the program ended at a step")
        self._seen = self._seen.partition(PROMPT)[2]

    def _prompts(self) -> Iterator[tuple[bytes, int, int]]:
        """What was above each prompt, when it was there, and when ``c`` was typed to it."""
        try:
            while True:
                while PROMPT not in self._seen:
                    if not self._read():
                        return
                there_ns = time.time_ns()
                above, _, self._seen = self._seen.partition(PROMPT)
                typed_ns = time.time_ns()
                os.write(self._master, b"c\n")
                yield above, there_ns, typed_ns
        finally:
            os.close(self._master)
            os.waitpid(self._pid, 0)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], _LIMIT_S)
        if not ready:
            os.kill(self._pid, signal.SIGKILL)
            raise TimeoutError(f"no prompt in {self._seen!r}")
        try:
            received = os.read(self._master, 65536)
        except OSError:  # the program has ended
            return False
        self._seen += received
        return bool(received)
