from __future__ import annotations

import subprocess
import traceback

import pytest

from treetap.process.failure import bare_errors, failure, find_failure, shown, signal_name
from treetap.process.tail import HeadAndTail

ERROR = subprocess.CalledProcessError(3, ["x"])


def test_the_note_shows_stderr_indented_and_harmless():
    kept = HeadAndTail()
    kept.add(b"one\r\n\x1b[2Jtwo\n\n\xff")
    error = failure(1, ["x"], stdout=None, stderr=kept, remarks=["a remark"])
    assert error.__notes__ == ["stderr:\n   one\n   \\x1b[2Jtwo\n\n   \ufffd", "a remark"]
    assert error.stderr == b"one\r\n\x1b[2Jtwo\n\n\xff"


def test_the_note_is_there_when_stderr_is_empty():
    assert failure(1, ["x"], stdout=None, stderr=HeadAndTail(), remarks=[]).__notes__ == ["stderr:"]


def test_what_was_not_read_is_none_and_has_no_note():
    error = failure(1, ["x"], stdout=None, stderr=None, remarks=[])
    assert error.stderr is None
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize(
    ("number", "name"), [(9, "SIGKILL (9)"), (15, "SIGTERM (15)"), (250, "signal 250")]
)
def test_a_signal_is_told_by_its_name(number: int, name: str):
    assert signal_name(number) == name


def test_an_empty_output_shows_nothing():
    assert shown(b"") == ""


@pytest.mark.parametrize(
    "error",
    [
        ERROR,
        ExceptionGroup("", [ERROR]),
        ExceptionGroup("", [KeyError(), ExceptionGroup("", [ERROR, ValueError()])]),
        BaseExceptionGroup("", [KeyboardInterrupt(), ERROR]),
    ],
)
def test_a_failure_is_found_at_any_depth(error):
    assert find_failure(error) is ERROR


@pytest.mark.parametrize("error", [KeyError(), ExceptionGroup("", [KeyError()])])
def test_where_there_is_no_failure_none_is_found(error):
    assert find_failure(error) is None


def test_a_group_of_one_is_raised_as_that_one():
    cause = KeyError("why")
    only = ValueError("only")
    only.__cause__ = cause
    with pytest.raises(ValueError, match="only") as caught, bare_errors():
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [only])])
    assert caught.value is only
    assert caught.value.__cause__ is cause


def test_that_one_keeps_its_context_and_is_shown_with_no_group():
    with pytest.raises(ValueError, match="only") as caught, bare_errors():
        try:
            try:
                raise KeyError("before")
            except KeyError:
                raise ValueError("only")
        except ValueError as error:
            raise ExceptionGroup("group", [error]) from None
    shown = "".join(traceback.format_exception(caught.value))
    assert "KeyError: 'before'" in shown
    assert "Exception Group Traceback" not in shown


def test_a_group_of_several_stays_one_and_so_does_what_is_none():
    group = ExceptionGroup("", [KeyError(), ValueError()])
    with pytest.raises(ExceptionGroup) as caught, bare_errors():
        raise group
    assert caught.value is group
    with pytest.raises(KeyError), bare_errors():
        raise KeyError


def test_without_an_error_there_is_none():
    with bare_errors():
        pass
