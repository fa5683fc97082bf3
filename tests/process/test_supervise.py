from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

import treetap
from tests.process.programs import Records, at_most, is_reaped, python, shell, until
from treetap.process import bare_errors, supervise_run_process

FILES = "import os, sys; sys.{}.write('\\n'.join(os.readlink(f'/proc/self/fd/{{n}}') for n in (0, 1, 2)))"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for what is open")


@trio_test
async def test_start_gives_the_live_process_at_once_and_supervision_goes_on():
    log = Records()
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            partial(
                supervise_run_process,
                python("import sys, time; print('up')\ntime.sleep(30)"),
                relay_stdout=True,
                label="it",
                logger=log.logger,
                ok=[0, signal.SIGTERM],
            )
        )
        assert isinstance(process, trio.Process)
        assert process.returncode is None
        await until(lambda: log.of("it:out") == ["up"])
        process.terminate()
    assert process.returncode == -signal.SIGTERM


@trio_test
async def test_it_may_be_awaited_without_a_nursery_of_ones_own():
    assert await supervise_run_process(shell("exit 0")) is None


@pytest.mark.parametrize("kind", [str, os.fsencode, Path], ids=["str", "bytes", "path"])
@trio_test
async def test_a_command_is_a_list_of_whatever_names_a_file(kind):
    log = Records()
    await supervise_run_process(
        [kind("/bin/sh"), "-c", "echo $0", kind("zero")], relay_stdout=True, logger=log.logger
    )
    assert log.messages == ["[/bin/sh -c 'echo $0' zero:out] zero"]


@trio_test
async def test_a_command_is_a_string_for_a_shell():
    log = Records()
    await supervise_run_process("echo a | tr a b", shell=True, relay_stdout=True, logger=log.logger)
    assert log.messages == ["[echo a | tr a b:out] b"]


@trio_test
async def test_a_string_without_a_shell_is_refused():
    with pytest.raises(TypeError, match="shell"):
        await supervise_run_process("echo a")


@trio_test
async def test_a_program_that_is_not_there_is_a_bare_error_of_the_start():
    with pytest.raises(FileNotFoundError):
        await supervise_run_process(["no-such-program-anywhere"])
    with pytest.raises(FileNotFoundError), bare_errors():
        async with trio.open_nursery() as nursery:
            await nursery.start(supervise_run_process, ["no-such-program-anywhere"])


async def open_files(**options) -> list[str]:
    """Where descriptors 0, 1 and 2 of a supervised program lead."""
    with tempfile.NamedTemporaryFile() as file:
        program = (
            "import os, sys\n"
            "names = [os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)]\n"
            "open(sys.argv[1], 'w').write('\\n'.join(names))"
        )
        await supervise_run_process([*python(program), file.name], **options)
        return Path(file.name).read_text().splitlines()


@on_linux
@trio_test
async def test_stdin_and_stdout_are_the_null_device_and_stderr_is_read():
    stdin, stdout, stderr = await open_files()
    assert (stdin, stdout) == ("/dev/null", "/dev/null")
    assert stderr.startswith("pipe:")


@on_linux
@trio_test
async def test_stderr_that_nobody_reads_is_the_null_device():
    assert await open_files(check=False) == ["/dev/null"] * 3


@on_linux
@trio_test
async def test_none_means_inherit_and_a_file_means_that_file(tmp_path):
    assert (await open_files(stdout=None))[1] == os.readlink("/proc/self/fd/1")
    with (tmp_path / "out").open("wb") as file:
        assert (await open_files(stdout=file))[1] == file.name
        assert await open_files(stdout=file, merge_stderr=True) == [
            "/dev/null",
            file.name,
            file.name,
        ]


@on_linux
@trio_test
async def test_managed_arguments_win_and_the_rest_goes_through(tmp_path):
    stdin, _, stderr = await open_files(stdin=None, stderr=None)
    assert stdin == "/dev/null"
    assert stderr.startswith("pipe:")
    log = Records()
    program = "import os; print(os.getcwd(), os.environ['A'], os.getsid(0) == os.getpid())"
    await supervise_run_process(
        ["called", *python(program)[1:]],
        executable=sys.executable,
        cwd=tmp_path,
        env={"A": "b"},
        start_new_session=True,
        relay_stdout=True,
        label="",
        logger=log.logger,
    )
    assert log.messages == [f"[:out] {tmp_path} b True"]


