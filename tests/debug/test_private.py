"""Modules that only the prompt sees."""

from __future__ import annotations

import subprocess
import sys

import pytest

from treetap.debug.private import Private

LOOK = """
import sys
from treetap.debug.private import Private
module = Private(frozenset({names})).load({name!r})
module.Pdb(stdin=sys.stdin, stdout=sys.stdout)
shown = [n for n in ("pdb", "pdbp", "readline", "rlcompleter", "tabcompleter") if n in sys.modules]
import pdb
print(shown, module is pdb, pdb.Pdb is module.Pdb, pdb.Pdb.__module__)
"""


@pytest.mark.parametrize(
    ("name", "names"), [("pdb", ["rlcompleter"]), ("pdbp", ["rlcompleter", "pdb", "tabcompleter"])]
)
def test_the_program_never_sees_them(name, names):
    source = LOOK.format(name=name, names=names)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.stdout == "[] False False pdb\n", done.stderr


def test_a_module_is_loaded_once_and_one_that_is_not_there_is_an_import_error():
    private = Private(frozenset({"cmd"}))
    assert private.load("cmd") is private.load("cmd")
    assert private.load("cmd") is not sys.modules.get("cmd")
    with pytest.raises(ImportError):
        private.load("there_is_no_such_module")
