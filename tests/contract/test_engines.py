"""What every engine has to do alike: one suite, run with each of them alone."""

from __future__ import annotations

import asyncio
import contextlib
import linecache
import re
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.probe import constructs
from tests.probing import Stage, assert_nothing_is_left, line_of
from treetap.interpreter import HAS_MONITORING
from treetap.probe.code import walk_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What can serve any call that begins after the probe was put. Tracing, which serves frames that
#: were running before, has its own tests.
ENGINES = ("injecting", "monitoring") if HAS_MONITORING else ("injecting", "splicing")
#: Without a source, e.g. for a ``match``'s cases, injecting is helped by the other one.
WITH_HELP = {"injecting": ENGINES}


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def stage(engine) -> Iterator[Stage]:
    made = Stage(engines=(engine,))
    yield made
    made.close()
    assert_nothing_is_left()


# -- What a hit is: the same as a LINE event of sys.settrace, but for what docs/probes.md lists.


def line_events(function):
    """What the function returns, and how often each line of its file was reached."""
    seen = Counter()

    def trace(frame, event, _argument):
        if frame.f_code.co_filename != constructs.__file__:
            return None
        if event == "line":
            seen[frame.f_lineno] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return function(), seen
    finally:
        sys.settrace(before)


def lines_of(function):
    """The lines that hold code or have a mark."""
    code = function.__code__
    held = {line for inner in walk_codes(code) for *_, line in inner.co_lines() if line}
    marked = {line for line in range(min(held), max(held) + 1) if mark_of(line)}
    return sorted(held | marked)


def mark_of(line):
    return re.search(r"# hits: ([\w, ]+)", linecache.getline(constructs.__file__, line))


def expected_hits(line, engine, events):
    """The number of LINE events, if the line has no mark that says otherwise; ``None`` for any."""
    mark = mark_of(line)
    for part in mark[1].split(", ") if mark else ():
        name, _, number = part.rpartition(" ")
        if name in ("", engine):
            return None if number == "any" else int(number)
    return events


@pytest.mark.parametrize("function", constructs.ALL, ids=lambda function: function.__name__)
def test_a_line_is_hit_as_often_as_settrace_tells_of_it(function, engine):
    value, events = line_events(function)
    lines = lines_of(function)
    # The line of the ``def`` is the function's entry, for which settrace has another event.
    events[lines[0]] = events[lines[0]] or 1
    stage = Stage(engines=WITH_HELP.get(engine, (engine,)))
    try:
        probes = {line: stage.add(constructs, line) for line in lines}
        stage.apply()
        assert function() == value
        hits = {line: stage.hits(probe) for line, probe in probes.items()}
    finally:
        stage.close()
    expected = {line: expected_hits(line, engine, events[line]) for line in lines}
    assert hits == {line: hits[line] if n is None else n for line, n in expected.items()}
