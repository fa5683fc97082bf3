"""How a supervised program ends with its supervisor; ``killing`` and ``reading`` in their real place."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from functools import partial

import pytest
import trio
from trio.testing import trio_test

from tests.process.programs import (
    Records,
    at_most,
    is_alive,
    is_reaped,
    pids_with,
    python,
    shell,
    until,
)
from treetap.process import supervise_run_process

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up')\ntime.sleep(60)"
LAST_WORDS = """
import signal, sys, time
def end(*_):
    for n in range(1000): print('bye', n)
    print('half a line', end='')
    sys.stdout.flush()
    time.sleep(0.1)
    print('unbuffered', file=sys.stderr)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('up')
while True: time.sleep(0.01)
"""


async def cancelled_when_up(command, log: Records, **options) -> trio.Process:
    """Supervise a program that says ``up``, and cancel its supervisor then."""
    # A busy machine may stop a program in the middle of a line: that is no prompt.
    options.setdefault("prompt_after_s", 60)
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            partial(
                supervise_run_process, command,
                relay_stdout=True, relay_stderr=True, label="it", logger=log.logger, **options,
            )
        )  # fmt: skip
        await until(lambda: "up" in "".join(log.of("it:out")))
        nursery.cancel_scope.cancel()
    return process


@trio_test
async def test_a_cancelled_supervisor_terminates_its_program_and_reaps_it():
    with at_most(10):
        process = await cancelled_when_up(shell("echo up; exec sleep 60"), Records())
    assert process.returncode == -signal.SIGTERM
    assert is_reaped(process.pid)


@trio_test
async def test_its_last_words_are_relayed():
    log = Records()
    process = await cancelled_when_up(python(LAST_WORDS), log, cancel_grace_s=60)
    assert process.returncode == 0
    assert log.of("it:out") == ["up", *(f"bye {n}" for n in range(1000)), "half a line"]
    assert log.of("it:err") == ["unbuffered"]


@trio_test
async def test_one_that_does_not_end_is_killed_after_the_grace():
    with at_most(10):
        process = await cancelled_when_up(python(STUBBORN), Records(), cancel_grace_s=0.2)
    assert process.returncode == -signal.SIGKILL
    assert is_reaped(process.pid)


@trio_test
async def test_a_cancelled_program_is_no_failure():
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervise_run_process, ["sleep", "60"])
            scope.cancel()
    assert scope.cancelled_caught


FAMILY = """
import os, signal, subprocess, sys, time
{prelude}
for _ in range(2):
    subprocess.Popen([sys.executable, '-I', '-S', '-c', {child!r}, {marker!r}])
print('up')
time.sleep(60)
"""
CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(60)', sys.argv[1]])
time.sleep(60)
"""


def family(marker: str, prelude: str = "") -> list[str]:
    """A program with two children, and two grandchildren."""
    return python(FAMILY.format(marker=marker, child=CHILD, prelude=prelude))


async def family_ended_by(marker: str, prelude: str = "", **options) -> None:
    log = Records()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            partial(
                supervise_run_process, family(marker, prelude),
                relay_stdout=True, label="it", logger=log.logger, cancel_grace_s=0.3, **options,
            )
        )  # fmt: skip
        # The program itself has the marker among its arguments too.
        await until(lambda: len(pids_with(marker)) == 5)
        nursery.cancel_scope.cancel()


