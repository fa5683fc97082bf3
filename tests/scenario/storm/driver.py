"""Who sits at the terminal of the storm: seeded, and never kind.

A round gives some processes of the tree a job, answers every prompt that comes, and does at random
what must not hurt; then everything must be as before: the terminal's modes and foreground, the
processes, and each job accounted for: it has had its prompt and went on, or was killed by us.
What is asserted doesn't depend on who was faster.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from tests.scenario.storm.terminal import Terminal
from treetap.debug.kinship import read_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE_S = 30.0
#: So long a step may say nothing.
PATIENCE_S = 1.0
#: Until there is a prompt; more don't help.
MAX_NUDGES = 8
ROOT = "root"
#: The middle ones, and how each is started; below each are three leaves, forked.
MIDDLES = {"a": "fork", "b": "exec", "c": "sh"}
NAMES = [ROOT, *MIDDLES, *(f"{middle}{number}" for middle in MIDDLES for number in range(3))]
JOBS = ["plain"] * 4 + ["twice", "slow", "thread", "threads", "crash", "forks", "task"]
#: What leaves the prompt there is, and what may end the job.
LINES = ["p 6 * 7", "w", "u", "d", "l", "nonsense +", "!1 / 0", "!x = 5", "a", "p 'é☃'", "", "h"]
STEPS = ["n", "s", "r", "until"]
ENDS = ["c"] * 5 + ["q", "\x15\x04"]
#: Does nothing, and has a prompt for an answer.
PLEASANTRY = "p 0\n"
#: Whoever reads them, or the rest of them after a killed holder, ends; but for the root.
LAST_WORDS = [
    "import os; os._exit(3 if os.getpid() != {root} else KEPT)",
    "import os; os.kill(os.getpid() if os.getpid() != {root} else KEPT, 9)",
]


class StormError(AssertionError):
    """Something isn't as before."""


class Member:
    """A process of the tree, as the driver knows it."""

    def __init__(self, connection: socket.socket, hello: dict[str, Any]) -> None:
        self.connection = connection
        self.name, self.pid, self.parent = hello["hello"], hello["pid"], hello["parent"]
        self.jobs: dict[int, str] = {}
        self.may_die = False
        self.hits = 0
        self.max_hits = 0
        #: It hears of one when it runs again, which may be in the next round.
        self.late_hits = 0