@on_linux
def test_the_child_never_has_the_launching_terminal():
    program = (
        "import os, sys, trio\n"
        "from treetap.process import supervise_run_process as run\n"
        f"child = {python(FILES.format('stderr'))!r}\n"
        "async def main():\n"
        "    assert os.isatty(0) and os.isatty(1) and os.isatty(2)\n"
        "    try: await run(child + ['x'], relay_stdout=True, ok=[9])\n"
        "    except Exception as exc: open(sys.argv[1], 'wb').write(exc.stderr)\n"
        "trio.run(main)\n"
    )
    ours, theirs = pty.openpty()
    try:
        with tempfile.NamedTemporaryFile() as file:
            done = subprocess.run(
                [sys.executable, "-c", program, file.name],
                stdin=theirs, stdout=theirs, stderr=theirs, timeout=30,
            )  # fmt: skip
            assert done.returncode == 0, os.read(ours, 4096)
            names = Path(file.name).read_text().splitlines()
    finally:
        os.close(ours)
        os.close(theirs)
    assert names[0] == "/dev/null"
    assert [name.partition(":")[0] for name in names[1:]] == ["pipe", "pipe"]


@trio_test
async def test_200_kib_without_a_newline_on_both_pipes_do_not_block_it():
    log = Records()
    program = "import sys; [f.write('x' * 200_000) for f in (sys.stdout, sys.stderr)]"
    with at_most(10):
        await supervise_run_process(
            python(program), relay_stdout=True, relay_stderr=True, label="it", logger=log.logger
        )
    assert sorted(log.messages) == ["[it:err] " + "x" * 200_000, "[it:out] " + "x" * 200_000]


def test_hundreds_of_megabytes_of_stderr_in_constant_memory():
    flood = python(
        "import os\nfor _ in range(3000): os.write(2, b'x' * 99_999 + b'\\n')\nos._exit(3)"
    )
    # In a process of its own, whose peak is its own.
    program = (
        "import logging, resource, subprocess, trio\n"
        "from treetap.process import supervise_run_process as run\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "async def main():\n"
        "    await run(['true'], relay_stderr=True)\n"
        "    before = peak()\n"
        "    try: await run(%r, relay_stderr=True)\n"
        "    except subprocess.CalledProcessError as exc: print(peak() - before, len(exc.stderr), exc.stderr)\n"
        "trio.run(main)\n"
    ) % (flood,)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50
    )
    grown, kept, stderr = done.stdout.split(maxsplit=2)
    assert int(grown) * (1 if sys.platform == "darwin" else 1024) < 20e6
    marker = "\\n[... 299967232 bytes are left out here ...]\\n"
    assert marker in stderr
    assert int(kept) == 2 * 16384 + len(marker) - 2


@trio_test
async def test_how_much_is_kept_can_be_said():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        await supervise_run_process(shell("printf 0123456789 >&2; exit 1"), keep_bytes=(2, 3))
    assert caught.value.stderr == b"01\n[... 5 bytes are left out here ...]\n789"


@trio_test
async def test_a_nonzero_exit_is_a_bare_error_with_the_whole_stderr_in_it():
    log = Records()
    command = shell("echo out; echo boom >&2; exit 3")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        await supervise_run_process(command, relay_stderr=True, label="it", logger=log.logger)
    error = caught.value
    assert (error.returncode, error.cmd) == (3, command)
    assert (error.stdout, error.stderr) == (None, b"boom\n")
    assert error.__notes__ == ["stderr:\n   boom"]
    assert log.messages == ["[it:err] boom"]


@trio_test
async def test_stdout_is_in_the_error_where_it_is_asked_for():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        await supervise_run_process(shell("echo out; exit 3"), keep_stdout=True)
    assert caught.value.stdout == caught.value.output == b"out\n"


