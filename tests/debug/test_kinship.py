from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.conftest import wait_until
from treetap.debug import kinship


def test_a_process_is_what_the_system_says():
    own = kinship.read_process(os.getpid())
    assert (own.pid, own.parent, own.group, own.session) == (
        os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0),
    )  # fmt: skip


def test_no_process_is_none():
    assert kinship.read_process(2**22 + 1) is None


def test_the_depth_is_the_number_of_processes_in_between():
    program = (
        "import os; from treetap.debug.kinship import depth\n"
        f"print(depth(os.getpid(), {os.getpid()}), depth(os.getpid(), os.getpid()), depth(os.getpid(), 1))"
    )
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "$0"; true', program],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["2", "0", "None"]


def test_a_tree_is_known_by_its_roots_pid_and_start():
    own = kinship.read_process(os.getpid())
    started_ns = own.start_ticks * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    assert kinship.root_of(f"{own.pid}-{started_ns:x}") == own.pid
    assert kinship.root_of(f"{own.pid}-{started_ns + 1:x}") == 0
    assert kinship.root_of("nonsense") == 0


def test_the_own_group_may_have_the_terminal():
    assert os.getpgid(0) in kinship.job_groups(os.getpid(), 0)


def test_a_group_of_nobody_but_a_zombie_is_not_alive():
    child = subprocess.Popen(["true"], process_group=0)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not kinship.is_group_alive(child.pid)
    child.wait()
    assert not kinship.is_group_alive(child.pid)
    assert kinship.is_group_alive(os.getpgid(0))


def test_a_process_without_a_terminal_is_of_the_one_above_it_that_has_one():
    """As below ``treetap run --relay``; but a shell's terminal, at the top, is the shell's."""
    program = (
        "import fcntl, os, subprocess, sys, termios\n"
        "from treetap.debug.kinship import terminals_process\n"
        "fcntl.ioctl(os.openpty()[1], termios.TIOCSCTTY, 0)\n"
        "ask = 'import os; from treetap.debug.kinship import terminals_process as t; '\n"
        "ask += 'print(t(os.getpid()) == os.getppid())'\n"
        "child = [sys.executable, '-c', ask]\n"
        "print(terminals_process(os.getpid()) == os.getpid(), flush=True)\n"
        "subprocess.run(child, start_new_session=True)\n"
        "middle = f'import subprocess, sys; subprocess.run({child}, start_new_session=True)'\n"
        "subprocess.run([sys.executable, '-c', middle])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, start_new_session=True,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "False", "True"]


def test_a_group_is_looked_after_if_somebody_in_another_one_of_its_session_started_it():
    sleep = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    job = subprocess.Popen(sleep, stdin=subprocess.PIPE, process_group=0)
    alone = subprocess.Popen(sleep, stdin=subprocess.PIPE, start_new_session=True)
    try:
        assert kinship.is_looked_after(job.pid)
        assert not kinship.is_looked_after(alone.pid)
    finally:
        for process in (job, alone):
            process.communicate()
    assert not kinship.is_looked_after(job.pid)


_BLOCKS_CTRL_Z = """
import os, signal, subprocess, sys
other = subprocess.Popen(["sleep", "60"])
other.send_signal(signal.SIGSTOP)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
print(other.pid, flush=True)
for _ in sys.stdin:
    print(signal.SIGTSTP in signal.sigpending(), flush=True)
other.kill()
"""


def test_a_ctrl_z_that_nobody_has_seen_yet_is_forgotten_and_who_is_stopped_stays_so():
    with subprocess.Popen(
        [sys.executable, "-c", _BLOCKS_CTRL_Z],
        text=True,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as late:
        assert late.stdin is not None
        assert late.stdout is not None
        other = int(late.stdout.readline())
        wait_until(lambda: kinship.is_stopped(other))

        def has_one_pending() -> bool:
            print(file=late.stdin, flush=True)
            return late.stdout.readline() == "True\n"

        late.send_signal(signal.SIGTSTP)
        assert has_one_pending()
        kinship.forget_pending_stops(late.pid)
        assert not has_one_pending()
        assert kinship.is_stopped(other)
        late.stdin.close()