@on_linux
@pytest.mark.parametrize(
    "options", [{"start_new_session": True}, {"kill_tree": True}, {"process_group": 0}]
)
@pytest.mark.parametrize("prelude", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
@trio_test
async def test_descendants_end_with_their_program(options, prelude):
    marker = f"marker-{uuid.uuid4().hex}"
    with at_most(15):
        await family_ended_by(marker, prelude, **options)
        await until(lambda: pids_with(marker) == [])


@on_linux
@trio_test
async def test_without_either_only_the_program_itself_ends():
    marker = f"marker-{uuid.uuid4().hex}"
    try:
        await family_ended_by(marker)
        assert len(pids_with(marker)) == 4
    finally:
        for pid in pids_with(marker):
            os.kill(pid, signal.SIGKILL)


@on_linux
@trio_test
async def test_a_descendant_with_a_session_of_its_own_ends_with_kill_tree():
    marker = f"marker-{uuid.uuid4().hex}"
    await family_ended_by(marker, "os.setsid()", kill_tree=True)
    await until(lambda: pids_with(marker) == [])


@on_linux
@trio_test
async def test_descendants_that_ignore_the_first_signal_are_killed_though_their_parent_has_gone():
    marker = f"marker-{uuid.uuid4().hex}"
    child = shell(f"trap '' TERM; : {marker}; echo up; while :; do sleep 0.05; done")
    program = f"import subprocess, time; subprocess.Popen({child!r}); time.sleep(60)"
    for options in ({"start_new_session": True}, {"kill_tree": True}):
        process = await cancelled_when_up(python(program), Records(), cancel_grace_s=0.3, **options)
        assert process.returncode == -signal.SIGTERM
        await until(lambda: pids_with(marker) == [])


@trio_test
async def test_a_grandchild_that_holds_the_pipe_holds_nobody_for_long():
    log = Records()
    with at_most(10):
        await supervise_run_process(
            shell("sleep 120 & echo $!; echo done"),
            relay_stdout=True, label="it", logger=log.logger, pipe_grace_s=0.2,
        )  # fmt: skip
    pid, done, said = log.messages
    try:
        assert done == "[it:out] done"
        assert "[it] it has ended, but another process holds its output open" in said
        assert is_alive(int(pid.split()[-1]))
    finally:
        os.kill(int(pid.split()[-1]), signal.SIGKILL)


@trio_test
async def test_a_grandchild_that_never_stops_writing_holds_nobody_either():
    log = Records()
    with at_most(20):
        with pytest.raises(subprocess.CalledProcessError) as caught:
            await supervise_run_process(
                shell("(while :; do echo noise; done) 2>&- & echo $! >&2; exit 3"),
                relay_stdout=True, label="it", logger=log.logger, pipe_grace_s=0.2,
            )  # fmt: skip
    pid = int(caught.value.stderr)
    await until(lambda: not is_alive(pid))  # its pipe has broken


@trio_test
async def test_all_that_a_program_wrote_before_it_ended_is_relayed_without_any_grace_too():
    log = Records()
    await supervise_run_process(
        python("print('\\n'.join(map(str, range(2000))))"),
        relay_stdout=True, label="it", logger=log.logger, pipe_grace_s=0,
    )  # fmt: skip
    assert log.of("it:out") == [str(number) for number in range(2000)]


@on_linux
@trio_test
async def test_cancelled_while_it_starts_no_child_is_left():
    marker = f"marker-{uuid.uuid4().hex}"
    command = python(f"import time; time.sleep(60) # {marker}")
    delivered = 0
    for number in range(60):
        with trio.move_on_after(number * 1e-4):
            async with trio.open_nursery() as nursery:
                await nursery.start(supervise_run_process, command)
                delivered += 1
        assert pids_with(marker) == []
    assert delivered < 60


@on_linux
@trio_test
async def test_a_start_whose_caller_has_gone_leaves_no_child():
    marker = f"marker-{uuid.uuid4().hex}"

    class Gone:
        def started(self, process: trio.Process) -> None:
            raise RuntimeError("nobody waits for it")

    with pytest.raises(RuntimeError, match="nobody waits"):
        await supervise_run_process(
            python(f"import time; time.sleep(60) # {marker}"), task_status=Gone()
        )
    assert pids_with(marker) == []


@trio_test
async def test_deliver_cancel_is_called_instead_and_what_it_raises_leaves_no_child():
    seen = []

    async def interrupt(process: trio.Process) -> None:
        seen.append(process.pid)
        process.send_signal(signal.SIGINT)

    process = await cancelled_when_up(
        shell("trap 'exit 5' INT; echo up; while :; do sleep 0.02; done"),
        Records(),
        deliver_cancel=interrupt,
    )
    assert (seen, process.returncode) == ([process.pid], 5)

    async def fail(process: trio.Process) -> None:
        seen.append(process)
        raise RuntimeError("no")

    with pytest.raises(ExceptionGroup):
        await cancelled_when_up(shell("echo up; exec sleep 60"), Records(), deliver_cancel=fail)
    assert seen[-1].returncode == -signal.SIGKILL


@on_linux
def test_ctrl_c_ends_the_program_in_order():
    marker = f"marker-{uuid.uuid4().hex}"
    program = (
        "import trio\n"
        "from treetap.process import supervise_run_process as run\n"
        f"trio.run(run, {python(f'import time; time.sleep(60) # {marker}')!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    from tests.conftest import wait_until

    try:
        # The supervising one has it among its arguments too.
        wait_until(lambda: len(pids_with(marker)) == 2)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
    assert b"KeyboardInterrupt" in stderr
    assert pids_with(marker) == []


@on_linux
def test_an_impatient_ctrl_c_hangs_nowhere_though_a_grandchild_holds_the_pipe():
    marker = f"marker-{uuid.uuid4().hex}"
    holder = f"import time; time.sleep(60) # {marker}"
    child = f"import subprocess; subprocess.Popen({python(holder)!r}); print('up')"
    program = (
        "import logging, sys, trio\n"
        "from functools import partial\n"
        "from treetap.process import supervise_run_process as run\n"
        "logging.basicConfig(level=20, stream=sys.stdout, format='%(message)s')\n"
        f"trio.run(partial(run, {python(child)!r}, relay_stdout=True, pipe_grace_s=600))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(b"up\n")
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        assert process.poll() is not None
        assert b"KeyboardInterrupt" in process.communicate(timeout=20)[1]
    finally:
        process.kill()
        process.communicate()
        for pid in pids_with(marker):
            os.kill(pid, signal.SIGKILL)


@on_linux
@pytest.mark.parametrize("options", ["", "kill_tree=True", "start_new_session=True"])
def test_a_program_ends_though_no_file_can_be_opened(options):
    program = (
        "import os, resource, trio\n"
        "from functools import partial\n"
        "from treetap.process import supervise_run_process as run\n"
        "async def main():\n"
        "    async with trio.open_nursery() as nursery:\n"
        f"        process = await nursery.start(partial(run, ['sleep', '60'], {options}))\n"
        "        resource.setrlimit(resource.RLIMIT_NOFILE, (1, 1))\n"
        "        nursery.cancel_scope.cancel()\n"
        "    print(process.returncode)\n"
        "trio.run(main)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=40)
    assert done.stdout == b"-15\n", done.stderr


@trio_test
async def test_deliver_cancel_is_not_called_for_one_that_has_ended():
    log = Records()
    seen = []

    async def deliver(process: trio.Process) -> None:
        seen.append(process.pid)

    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            partial(
                supervise_run_process, shell("sleep 60 & echo $!"),
                relay_stdout=True, label="it", logger=log.logger, pipe_grace_s=1,
                deliver_cancel=deliver,
            )
        )  # fmt: skip
        await until(lambda: log.messages and process.returncode is not None)
        nursery.cancel_scope.cancel()
    os.kill(int(log.of("it:out")[0]), signal.SIGKILL)
    assert seen == []
