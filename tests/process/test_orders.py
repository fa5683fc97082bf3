from __future__ import annotations

import subprocess

import pytest
from trio.testing import trio_test

import treetap
from tests.process.programs import Records
from treetap.process import Line, supervise_run_process


@pytest.mark.parametrize(
    ("options", "what", "instead"),
    [
        ({"stdout": subprocess.PIPE}, "stdout=PIPE without a reader", "relay_stdout=True"),
        ({"capture_stdout": True}, "capture_stdout is not taken", "keep_stdout=True"),
        ({"capture_stdout": False}, "capture_stdout is not taken", "relay_stdout=True"),
        ({"capture_stderr": True}, "capture_stderr is not taken", "in the error's .stderr"),
        ({"capture_output": True}, "capture_output is not taken", "lines=channel"),
        ({"stdout": None, "relay_stdout": True}, "contradict each other", "Leave out stdout="),
        (
            {"stdout": 1, "merge_stderr": True, "relay_stderr": True},
            "goes to stdout=1",
            "Leave out stdout=",
        ),
        ({"max_line_bytes": 10}, "max_line_bytes=10", "at least 64"),
        ({"cancel_grace_s": -1}, "cancel_grace_s=-1", "0 or more"),
        ({"pipe_grace_s": float("nan")}, "pipe_grace_s=nan", "0 or more"),
        ({"keep_bytes": (-1, 0)}, "keep_bytes=(-1, 0)", "(16384, 16384)"),
        ({"keep_bytes": (1, 2, 3)}, "keep_bytes=(1, 2, 3)", "(16384, 16384)"),
        ({"keep_bytes": 5}, "keep_bytes=5", "(16384, 16384)"),
        ({"keep_bytes": (1.5, 2)}, "keep_bytes=(1.5, 2)", "(16384, 16384)"),
        ({"max_line_bytes": 100.5}, "max_line_bytes=100.5", "at least 64"),
        ({"cancel_grace_s": "5"}, "cancel_grace_s='5'", "seconds"),
        ({"prompt_after_s": None}, "prompt_after_s=None", "seconds"),
        ({"ok": 0}, "ok=0", "ok=[0, 1]"),
        ({"ok": None}, "ok=None", "ok=[0, 1]"),
        ({"ok": ["SIGTERM"]}, "ok=['SIGTERM']", "signal.SIGTERM"),
        ({"logger": "shop"}, "logger='shop'", "logging.getLogger('shop')"),
        ({"label": b"it"}, "label=b'it'", "str"),
        ({"relay_level": "loud"}, "'loud' is no level", "IO"),
    ],
)
@trio_test
async def test_what_makes_no_sense_is_refused_with_the_way_out(options, what, instead, tmp_path):
    trace = tmp_path / "started"
    with pytest.raises(ValueError) as caught:
        await supervise_run_process(["touch", str(trace)], **options)
    assert isinstance(caught.value, treetap.SupervisionError)
    assert what in caught.value.what
    assert instead in caught.value.hint
    assert not trace.exists()


@trio_test
async def test_lines_need_a_stream_to_come_from():
    import trio

    send, _receive = trio.open_memory_channel[Line](1)
    with pytest.raises(treetap.SupervisionError, match="no stream to take them from"):
        await supervise_run_process(["true"], lines=send)


@trio_test
async def test_an_empty_command_is_refused():
    with pytest.raises(treetap.SupervisionError, match="empty"):
        await supervise_run_process([])


@trio_test
async def test_stdout_pipe_with_a_reader_is_what_the_reader_has_anyway():
    log = Records()
    await supervise_run_process(
        ["echo", "x"], stdout=subprocess.PIPE, relay_stdout=True, logger=log.logger
    )
    assert log.messages == ["[echo x:out] x"]


@trio_test
async def test_an_option_that_no_program_can_have_is_pythons_own_error():
    with pytest.raises(TypeError, match="colour"):
        await supervise_run_process(["true"], colour="red")


@trio_test
async def test_a_label_made_of_a_long_command_is_short():
    log = Records()
    await supervise_run_process(
        ["/bin/sh", "-c", "echo x #" + "y" * 500], relay_stdout=True, logger=log.logger
    )
    [message] = log.messages
    assert message.startswith("[/bin/sh -c 'echo x #yyy")
    assert message.endswith("…:out] x")
    assert len(message) < 100