@trio_test
async def test_under_start_the_error_comes_as_every_tasks_does():
    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervise_run_process, shell("exit 7"))
    [error] = caught.value.exceptions
    assert isinstance(error, subprocess.CalledProcessError)


@trio_test
async def test_a_death_by_a_signal_says_which():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        await supervise_run_process(shell("kill -SEGV $$"))
    assert caught.value.returncode == -signal.SIGSEGV
    assert caught.value.__notes__[0] == "It was ended by SIGSEGV (11)."


@trio_test
async def test_without_check_nothing_is_raised():
    await supervise_run_process(shell("exit 7"), check=False)


@pytest.mark.parametrize("ok", [(0, -15), {signal.SIGTERM}, [-15]])
@trio_test
async def test_a_process_that_the_caller_terminates_is_no_failure_if_it_says_so(ok):
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(supervise_run_process, ["sleep", "30"], ok=ok))
        process.terminate()


@trio_test
async def test_a_process_that_the_caller_terminates_is_a_failure_if_it_does_not():
    with pytest.raises(subprocess.CalledProcessError), bare_errors():
        async with trio.open_nursery() as nursery:
            process = await nursery.start(supervise_run_process, ["sleep", "30"])
            process.terminate()


@trio_test
async def test_other_codes_may_be_a_success_too():
    await supervise_run_process(shell("exit 1"), ok=(0, 1))
    with pytest.raises(subprocess.CalledProcessError):
        await supervise_run_process(shell("exit 0"), ok=(1,))


@trio_test
async def test_merged_streams_are_relayed_as_one_in_their_order():
    log = Records()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        await supervise_run_process(
            shell("echo 1; echo 2 >&2; echo 3; exit 1"),
            relay_stdout=True, merge_stderr=True, label="it", logger=log.logger,
        )  # fmt: skip
    assert log.messages == ["[it] 1", "[it] 2", "[it] 3"]
    assert caught.value.stderr == caught.value.stdout == b"1\n2\n3\n"
    assert caught.value.__notes__ == ["stderr:\n   1\n   2\n   3"]


@trio_test
async def test_what_went_elsewhere_is_not_in_the_error_as_if_it_were_empty(tmp_path):
    with (
        (tmp_path / "out").open("wb") as file,
        pytest.raises(subprocess.CalledProcessError) as caught,
    ):
        await supervise_run_process(shell("echo 2 >&2; exit 1"), stdout=file, merge_stderr=True)
    assert (tmp_path / "out").read_text() == "2\n"
    assert (caught.value.stdout, caught.value.stderr) == (None, None)


@trio_test
async def test_a_wrong_argument_starts_nothing(tmp_path):
    trace = tmp_path / "started"
    with pytest.raises(treetap.SupervisionError):
        await supervise_run_process(["touch", str(trace)], relay_level="loud")
    assert not trace.exists()


@trio_test
async def test_cancelled_beforehand_nothing_is_started(tmp_path):
    trace = tmp_path / "started"
    with trio.CancelScope() as scope:
        scope.cancel()
        await supervise_run_process(["touch", str(trace)])
    assert scope.cancelled_caught
    assert not trace.exists()


@trio_test
async def test_two_hundred_may_run_at_once():
    log = Records()
    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(
                partial(
                    supervise_run_process, shell(f"echo {number}"),
                    relay_stdout=True, label="it", logger=log.logger,
                )
            )  # fmt: skip
    assert sorted(map(int, log.of("it:out"))) == list(range(200))


@trio_test
async def test_nothing_is_left_open_or_unreaped():
    def open_descriptors() -> int:
        return len(os.listdir("/dev/fd"))

    await supervise_run_process(shell("exit 0"), relay_stdout=True)
    before = open_descriptors()
    pids = []
    for _ in range(20):
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                partial(supervise_run_process, ["true"], relay_stdout=True)
            )
            pids.append(process.pid)
    # Fewer, if what an earlier test left was collected meanwhile.
    assert open_descriptors() <= before
    assert all(is_reaped(pid) for pid in pids)
