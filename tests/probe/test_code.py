from __future__ import annotations

import opcode

from treetap.probe import code


def test_what_stands_before_the_first_line_is_known_from_samples():
    names = ("RESUME", "MAKE_CELL", "COPY_FREE_VARS", "RETURN_GENERATOR", "POP_TOP", "CACHE")
    assert {opcode.opmap[name] for name in names} == code._PROLOGUE
