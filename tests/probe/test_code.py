from __future__ import annotations

import opcode

import pytest

from treetap.probe import code


def test_what_stands_before_the_first_line_is_known_from_samples():
    names = ("RESUME", "MAKE_CELL", "COPY_FREE_VARS", "RETURN_GENERATOR", "POP_TOP", "CACHE")
    assert {opcode.opmap[name] for name in names} == code._prologue()


@pytest.mark.parametrize(
    "text",
    [
        "def f(): pass",
        "def f(a, *, b=1):\n return a + b",
        "async def f(): pass",
        "def f():\n yield 1",
        "async def f():\n yield 1",
        "def f(a):\n return lambda: a",
        "def f(): return lambda: f",
    ],
)
def test_the_prologue_ends_behind_resume(text):
    module = compile(text, "f.py", "exec", dont_inherit=True)
    for function in list(code.walk_codes(module))[1:]:
        end = code._prologue_bytes(function)
        assert opcode.opmap["RESUME"] in function.co_code[:end:2]
        assert set(function.co_code[:end:2]) <= code._prologue()
        assert function.co_code[end] not in code._prologue()