class Driver:
    """Args:
    folder: For this storm alone.
    seed: Of all that is chosen.
    command: Makes the command that runs a script in a tree.
    environment: Of the terminal's leader.
    """

    def __init__(
        self, folder: Path, seed: int, command: list[str], environment: dict[str, str]
    ) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.rounds = 0
        self.prompts = 0
        self.nudges = 0
        self._command, self._environment = command, environment
        self._address = str(folder / "storm.sock")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self._address)
        self._listener.listen(64)
        self._members: dict[str, Member] = {}
        self._orphans: list[Member] = []
        self._asked: set[str] = set()
        self._terminal: Terminal | None = None
        self._journal: list[str] = []
        self._began_s = time.monotonic()
        self._jobs = 0
        self._patience = 0
        self._above: str | None = None
        self._is_ended = self._may_end = False
        self._why = ""
        #: Whether a step may have been asked for in this round.
        self._is_stepping = False
        self._heard_s = 0.0
        self._round_nudges = 0
        #: Broker and holder were killed both: who pauses next puts the terminal in order.
        self._is_left_alone = False
        #: Since when in this round it isn't sure any more who reads what is typed.
        self._is_wild = False
        #: Whether ctrl-z was pressed in this round.
        self._is_suspending = False
        #: Whether a key of this round may have sent a signal: with it the kernel drops what was
        #: written and isn't read yet, a header too.
        self._is_flushed = False

    # What is called.

    def run(self, rounds: int) -> None:
        """Raises:
        StormError: With all that was done.
        """
        try:
            for number in range(rounds):
                if self._terminal is None:
                    self._open()
                self.rounds = number + 1
                self._note(f"== round {self.rounds}")
                self._round()
                if self._terminal is not None and self.random.random() < 0.02:
                    self._end()
            if self._terminal is not None:
                self._end()
        except (StormError, OSError) as exc:
            where = f"seed {self.seed}, round {self.rounds}"
            raise StormError(
                f"{where}: {exc}\n{self._state()}\n" + "\n".join(self._journal[-400:])
            ) from exc
        finally:
            self.close()

    def close(self) -> None:
        for member in [*self._members.values(), *self._orphans]:
            member.connection.close()
        self._members, self._orphans = {}, []
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None
        self._listener.close()

    # A tree's beginning and end.

    @property
    def terminal(self) -> Terminal:
        assert self._terminal is not None
        return self._terminal

    def _open(self) -> None:
        has_jobs = self.random.random() < 0.7
        self._note(f"== a terminal, {'with' if has_jobs else 'without'} job control")
        self._is_ended = self._may_end = False
        command = [*self._command, self._address, ROOT]
        self._terminal = Terminal(command, self._environment, has_jobs=has_jobs)
        self._asked = {ROOT}
        self._until(lambda: ROOT in self._members, "the root doesn't come")
        self._grow()

    def _end(self) -> None:
        """All go, in order; nobody is left, and the terminal is the shell's."""
        self._note("== the end of the tree")
        self._is_left_alone = False
        self._may_end = True
        for name in reversed(NAMES):
            self._members[name].may_die = True
            self._order(self._members[name], do="end")
        self._until(lambda: self._is_ended and not self._members, "the tree doesn't end")
        terminal = self.terminal
        self._until(lambda: not terminal.children(), "somebody is left")
        self._until(lambda: terminal.foreground() == terminal.leader.pid, "not the shell's")
        self._until(lambda: terminal.modes() == terminal.modes_before, "other modes")
        terminal.close()
        self._terminal = None

    def _grow(self) -> None:
        """Start who is missing, and see that nobody else is there."""
        self._until(self._is_grown, "the tree doesn't grow again")
        for member in self._members.values():
            self._order(member, do="reap")

    def _is_grown(self) -> bool:
        for name in NAMES:
            if name in self._members or name in self._asked:
                continue
            above = _above(name)
            if above == ROOT:
                self._end_orphans(name)
            if above in self._members:
                self._asked.add(name)
                way = MIDDLES.get(name, "fork")
                self._order(self._members[above], do="start", name=name, way=way)
        return len(self._members) == len(NAMES) and self._is_whole()

    def _end_orphans(self, middle: str) -> None:
        """Its leaves live on; others take their places."""
        for name in [name for name in self._members if name[0] == middle and name != ROOT]:
            orphan = self._members.pop(name)
            orphan.may_die = True
            self._orphans.append(orphan)
            self._order(orphan, do="end")

    # A round.

    def _round(self) -> None:
        chosen = self.random.sample(NAMES, self.random.choice([1, 1, 1, 2, 2, 3, 5]))
        for name in chosen:
            self._give(self._members[name], self.random.choice(JOBS))
        self._patience = self.random.choice([0, 1, 1, 2, 4])
        self._is_wild = self._is_stepping = self._is_suspending = self._is_flushed = False
        self._round_nudges = 0
        if self.random.random() < 0.25:
            self._is_wild = True
            self._surprise()
        deadline_s = time.monotonic() + DEADLINE_S
        while not self._is_settled():
            if self._terminal is None:
                return  # a surprise has closed the window
            self._nudge()
            if time.monotonic() > deadline_s:
                raise StormError(f"not settled: {self._why}")
            if self._is_left_alone and not self._pending():
                self._is_left_alone = False
                self._give(self._members[ROOT], "plain")
            self._pump(0.005 if not self._pending() else 0.5)
            if self._terminal is not None and self._above is not None:
                deadline_s = time.monotonic() + DEADLINE_S
                self._round_nudges = 0  # they did help, or the step was merely slow
                self.prompts += 1
                above, self._above = self._above, None
                self._answer(above)
        self._grow()
        # A ctrl-z may be on its way still, and then a ctrl-c is the shell's.
        if self.random.random() < 0.1 and not self._is_suspending:
            self._press_at_nobody()
        self.terminal.forget_typed()
        for member in self._members.values():
            if member.hits > member.max_hits + member.late_hits:
                raise StormError(f"{member.name} was hit by a SIGINT that wasn't meant for it")
            member.late_hits = max(0, member.max_hits - member.hits)
            member.hits = member.max_hits = 0

    def _give(self, member: Member, kind: str) -> None:
        self._jobs += 1
        member.jobs[self._jobs] = kind
        self._order(member, do="job", number=self._jobs, kind=kind)

    def _pending(self) -> bool:
        return any(member.jobs for member in self._members.values())

    def _is_settled(self) -> bool:
        terminal = self._terminal
        if terminal is None:
            return False
        if self._above is not None or self._pending():
            self._why = "jobs: " + ", ".join(
                f"{m.name} ({m.pid}) {m.jobs}" for m in self._members.values() if m.jobs
            )
            return False
        group = os.getpgid(terminal.pid)
        if terminal.foreground() != group:
            self._why = f"{terminal.foreground()} is in the foreground, not {group}"
            return False
        if terminal.modes() != terminal.modes_before:
            self._why = f"modes {terminal.modes()}, not {terminal.modes_before}"
            return False
        return self._is_whole()

    def _is_whole(self) -> bool:
        """Nobody is there who isn't of the tree; but the broker."""
        terminal = self.terminal
        known = {member.pid for member in [*self._members.values(), *self._orphans]}
        known |= {m.parent for m in self._members.values() if MIDDLES.get(m.name) == "sh"}
        strangers = set(terminal.children()) ^ known
        strangers.discard(terminal.broker())
        self._why = f"strangers, or missing {[(pid, _command_line(pid)) for pid in strangers]}"
        return not strangers

    # At the prompt.

    def _answer(self, above: str) -> None:
        """A prompt is there: do one thing to it."""
        if self._patience > 0:
            self._patience -= 1
            chance = self.random.random()
            if chance < 0.5:
                self._is_stepping = True  # an empty line steps again
                self._type(self.random.choice(LINES) + "\n")
            elif chance < 0.65:
                self._is_stepping = True
                self._step(above)
            elif chance < 0.8:
                self._keys()
            else:
                self._surprise(at_prompt=True)
            return
        self._patience = self.random.choice([0, 0, 0, 1, 1, 2, 4])
        chance = self.random.random()
        busy = [member for member in self._members.values() if member.jobs]
        if chance < 0.04 and self._members[ROOT] not in busy:
            # Of whom, isn't sure.
            for member in busy:
                member.may_die = True
            self._expect_death(self.terminal.holder)
            words = self.random.choice(LAST_WORDS).format(root=self._members[ROOT].pid)
            self._type(f"!{words}\n")
        else:
            self._end_prompt(self.random.choice(ENDS))
        if self.random.random() < 0.1:
            time.sleep(self.random.random() * 0.004)  # anywhere in what follows
            self._is_wild = True
            self._surprise()

    def _end_prompt(self, end: str) -> None:
        """``c``, or what quits a job; and the process itself, if its steps have led out of one."""
        holder = next((m for m in self._members.values() if m.pid == self.terminal.holder), None)
        if holder is not None and not holder.jobs and end != "c":
            if holder.name == ROOT:
                end = "c"
            holder.may_die = holder.name != ROOT
        self._type(end if end == "\x15\x04" else end + "\n")

    def _step(self, above: str) -> None:
        self._type(self.random.choice(STEPS) + "\n")
        if "over which a step is long" in above and self.random.random() < 0.7:
            time.sleep(self.random.random() * 0.1)
            self._is_wild = True  # it isn't that long
            self._press("\x03")

    def _keys(self) -> None:
        """What may be typed and is no line."""
        chance = self.random.random()
        if chance < 0.5:
            self._type(self.random.choice(["", "p 1", "\t", "é☃" * 30]))
            self._press("\x03")
        elif chance < 0.7:
            self._type("p 1" + "\x7f" * 2 + "\x15" + "p 2\n")
        elif chance < 0.85:
            self.terminal.resize(self.random.randint(2, 60), self.random.randint(2, 200))
            self._is_stepping = True  # an empty line steps again
            self._type("\n")
        else:
            self._type(self.random.choice(["", "p 1"]) + "\x1a")
            if not self.terminal.has_jobs:
                self._type(PLEASANTRY)

    def _nudge(self) -> None:
        """A step may lead into what waits for others, and for us: ctrl-c brings the prompt back."""
        is_stepping = self._is_stepping or self._is_wild
        is_late = time.monotonic() > self._heard_s + PATIENCE_S
        if is_stepping and is_late and self._round_nudges < MAX_NUDGES:
            self._round_nudges += 1
            self._heard_s = time.monotonic()
            self._is_wild = True
            self.nudges += 1
            self._press("\x03")

    # What must not hurt.

    def _surprise(self, *, at_prompt: bool = False) -> None:
        """Do something; ``at_prompt``: something to which a prompt, or an end, is the answer."""
        busy = [member for member in self._members.values() if member.jobs]
        chance = self.random.random()
        if chance < 0.25:
            self._press("\x03" * self.random.randint(1, 5))
        elif chance < 0.35:
            self._press("\x1a")
            if not self.terminal.has_jobs:
                self._type(PLEASANTRY)
        elif chance < 0.5:
            self._kill(self.terminal.holder)
        elif chance < 0.62 and busy:
            self._kill(self.random.choice(busy).pid)
        elif chance < 0.7:
            self._kill(self._pid(self.random.choice(NAMES)))
        elif chance < 0.82:
            self._kill_broker()
        elif chance < 0.87:
            self._kill_broker()
            self._kill(self.terminal.holder)
        elif chance < 0.98 and busy:
            self._interrupt(self.random.choice(busy))
        else:
            self._close_the_window()
            return
        if at_prompt:
            # Whoever is next answers it, so that from here on we don't know who reads what.
            self._is_wild = True
            self._type(PLEASANTRY)

    def _press(self, keys: str) -> None:
        """ctrl-c hits nobody at a prompt, and in a step; unless it may be over already."""
        for member in self._members.values():
            member.max_hits += len(keys) if self._is_wild else 0
        self._type(keys)

    def _press_at_nobody(self) -> None:
        """ctrl-c is the program's again: it reaches all of it."""
        before = {name: member.hits for name, member in self._members.items()}
        for member in self._members.values():
            member.max_hits += 1
        self._type("\x03")
        self._until(
            lambda: all(self._members[name].hits > before[name] for name in before),
            "ctrl-c doesn't reach the whole tree",
        )

    def _pid(self, name: str) -> int:
        """Of a member; 0 if it is gone."""
        member = self._members.get(name)
        return member.pid if member is not None else 0

    def _kill(self, pid: int) -> None:
        if pid in (0, self._pid(ROOT)):
            return
        self._expect_death(pid)
        self._note(f"kill -9 {pid}")
        with contextlib.suppress(ProcessLookupError):
            process = read_process(pid)
            if process is not None and process.session == self.terminal.leader.pid:
                os.kill(pid, signal.SIGKILL)

    def _kill_broker(self) -> None:
        broker = self.terminal.broker()
        self._note(f"kill -9 {broker}, the broker")
        if broker:
            self._is_left_alone = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(broker, signal.SIGKILL)

    def _interrupt(self, member: Member) -> None:
        self._note(f"kill -INT {member.pid}")
        member.max_hits += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGINT)

    def _close_the_window(self) -> None:
        """Everybody goes, as the kernel and the broker tell them."""
        self._note("the window is closed")
        terminal, self._terminal = self.terminal, None
        members = [*self._members.values(), *self._orphans]
        self._members, self._orphans = {}, []
        terminal.hang_up()
        deadline_s = time.monotonic() + DEADLINE_S
        while terminal.children():
            if self._is_left_alone:
                # Without a broker only the foreground hears of it; the others end with the driver.
                while members:
                    members.pop().connection.close()
            if time.monotonic() > deadline_s:
                left = [(read_process(pid), _command_line(pid)) for pid in terminal.children()]
                terminal.close()
                raise StormError(f"left after the terminal was closed: {left}")
            time.sleep(0.005)
        for member in members:
            member.connection.close()
        self._is_left_alone = False
        terminal.close()

    def _expect_death(self, pid: int) -> None:
        for member in self._members.values():
            if member.pid == pid:
                member.may_die = True

    # Events.

    def _type(self, text: str) -> None:
        self._note(f"typed {text!r}")
        self._is_suspending |= "\x1a" in text
        self._is_flushed |= self._is_wild and ("\x03" in text or "\x1a" in text)
        self.terminal.type(text)

    def _order(self, member: Member, **order: Any) -> None:
        self._note(f"{member.name} ({member.pid}): {order}")
        with contextlib.suppress(OSError):
            member.connection.send(json.dumps(order).encode())

    def _until(self, condition: Callable[[], bool], why: str) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > deadline_s:
                raise StormError(why)
            self._pump(0.005)

    def _wait(self, condition: Callable[[], bool], why: str) -> None:
        """Likewise, and hear nobody meanwhile."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > deadline_s:
                raise StormError(why)
            time.sleep(0.002)

    def _pump(self, timeout_s: float) -> None:
        """Take what has happened, or wait for it."""
        terminal = self.terminal
        ready = self._hear_members(timeout_s, terminal.descriptors)
        if terminal.descriptors[0] in ready:
            self._look()
        above = terminal.take_prompt()
        self._above = above if above is not None else self._above
        if terminal.descriptors[1] in ready:
            self._hear_leader()

    def _look(self) -> None:
        written = self.terminal.look()
        if written:
            self._note(f"screen {written!r}")

    def _hear_members(self, timeout_s: float, others: list[int] | None = None) -> list[int]:
        by_descriptor = {
            member.connection.fileno(): member
            for member in [*self._members.values(), *self._orphans]
        }
        watched = [*by_descriptor, self._listener.fileno(), *(others or [])]
        ready, _, _ = select.select(watched, [], [], timeout_s)
        if ready:
            self._heard_s = time.monotonic()
        for descriptor in ready:
            if descriptor in by_descriptor:
                self._hear(by_descriptor[descriptor])
        if self._listener.fileno() in ready:
            connection, _ = self._listener.accept()
            connection.settimeout(DEADLINE_S)
            received = connection.recv(4096)
            if received:
                member = Member(connection, json.loads(received))
                self._note(f"{member.name} is {member.pid}")
                self._members[member.name] = member
                self._asked.discard(member.name)
        return ready

    def _hear(self, member: Member) -> None:
        try:
            received = member.connection.recv(4096)
        except OSError:
            received = b""
        if not received:
            self._lose(member)
            return
        said = json.loads(received)
        self._note(f"{member.name} ({member.pid}) says {said}")
        if "hit" in said:
            # A child that a job has forked speaks by the same connection.
            member.hits += said["hit"] == member.pid
            return
        if member.jobs.pop(said["job"], None) is None and said["outcome"] != "quit":
            raise StormError(f"{member.name} has ended job {said['job']} twice")
        if member.pid not in self.terminal.seen:
            self._look()
        if member.pid not in self.terminal.seen and not self._is_flushed:
            raise StormError(f"{member.name} went on without a prompt")

    def _lose(self, member: Member) -> None:
        self._note(f"{member.name} ({member.pid}) is gone")
        member.connection.close()
        if member in self._orphans:
            self._orphans.remove(member)
        else:
            del self._members[member.name]
            self._asked.discard(member.name)
            # Whom it was asked to start when it had been killed already, nobody starts.
            self._asked -= {
                name for name in NAMES if _above(name) == member.name and name not in self._members
            }
        if not member.may_die:
            raise StormError(f"{member.name} ({member.pid}) has died, and nobody has killed it")

    def _hear_leader(self) -> None:
        terminal = self.terminal
        word = terminal.take_word()
        self._note(f"the shell says {word!r}")
        if word == "stopped":
            before = (terminal.leader.pid, terminal.modes_before)
            self._wait(
                lambda: (terminal.foreground(), terminal.modes()) == before,
                "a suspended job leaves the shell another terminal",
            )
            # One that is forked between a stop and a continuation stays stopped: the kernel's fault.
            self._wait(terminal.is_stopped, "not all of a suspended job is stopped")
            terminal.resume()
        elif word.startswith("ended"):
            self._is_ended = True
            if not self._may_end:
                raise StormError(f"the root has {word}")

    def _note(self, what: str) -> None:
        self._journal.append(f"{time.monotonic() - self._began_s:8.3f} {what}")

    def _state(self) -> str:
        if self._terminal is None:
            return ""
        terminal = self._terminal
        lines = [f"root {terminal.pid}, foreground {terminal.foreground()}"]
        for pid in terminal.children():
            lines.append(f"  {read_process(pid)} {_command_line(pid)}")
        return "\n".join(lines)


def _above(name: str) -> str:
    """Who starts this one."""
    return ROOT if name in MIDDLES else name[0]


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode()[-100:]
    return "gone"
