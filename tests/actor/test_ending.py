"""Signals to a root, with all that is below it; each test is a program of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.actor.processes import parent_of
from tests.actor.programs import TREE, Program
from tests.conftest import wait_until

#: What is promised is 2 s; a machine that does something else besides may need longer.
PROMISED_S = 2.0
LIMIT_S = 30.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts programs; what is left of them at the end of the test is killed."""
    with contextlib.ExitStack() as stack:
        yield lambda code, *args, **options: stack.enter_context(
            Program(tmp_path, code, *args, **options)
        )


def ends(program: Program, limit_s: float = LIMIT_S) -> int:
    """Wait until nothing is left of it; the exit status."""
    status = program.process.wait(limit_s)
    wait_until(lambda: not program.rest(), limit_s)
    return status


def on_terminal(start: Callable[..., Program]) -> tuple[Program, int]:
    """A program in a session of its own, on a terminal of its own; the terminal's other side."""
    controller, terminal = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    program = start(
        TREE, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=take_terminal
    )
    os.close(terminal)
    return program, controller


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_root_ends_the_tree_in_order(start: Callable[..., Program], number: int):
    program = start(TREE)
    program.grown(3)
    began_s = time.monotonic()
    program.process.send_signal(number)
    assert ends(program) == -number
    assert time.monotonic() - began_s < LIMIT_S


def test_sigterm_ends_a_tree_on_a_terminal_too(start: Callable[..., Program]):
    program, controller = on_terminal(start)
    program.grown(3)
    program.process.send_signal(signal.SIGTERM)
    assert ends(program) == -signal.SIGTERM
    os.close(controller)


def test_ctrl_c_on_a_terminal_is_the_roots_affair_and_ends_the_tree(start: Callable[..., Program]):
    program, controller = on_terminal(start)
    program.grown(3)
    os.write(controller, b"\x03")
    shown = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(controller)
    assert ends(program) in (1, -signal.SIGINT)
    assert shown.count(b"raise KeyboardInterrupt") == 1, shown.decode()


def test_a_terminal_that_is_closed_leaves_nobody(start: Callable[..., Program]):
    program, controller = on_terminal(start)
    program.grown(3)
    os.close(controller)
    assert ends(program) == -signal.SIGHUP


def test_sigterm_ends_a_tree_with_a_stuck_leaf(start: Callable[..., Program]):
    program = start(TREE, "stuck")
    program.grown(3)
    program.process.send_signal(signal.SIGTERM)
    assert ends(program) == -signal.SIGTERM


STUCK_MIDDLE = """
    import sys, trio
    from pathlib import Path
    from treetap.actor import open_nursery
    from tests.actor.processes import be_stuck, grow, grown

    async def main():
        async with open_nursery() as nursery:
            middle = await nursery.start_actor("middle")
            async with trio.open_nursery() as tasks:
                tasks.start_soon(middle.run, grow, 2, 1, sys.argv[1])
                await grown(Path(sys.argv[1]), 3)
                tasks.start_soon(middle.run, be_stuck)

    trio.run(main) if __name__ == "__main__" else None
"""


def test_sigterm_ends_a_tree_with_a_stuck_middle(start: Callable[..., Program]):
    program = start(STUCK_MIDDLE)
    program.grown(3)
    time.sleep(1.2)  # it is stuck by then; there is nothing of it to be seen from outside
    program.process.send_signal(signal.SIGTERM)
    assert ends(program) == -signal.SIGTERM


STUCK_ROOT = """
    import sys, time, trio
    from treetap.actor import open_nursery
    from tests.actor.processes import grow, grown

    async def main():
        async with open_nursery() as nursery:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(nursery.run, grow, 2, 1, sys.argv[1])
                from pathlib import Path
                await grown(Path(sys.argv[1]), 3)
                print("stuck", flush=True)
                {stuck}

    trio.run(main) if __name__ == "__main__" else None
"""


