"""What every test may use. Kept small: a fixture that only one folder needs lives there."""

from __future__ import annotations

import gc
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any


def wait_until(condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Wait for ``condition`` to give something true, and return that; fail after ``timeout_s``.

    The limit is for a machine that is busy with other things: who wants to know how long something
    takes, measures it.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        outcome = condition()
        if outcome:
            return outcome
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s} s: {condition}")
        time.sleep(0.002)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A treetap home of this test's own, known to this process and to its children."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("TREETAP_HOME", str(path))
    return path


@pytest.fixture
def unhurried_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for a debugpy without a processor to end a session; who comes earlier locks it up."""
    monkeypatch.setattr("treetap.dap.session._ENDING_S", 0.7)


def pytest_configure() -> None:
    """Make the tests mean the same wherever they run; programs of theirs import this file too."""
    from hypothesis import HealthCheck, settings

    # A machine that is busy with other things makes an example slow, not wrong.
    settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy")
    # numpy, once it is loaded, would have threads that Python doesn't count: tests count them all.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _undo_a_shells_ignoring()


def _undo_a_shells_ignoring() -> None:
    """Of signals, for a job in the background, and by ``nohup``: programs inherit it."""
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Put what is loaded so far out of the collector's sight.

    A change of probes asks it about every object, and a test run holds a million that no test is
    about. What a test makes itself is seen as always.
    """
    gc.collect()
    gc.freeze()
