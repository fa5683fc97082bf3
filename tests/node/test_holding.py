"""What ``init(debug=True)`` makes of ``breakpoint()``, and that ``shutdown()`` undoes it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import treetap
from treetap.config.settings import resolve

NAMES = ("PYTHONBREAKPOINT", "TREETAP_DEBUG", "TREETAP_TREE", "TREETAP_PARENT", "TREETAP_NAME")


@pytest.fixture(autouse=True)
def bare(home, monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)
    yield
    treetap.shutdown()


def test_children_are_told_by_the_environment_which_is_as_it_was_afterwards():
    before = dict(os.environ)
    treetap.init(debug=True)
    assert os.environ["PYTHONBREAKPOINT"] == "treetap.debug.pause"
    assert os.environ["TREETAP_DEBUG"] == "1"
    assert sys.breakpointhook is sys.__breakpointhook__  # which asks the environment, each time
    treetap.shutdown()
    assert dict(os.environ) == before


def test_limits_that_init_is_given_hold_for_prompts_here_and_below():
    before = dict(os.environ)
    treetap.init(pause_timeout_s=2.5, max_hold_s=7)
    # Who pauses asks the settings anew; what it starts has the variables.
    assert (resolve().pause_timeout_s, resolve().max_hold_s) == (2.5, 7.0)
    assert resolve().origin("max_hold_s") == "TREETAP_MAX_HOLD_S"
    treetap.shutdown()
    assert dict(os.environ) == before


def test_without_debug_nothing_is_said_of_breakpoints():
    treetap.init()
    assert "PYTHONBREAKPOINT" not in os.environ
    assert "TREETAP_DEBUG" not in os.environ


@pytest.mark.parametrize("chosen", ["0", "ipdb.set_trace"])
def test_what_the_user_has_chosen_stays(monkeypatch, chosen):
    monkeypatch.setenv("PYTHONBREAKPOINT", chosen)
    for follow_children in (True, False):
        treetap.init(debug=True, follow_children=follow_children)
        assert os.environ["PYTHONBREAKPOINT"] == chosen
        assert sys.breakpointhook is sys.__breakpointhook__
        treetap.shutdown()
        assert os.environ["PYTHONBREAKPOINT"] == chosen


def test_where_children_are_not_followed_only_this_process_holds():
    treetap.init(debug=True, follow_children=False)
    assert sys.breakpointhook is treetap.pause
    assert "PYTHONBREAKPOINT" not in os.environ
    treetap.shutdown()
    assert sys.breakpointhook is sys.__breakpointhook__


def test_a_hook_of_the_programs_stays_before_and_since(monkeypatch):
    def own():
        pass

    monkeypatch.setattr(sys, "breakpointhook", own)
    treetap.init(debug=True, follow_children=False)
    assert sys.breakpointhook is own
    treetap.shutdown()
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)
    treetap.init(debug=True, follow_children=False)
    monkeypatch.setattr(sys, "breakpointhook", own)
    treetap.shutdown()
    assert sys.breakpointhook is own


def test_a_tree_that_nobody_looks_at_loads_nothing_for_it():
    program = (
        "import sys, treetap; treetap.init(debug=True)\n"
        "assert not [m for m in sys.modules if m.startswith(('treetap.debug', 'treetap.stack'))]\n"
        "assert not {'signal', 'enum', 'json', 'threading'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"], check=True, timeout=30)  # fmt: skip