@pytest.mark.parametrize(
    ("stuck", "status"),
    [
        ("time.sleep(1000)", -signal.SIGTERM),
        ("while True: pass", -signal.SIGTERM),
        # Nothing of Python's runs in there, a signal handler neither.
        ("sum(range(10**12))", -signal.SIGKILL),
    ],
)
def test_sigterm_ends_a_tree_with_a_stuck_root(
    start: Callable[..., Program], stuck: str, status: int
):
    program = start(STUCK_ROOT.format(stuck=stuck), stdout=subprocess.PIPE)
    assert program.process.stdout is not None
    assert program.process.stdout.readline() == "stuck\n"
    if status == -signal.SIGKILL:
        # Not before it is in there.
        ticks = cpu_ticks(program.process.pid)
        wait_until(lambda: cpu_ticks(program.process.pid) > ticks + 10)
    began_s = time.monotonic()
    program.process.send_signal(signal.SIGTERM)
    assert ends(program) == status
    assert time.monotonic() - began_s < LIMIT_S


def cpu_ticks(pid: int) -> int:
    """The time that a process has used."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def test_a_second_sigterm_ends_the_root_at_once(start: Callable[..., Program]):
    program = start(STUCK_ROOT.format(stuck="time.sleep(1000)"), stdout=subprocess.PIPE)
    assert program.process.stdout is not None
    assert program.process.stdout.readline() == "stuck\n"
    program.process.send_signal(signal.SIGTERM)
    # The first has its handler run before the second comes.
    wait_until(lambda: _default_for(program.process.pid, signal.SIGTERM))
    program.process.send_signal(signal.SIGTERM)
    assert ends(program) == -signal.SIGTERM


def _default_for(pid: int, number: int) -> bool:
    """Whether a process leaves a signal to its default."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return not int(caught.split()[1], 16) >> (number - 1) & 1


OWN_HANDLER = """
    import signal, sys, trio
    from treetap.actor import open_nursery
    from tests.actor.processes import grow

    async def main():
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async with open_nursery() as nursery:
                async with trio.open_nursery() as tasks:
                    tasks.start_soon(nursery.run, grow, 0, 1, sys.argv[1])
                    async for _ in signals:
                        print("mine")
                        tasks.cancel_scope.cancel()

    trio.run(main) if __name__ == "__main__" else None
"""


def test_a_program_that_handles_sigterm_itself_is_left_alone_with_it(start: Callable[..., Program]):
    program = start(OWN_HANDLER, stdout=subprocess.PIPE)
    program.grown(1)
    program.process.send_signal(signal.SIGTERM)
    said, _ = program.process.communicate(timeout=LIMIT_S)
    assert said == "mine\n"
    assert ends(program) == 0


@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_is_below_a_process_that_is_killed_is_gone_within_a_second(
    start: Callable[..., Program], level: int
):
    """Level 0 is the root; then whatever is left of the others goes too, for they wait for it."""
    program = start(TREE, stderr=subprocess.PIPE)
    pids = program.grown(3)
    spawner = parent_of(pids[0])
    assert {parent_of(pid) for pid in pids} == {spawner}
    by_depth = sorted(program.folder.iterdir(), reverse=True)  # "2-…" is the uppermost actor
    victims = [program.process.pid, *(int(path.read_text()) for path in by_depth)]
    began_s = time.monotonic()
    os.kill(victims[level], signal.SIGKILL)
    below = victims[level + 1 :]
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), LIMIT_S)
    assert time.monotonic() - began_s < LIMIT_S
    status = ends(program)
    assert status == (-signal.SIGKILL if level == 0 else 1)
    assert program.process.stderr is not None
    said = program.process.stderr.read()
    assert level == 0 or "SIGKILL" in said


def test_stuck_processes_below_a_root_that_is_killed_are_gone_within_a_second(
    start: Callable[..., Program],
):
    program = start(TREE, "stuck")
    program.grown(3)
    program.process.kill()
    began_s = time.monotonic()
    assert ends(program) == -signal.SIGKILL
    assert time.monotonic() - began_s < LIMIT_S


def test_a_spawner_that_is_killed_takes_its_actors_with_it_and_the_root_says_so(
    start: Callable[..., Program],
):
    program = start(TREE, "stuck", stderr=subprocess.PIPE)
    pids = program.grown(3)
    os.kill(parent_of(pids[0]), signal.SIGKILL)
    _, said = program.process.communicate(timeout=LIMIT_S)
    assert ends(program) == 1
    assert "the spawner of this tree has ended" in said
