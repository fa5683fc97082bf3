from __future__ import annotations

import signal
import subprocess

import pytest
import trio
from trio.testing import trio_test

from tests.process.programs import is_reaped, python, shell
from treetap.process import open_process_lines


@trio_test
async def test_a_programs_lines_are_an_iterator():
    async with open_process_lines(shell("for n in 1 2 3; do echo $n; done")) as lines:
        assert isinstance(lines.process, trio.Process)
        assert [line.text async for line in lines] == ["1", "2", "3"]
    assert lines.process.returncode == 0


@trio_test
async def test_the_last_line_is_read_before_the_failure_is_raised():
    seen = []
    with pytest.raises(subprocess.CalledProcessError) as caught:
        async with open_process_lines(
            shell("for n in 1 2 3; do echo $n; done; echo no >&2; exit 4")
        ) as lines:
            async for line in lines:
                await trio.sleep(0.02)  # slower than the program
                seen.append((line.stream, line.text))
    assert sorted(seen) == [("err", "no"), ("out", "1"), ("out", "2"), ("out", "3")]
    assert (caught.value.returncode, caught.value.stderr) == (4, b"no\n")


@trio_test
async def test_an_error_in_the_block_hides_no_failure_of_the_program():
    with pytest.raises(RuntimeError, match="it is not up") as caught:
        async with open_process_lines(shell("echo no port >&2; exit 3")) as lines:
            async for _ in lines:
                pass
            raise RuntimeError("it is not up")
    assert isinstance(caught.value.__context__, subprocess.CalledProcessError)
    assert caught.value.__context__.stderr == b"no port\n"
    assert not caught.value.__suppress_context__


@trio_test
async def test_leaving_the_block_ends_the_program():
    async with open_process_lines(
        python("import time\nwhile True: print('x'); time.sleep(.01)")
    ) as lines:
        async for _ in lines:
            break
    assert lines.process.returncode == -signal.SIGTERM
    assert is_reaped(lines.process.pid)


@trio_test
async def test_an_error_in_the_block_ends_the_program_and_is_bare():
    with pytest.raises(KeyError):
        async with open_process_lines(["sleep", "60"]) as lines:
            raise KeyError
    assert lines.process.returncode == -signal.SIGTERM


@trio_test
async def test_what_can_not_be_started_is_a_bare_error():
    with pytest.raises(FileNotFoundError):
        async with open_process_lines(["no-such-program-anywhere"]):
            pytest.fail("not entered")


@trio_test
async def test_all_arguments_of_the_supervisor_are_taken():
    command = shell("echo 1; echo 2 >&2; exit 1")
    async with open_process_lines(command, merge_stderr=True, ok=[1]) as lines:
        assert [(line.stream, line.text) async for line in lines] == [("out", "1"), ("out", "2")]
    async with open_process_lines(command, relay_stderr=False, check=False) as lines:
        assert [line.text async for line in lines] == ["1"]


@trio_test
async def test_cancelled_from_outside_it_ends_its_program():
    with trio.CancelScope() as scope:
        async with open_process_lines(shell("echo up; exec sleep 60")) as lines:
            async for _ in lines:
                scope.cancel()
    assert scope.cancelled_caught
    assert lines.process.returncode == -signal.SIGTERM
