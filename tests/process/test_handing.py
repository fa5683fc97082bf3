from __future__ import annotations

from functools import partial

import pytest
import trio
from trio.testing import trio_test

import treetap
from tests.process.programs import at_most, python, shell, until
from treetap.process import Line, supervise_run_process


@trio_test
async def test_lines_come_as_values_in_place_of_records(caplog):
    send, receive = trio.open_memory_channel[Line](100)
    async with trio.open_nursery() as nursery:
        await nursery.start(
            partial(
                supervise_run_process, shell(r"echo one; printf '\033[1m 5%%\r'; echo err >&2"),
                lines=send, relay_stdout=True, relay_stderr=True,
            )
        )  # fmt: skip
        lines = [line async for line in receive]
    assert [line for line in lines if line.stream == "out"] == [
        Line("one", "out", "line"),
        Line("\x1b[1m 5%", "out", "update"),
    ]
    assert [line for line in lines if line.stream == "err"] == [Line("err", "err")]
    assert caplog.records == []


@trio_test
async def test_the_channel_is_closed_when_nothing_could_be_started():
    for command, options in ((["no-such-program"], {}), (["true"], {"relay_level": "loud"})):
        send, receive = trio.open_memory_channel[Line](1)
        with pytest.raises((FileNotFoundError, treetap.SupervisionError)):
            await supervise_run_process(command, lines=send, relay_stdout=True, **options)
        with pytest.raises(trio.EndOfChannel):
            receive.receive_nowait()


@trio_test
async def test_a_channel_that_is_closed_before_costs_the_lines_and_nothing_else():
    send, receive = trio.open_memory_channel[Line](1)
    send.close()
    await supervise_run_process(shell("echo 1; echo 2"), lines=send, relay_stdout=True)
    receive.close()


@trio_test
async def test_who_does_not_receive_makes_the_program_wait_and_loses_nothing():
    send, receive = trio.open_memory_channel[Line](0)
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            partial(
                supervise_run_process, python("for n in range(100_000): print(n)"),
                lines=send, relay_stdout=True,
            )
        )  # fmt: skip
        assert (await receive.receive()).text == "0"
        await trio.testing.wait_all_tasks_blocked(0.1)
        assert process.returncode is None
        assert [int(line.text) async for line in receive] == list(range(1, 100_000))


@trio_test
async def test_who_has_left_costs_the_lines_and_nothing_else():
    send, receive = trio.open_memory_channel[Line](0)
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            partial(
                supervise_run_process, python("for n in range(100_000): print(n)"),
                lines=send, relay_stdout=True,
            )
        )  # fmt: skip
        await receive.receive()
        receive.close()
    assert process.returncode == 0


@trio_test
async def test_a_cancelled_supervisor_does_not_wait_for_ever_for_who_does_not_receive():
    send, receive = trio.open_memory_channel[Line](0)
    with at_most(10):
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                partial(
                    supervise_run_process, python("while True: print('x')"),
                    lines=send, relay_stdout=True, cancel_grace_s=0.1, pipe_grace_s=0.1,
                )
            )  # fmt: skip
            await until(lambda: send.statistics().tasks_waiting_send)
            nursery.cancel_scope.cancel()
    assert process.returncode is not None
    receive.close()
