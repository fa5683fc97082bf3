from __future__ import annotations

import io
import logging
import subprocess
import sys
from functools import partial
from itertools import pairwise

import pytest
import trio
from trio.testing import trio_test

from tests.process.programs import Records, at_most, python, shell, until
from treetap.process import IO, relay, supervise_run_process
from treetap.process.lines import Block
from treetap.process.relay import CUT_MARK, REST_MARK, SLICE, LogSink


async def relayed(program: list[str], log: Records | None = None, **options) -> Records:
    log = log or Records()
    # A busy machine may stop a program in the middle of a line: that is no prompt.
    options.setdefault("prompt_after_s", 60)
    await supervise_run_process(
        program, relay_stdout=True, relay_stderr=True, label="it", logger=log.logger, **options
    )
    return log


@trio_test
async def test_a_record_is_right_in_every_part():
    log = await relayed(shell("echo '100% %s {}'"))
    [record] = log.records
    assert (record.name, record.levelno, record.levelname) == (log.logger.name, IO, "IO")
    assert record.getMessage() == record.msg == "[it:out] 100% %s {}"
    assert (record.pathname, record.filename) == (relay.__file__, "relay.py")
    assert (record.module, record.funcName) == ("relay", "relay")
    assert record.lineno == LogSink._log.__code__.co_firstlineno
    assert (record.exc_info, record.stack_info, record.args) == (None, None, ())
    assert record.processName == "MainProcess"
    assert record.threadName == "MainThread"


@trio_test
async def test_a_bare_call_makes_the_same_record_but_for_its_place():
    log = await relayed(shell("echo text"))
    log.logger.log(IO, "[it:out] text")
    ours, bare = (vars(record) for record in log.records)
    different = {name for name in bare if ours[name] != bare[name]}
    assert ours.keys() == bare.keys()
    assert different <= {
        "created", "msecs", "relativeCreated", "taskName",
        "pathname", "filename", "module", "lineno", "funcName",
    }  # fmt: skip


@pytest.mark.parametrize("stream", ["out", "err"])
@trio_test
async def test_each_line_comes_while_the_program_runs(stream):
    log = Records()
    program = f"import sys, time; print('now', file=sys.std{stream})\ntime.sleep(60)"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relayed, python(program), log)
        await until(lambda: log.of(f"it:{stream}") == ["now"])
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("level", "number"), [("io", 21), ("debug", 10), ("WARNING", 30), (33, 33)]
)
@trio_test
async def test_the_level_may_be_any(level, number):
    log = await relayed(shell("echo x"), relay_level=level)
    assert [record.levelno for record in log.records] == [number]


@pytest.mark.parametrize(
    ("shown_from", "is_shown"), [(logging.INFO, True), (21, True), (22, False)]
)
@trio_test
async def test_it_is_shown_where_info_is_and_can_be_left_out_by_itself(shown_from, is_shown):
    log = await relayed(shell("echo x"), Records(shown_from))
    assert bool(log.records) is is_shown


@trio_test
async def test_a_level_that_changes_meanwhile_is_seen():
    log = Records(logging.ERROR)
    sink = LogSink(log.logger, IO, "it", escape_control=True)
    await sink.take(Block("line", ["unseen"]))
    log.logger.setLevel(logging.INFO)
    await sink.take(Block("line", ["seen"]))
    log.logger.setLevel(logging.WARNING)
    await sink.take(Block("line", ["unseen"]))
    assert log.messages == ["[it] seen"]


@trio_test
async def test_the_default_logger_is_a_child_of_the_root_and_can_be_configured(caplog):
    with caplog.at_level(logging.INFO):
        await supervise_run_process(shell("echo x"), relay_stdout=True, label="it")
    assert caplog.record_tuples == [("treetap.process", 21, "[it:out] x")]


@trio_test
async def test_a_progress_bar_comes_as_updates():
    log = await relayed(python(r"print('10%\r20%\r30%\rdone')"))
    assert log.of("it:out") == ["10%", "20%", "30%", "done"]


@trio_test
async def test_what_is_not_utf_8_is_replaced_and_the_last_line_needs_no_newline():
    log = await relayed(python(r"import os; os.write(1, b'a\xffb\n\xc3\xa9 \xf0\x9f\x98')"))
    assert log.of("it:out") == ["a\ufffdb", "é \ufffd"]


@trio_test
async def test_a_prompt_shows_before_it_is_answered():
    log = Records()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            partial(relayed, prompt_after_s=0.05),
            python("import time; print('Name? ', end=''); time.sleep(60)"),
            log,
        )
        await until(lambda: log.of("it:out") == ["Name? "])
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_line_that_is_too_long_comes_in_marked_pieces():
    log = await relayed(python("print('x' * 250); print('next')"), max_line_bytes=100)
    assert log.of("it:out") == [
        "x" * 100 + CUT_MARK,
        "x" * 100 + CUT_MARK,
        REST_MARK + "x" * 50,
        "next",
    ]


@trio_test
async def test_megabytes_without_a_newline_are_pieces_in_linear_time():
    with at_most(10):
        log = await relayed(python("import os\nfor _ in range(320): os.write(1, b'x' * 100_000)"))
    pieces = log.of("it:out")
    assert len(pieces) == 31
    assert sum(text.count("x") for text in pieces) == 32_000_000


