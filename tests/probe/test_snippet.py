from __future__ import annotations

import ast

import pytest

from treetap.expression.redaction import Redaction
from treetap.model.location import Location
from treetap.model.probe import Probe
from treetap.probe.recorder import Recorder
from treetap.probe.snippet import Snippet, fill


def run(recorder, readable, namespace=None, **arguments):
    """Compile a snippet as a module, and run that."""
    snippet = Snippet(recorder, frozenset(readable), **arguments)
    tree = ast.fix_missing_locations(ast.Module(snippet.statements(), []))
    code = fill(compile(tree, "<snippet>", "exec"), snippet.constants)
    exec(code, {} if namespace is None else namespace)
    return code


@pytest.fixture
def recorder():
    return Recorder(Probe("p", Location(file="a.py", line=1), ("a", "b")), Redaction(), set())


def rows(recorder):
    return [row[1:] for row in recorder.ring.drain(9)[1]]


def test_it_reads_the_names_as_the_program_would(recorder):
    run(recorder, ["a", "b"], {"a": 1, "b": 2})
    assert rows(recorder) == [(1, 2)]


def test_what_can_not_be_read_by_name_is_looked_up_in_the_frame(recorder):
    run(recorder, ["a"], {"a": 1, "b": 2})
    assert rows(recorder) == [(1, 2)]


def test_a_name_that_is_not_bound_sends_the_hit_to_the_frame(recorder):
    run(recorder, ["a", "b"], {"a": 1})
    ((a, b),) = rows(recorder)
    assert (a, b["reason"]) == (1, "no such name here")


def test_all_that_is_ours_is_a_constant(recorder):
    namespace = {"a": 1, "b": 2, "Exception": None, "type": None}
    before = set(namespace)
    code = run(recorder, ["a", "b"], namespace)
    assert set(namespace) - before == {"__builtins__"}
    assert not [
        value for value in code.co_consts if type(value) is str and value.startswith("@treetap")
    ]


def test_over_its_budget_it_counts_and_reads_nothing(recorder):
    run(recorder, ["a", "b"], {}, is_throttled=True)
    assert recorder.skipped["budget"].value == 1
    assert recorder.hits == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_is_meant_for_the_program_goes_through(recorder, kind):
    def observe(_lookup):
        raise kind

    recorder.observe = observe
    with pytest.raises(kind):
        run(recorder, ["a", "b"], {"a": 1, "b": 2})


def test_a_fault_of_ours_is_counted_and_does_not_show(recorder):
    def observe(_lookup):
        raise ValueError

    recorder.observe = observe
    run(recorder, ["a", "b"], {"a": 1, "b": 2})
    assert recorder.skipped["fault"].value == 1
