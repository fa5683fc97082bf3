"""What a program can still see, and what it can't, while snippets are in its functions."""

from __future__ import annotations

import copy
import dis
import inspect
import pickle
import sys
import traceback

import pytest

from tests.probing import line_of

PROGRAM = """
    def f(a, b=2, *rest, key=None, **named):
        '''What f does.'''
        c = (a +
             b) / named["z"]  # division
        return c

    def outer(x):
        def inner():
            '''inner doc'''
            return x  # inner
        return inner

    def locals_of(a):
        b = 1
        c = 2  # locals
        return sorted(locals())

    def names(a):
        return a  # names
"""


def text_of_failure(module):
    try:
        module.f(1, z=0)
    except ZeroDivisionError:
        return "".join(traceback.format_exception(*sys.exc_info()))
    return ""


def test_a_traceback_is_the_same_with_its_lines_and_carets(programs, stage):
    module = programs.load(PROGRAM)
    plain = text_of_failure(module)
    for line in range(line_of(module, "c = (a +"), line_of(module, "return c") + 1):
        stage.put(module, line, "a")
    assert text_of_failure(module) == plain
    assert "^" in plain


def test_inspect_and_pickle_see_the_same_function(programs, stage):
    module = programs.load(PROGRAM)
    before = inspect.getsource(module.f), inspect.signature(module.f), module.f.__doc__
    inner_doc = module.outer(1).__doc__
    stage.put(module, "# division", "a")
    stage.put(module, "# inner", "x")
    stage.put(module, ":outer.<locals>.inner", "x")
    assert (inspect.getsource(module.f), inspect.signature(module.f), module.f.__doc__) == before
    assert pickle.loads(pickle.dumps(module.f)) is module.f
    assert copy.deepcopy(module.f) is module.f
    assert module.outer(1).__doc__ == inner_doc == "inner doc"
    assert inspect.getsource(module.outer(1)).lstrip().startswith("def inner")
    dis.Bytecode(module.f).dis()


def test_locals_show_nothing_of_ours(programs, stage):
    module = programs.load(PROGRAM)
    plain = module.locals_of(1)
    names = module.names.__code__.co_varnames, module.names.__code__.co_names
    stage.put(module, "# locals", "a", "b + 1", condition="a == 1")
    stage.put(module, "# names", "a")
    for _ in range(5):
        assert module.locals_of(1) == plain
        stage.probe_set.tick()
    assert module.names.__code__.co_varnames == names[0]


def test_line_numbers_stay_for_frames_and_warnings(programs, stage):
    module = programs.load("""
        import sys
        def f():
            a = 1  # first
            return sys._getframe().f_lineno  # second
    """)
    plain = module.f()
    stage.put(module, "# first", "1")
    stage.put(module, "# second", "a")
    assert module.f() == plain == line_of(module, "# second")


def test_a_name_of_an_outer_function_that_inner_does_not_close_over_is_no_such_name(
    programs, stage
):
    module = programs.load("""
        def outer(x):
            def inner(y):
                z = y  # here
                return z
            return inner, x
    """)
    function, _ = module.outer(1)
    probe = stage.put(module, "# here", "x", "y")
    function(2)
    assert stage.rows(probe)[0][0]["reason"] == "no such name here"
    assert stage.rows(probe)[0][1] == 2


def test_a_global_that_a_probe_reads_does_not_become_a_local(programs, stage):
    module = programs.load("""
        LIMIT = 3
        def f(a):
            b = a  # here
            return b
    """)
    probe = stage.put(module, "# here", "LIMIT", "len")
    stage.put(module, "# here", "(LIMIT := 5)", safety="trusted")
    for _ in range(4):
        module.f(1)
        stage.probe_set.tick()
    module.LIMIT = 4
    module.f(1)
    assert [row[0] for row in stage.rows(probe)] == [3, 3, 3, 3, 4]
    assert module.LIMIT == 4


@pytest.mark.parametrize(
    "source",
    [
        "def f(a):\n    '''only a docstring'''\n",
        "def f(a): ...\n",
        "def f(a): pass\n",
        "def f(a):\n    global g\n    g = a\n",
        "async def f(a):\n    yield a\n",
        "def f(a):\n    del a\n",
        "def f(a):\n    import os\n    return os\n",
        "def f(a):\n    match a:\n        case _:\n            return a\n",
        "def f(a):\n    return [a for a in range(3)]\n",
        "def f(a):\n    try:\n        return a\n    except* ValueError:\n        a = 1\n",
        "class A:\n    def f(self, a):\n        return super().__init__()\nf = A().f\n",
    ],
)
def test_every_line_of_odd_functions_can_hold_a_probe(programs, stage, source):
    module = programs.load(source)
    probes = [stage.add(module, n, "a") for n in range(1, source.count("\n") + 1)]
    stage.apply()
    statuses = [stage.status(probe) for probe in probes]
    assert {status.state for status in statuses} <= {"armed", "failed"}
    assert not [status for status in statuses if status.error and status.error[0] == "fault"]
    module.f(1)