@trio_test
async def test_control_characters_are_harmless_unless_asked():
    program = python(r"print('\x1b[31mred\x1b[0m\x07')")
    assert (await relayed(program)).of("it:out") == [r"\x1b[31mred\x1b[0m\x07"]
    assert (await relayed(program, escape_control=False)).of("it:out") == ["\x1b[31mred\x1b[0m\x07"]


@trio_test
async def test_a_label_forges_no_line():
    log = Records()
    await supervise_run_process(shell("echo x"), relay_stdout=True, label="a\nb", logger=log.logger)
    assert log.messages == [r"[a\nb:out] x"]


@trio_test
async def test_other_tasks_have_their_turn_during_a_flood():
    log = Records()
    sink = LogSink(log.logger, IO, "it", escape_control=True)
    seen_at = []

    async def other() -> None:
        while True:
            seen_at.append(len(log.records))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await sink.take(Block("line", ["x"] * 10 * SLICE))
        nursery.cancel_scope.cancel()
    assert len(log.records) == 10 * SLICE
    # Twice: which of two tasks goes first in a turn is left to chance.
    assert max(b - a for a, b in pairwise(seen_at)) <= 2 * SLICE


class Broken(logging.Handler):
    """Raises for some lines."""

    def emit(self, record):
        if "bad" in record.getMessage():
            raise OSError("the disk is full")


@trio_test
async def test_a_handler_that_raises_hangs_nobody_kills_nobody_and_costs_its_own_lines_only(capsys):
    log = Records()
    log.logger.handlers.insert(0, Broken())
    with at_most(20), pytest.raises(subprocess.CalledProcessError) as caught:
        await relayed(
            python(
                "for n in range(3): print('bad'); print('good', n)\nprint('x' * 200_000)\nraise SystemExit(7)"
            ),
            log,
        )
    assert caught.value.returncode == 7
    assert log.of("it:out")[:3] == ["good 0", "good 1", "good 2"]
    assert len(log.of("it:out")[3]) == 200_000
    assert "3 lines were not logged: OSError('the disk is full')" in log.messages[-1]
    assert "3 of its lines were not logged: OSError('the disk is full')" in caught.value.__notes__
    shown = capsys.readouterr().err
    assert shown.count("Traceback") == 1
    assert "Logging error, relaying [it:out]" in shown


@trio_test
async def test_a_log_that_always_raises_is_no_failure_of_the_program(capsys, monkeypatch):
    log = Records()

    def fail(record):
        raise RuntimeError("broken")

    log.logger.addFilter(fail)
    await relayed(shell("echo a; echo b >&2"), log)
    assert capsys.readouterr().err.count("RuntimeError: broken") == 2
    monkeypatch.setattr(logging, "raiseExceptions", False)
    await relayed(shell("echo a; echo b >&2"), log)
    assert capsys.readouterr().err == ""


@trio_test
async def test_a_log_that_is_broken_in_every_way_hides_no_failure_of_the_program(monkeypatch):
    class Unspeakable(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    log = Records()

    def fail(record):
        raise Unspeakable

    log.logger.addFilter(fail)
    closed = io.StringIO()
    closed.close()
    for stream in (sys.stderr, closed):
        monkeypatch.setattr(sys, "stderr", stream)
        with pytest.raises(subprocess.CalledProcessError) as caught:
            await relayed(shell("echo a; exit 7"), log)
        assert caught.value.returncode == 7
        assert "1 of its lines were not logged: Unspeakable" in caught.value.__notes__[-1]


@trio_test
async def test_an_adapter_and_a_logger_with_a_log_of_its_own_are_called_as_such():
    class Prefixed(logging.LoggerAdapter):
        def process(self, msg, kwargs):
            return f"adapted: {msg}", kwargs

    class Counting(logging.Logger):
        calls = 0

        def _log(self, *args, **kwargs):
            self.calls += 1
            super()._log(*args, **kwargs)

    log = Records()
    await supervise_run_process(
        shell("echo 50%"), relay_stdout=True, label="it", logger=Prefixed(log.logger, {})
    )
    assert log.messages == ["adapted: [it:out] 50%"]
    counting = Counting("counting")
    counting.addHandler(log)
    await supervise_run_process(shell("echo 1; echo 2"), relay_stdout=True, logger=counting)
    assert counting.calls == 2
    assert len(log.messages) == 3


@trio_test
async def test_a_record_factory_and_makerecord_are_what_they_always_are():
    class Marked(logging.Logger):
        def makeRecord(self, *args, **kwargs):
            record = super().makeRecord(*args, **kwargs)
            record.mark = "marked"
            return record

    log = Records()
    marked = Marked("marked")
    marked.addHandler(log)
    await supervise_run_process(shell("echo 1"), relay_stdout=True, logger=marked)
    assert log.records[0].mark == "marked"


def test_importing_it_configures_no_handler():
    program = (
        "import logging, treetap.process\n"
        "assert not logging.getLogger().handlers\n"
        "assert not logging.getLogger('treetap').handlers\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
