from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import lists, sampled_from

import treetap
from treetap.probe.code import nested_codes
from treetap.probe.source import _imports, read_source, unit_of

PIECES = {
    "a function": ("def f(a):\n    return a\n", "f"),
    "a method with super and private names": (
        "class A:\n    def __p(self):\n        super().__init__()\n        return self.__q\n",
        "A.__p",
    ),
    "a nested function with free variables": (
        "def o(x, y):\n    z = 1\n    def i():\n        nonlocal z\n        z = x\n        return y\n    return i\n",
        "o.<locals>.i",
    ),
    "a decorated function": ("@(lambda f: f)\n@staticmethod\ndef f(a):\n    return a\n", "f"),
    "under an if, with odd indents": ("if 1:\n       def f(a):\n              return a\n", "f"),
    "behind comments to the left": (
        "class A:\n    def f(self):\n# left\n        return 1\n# end\n",
        "A.f",
    ),
    "a text to the left": ('class A:\n    def f(self):\n        return """\nleft\n"""\n', "A.f"),
    "a line that goes on": ("def f(a,\nb=(\n1)):\n    return a + \\\nb\n", "f"),
    "with a future import": (
        "from __future__ import annotations\ndef f(a: int):\n    b: int = a\n    return b\n",
        "f",
    ),
    "async": (
        "async def f(a):\n    async with a as b:\n        return [x async for x in b]\n",
        "f",
    ),
    "a lambda": ("f = lambda a: (\n    a)\n", "<lambda>"),
    "tabs": ("class A:\n\tdef f(self):\n\t\treturn 1\n", "A.f"),
    "form feed": ("\f\ndef f(a):\n    return a\n", "f"),
    "with an import's attribute called": (
        "import os, os.path as p\ndef f(a):\n    return os.fsencode(p.join(a))\n",
        "f",
    ),
    "one line": ("def f(a): return a\n", "f"),
    "a semicolon before": ("x = 1; f = lambda a: a\n", "<lambda>"),
    "class in function": (
        "def o():\n    class A:\n        def f(self): return __class__\n    return A\n",
        "o.<locals>.A.f",
    ),
    "unicode": ("def fü(ä):\n    'ß'\n    return ä\n", "fü"),
    "no newline at the end": ("def f(a):\n    return a", "f"),
    "windows newlines": ("def f(a):\r\n    b = a\r\n    return b\r\n", "f"),
}


def code_named(qualname, code):
    if code.co_qualname == qualname:
        return code
    return next((c for inner in nested_codes(code) if (c := code_named(qualname, inner))), None)


@pytest.mark.parametrize("piece", PIECES)
def test_the_source_is_proven_to_be_the_code_that_runs(piece):
    text, qualname = PIECES[piece]
    code = code_named(qualname, compile(text, "piece.py", "exec", dont_inherit=True))
    unit = unit_of(code, text)
    assert unit is not None
    assert unit.compile_twin(unit.parse()) == code


@pytest.mark.parametrize(
    "edited",
    [
        "def f(a):\n    return a + 2\n",
        "\ndef f(a):\n    return a + 1\n",
        "def f(a):\n    return  a + 1\n",
        "def f(b):\n    return b + 1\n",
        "def g(a):\n    return a + 1\n",
        "def f(a):\n    return a +\n",
        "",
    ],
    ids=["constant", "line", "column", "name", "function", "syntax", "empty"],
)
def test_an_edit_is_noticed(edited):
    code = code_named(
        "f", compile("def f(a):\n    return a + 1\n", "f.py", "exec", dont_inherit=True)
    )
    assert unit_of(code, edited) is None


def test_a_comment_or_an_edit_elsewhere_is_no_difference():
    text = "x = 1\ndef f(a):\n    return a\n"
    code = code_named("f", compile(text, "f.py", "exec", dont_inherit=True))
    assert unit_of(code, "x = 2\ndef f(a):\n    return a  # new\ny = 3\n") is not None


def test_the_compilers_warnings_about_the_program_stay_out_of_it():
    text = "def f(a):\n    return a is 'x', '\\d'\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = code_named("f", compile(text, "f.py", "exec", dont_inherit=True))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        filters = warnings.filters
        assert unit_of(code, text) is not None
        assert warnings.filters is filters
    assert not seen


def test_they_stay_out_where_warnings_was_never_loaded():
    program = """
import _warnings, sys
before = list(_warnings.filters)
from treetap.probe.source import unit_of
text = "def f(a):\\n    return a is 'x', '\\\\d'\\n"
_warnings.filters.insert(0, ("ignore", None, Warning, None, 0))
code = compile(text, "f.py", "exec").co_consts[0]
del _warnings.filters[0]
assert unit_of(code, text) is not None
assert "warnings" not in sys.modules and _warnings.filters == before
compile(text, "f.py", "exec")
"""
    source = str(Path(treetap.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {source!r}){program}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # Only what the program compiles itself is warned of.
    assert done.stderr.count('SyntaxWarning: "is"') == 1


def test_a_file_is_read_in_its_own_encoding(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes(b"# -*- coding: latin-1 -*-\nx = '\xe4'\n")
    assert "ä" in read_source(str(path))
    assert read_source(str(tmp_path / "nothing.py")) is None


def test_a_file_edited_since_its_import_is_told_and_the_running_line_is_probed(programs, stage):
    module = programs.load("def f(a):\n    b = a + 1\n    return b\n")
    path = programs.folder / f"{module.__name__}.py"
    path.write_text("# new first line\n" + path.read_text().replace("+ 1", "+ 100"))
    probe = stage.put(module, 2, "a")
    assert module.f(1) == 2
    assert stage.values(probe) == [1]
    status = stage.status(probe)
    assert status.differs
    assert "not the code that runs" in status.why


def test_an_assertion_rewritten_by_pytest_is_reached_though_its_source_is_another_program(tmp_path):
    """pytest's rewriting compiles another tree than the file holds: it runs, so it is what is probed."""
    (tmp_path / "test_rewritten.py").write_text(
        "def add(a):\n"
        "    assert a > 0, 'why'\n"
        "    b = a + 1\n"
        "    return b\n"
        "\n"
        "def test_it():\n"
        "    from tests.probing import Stage\n"
        "    import sys\n"
        "    stage = Stage()\n"
        "    probe = stage.put(sys.modules[__name__], 3, 'a')\n"
        "    assert add(4) == 5\n"
        "    assert stage.values(probe) == [4]\n"
        "    stage.close()\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            tmp_path,
            tmp_path,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "content",
    [
        b"x = 1\r\ny = 2\rz = 3\n",
        b"\xef\xbb\xbfx = '\xc3\xa4'\n",
        b"\n# vim: set fileencoding=latin-1 :\nx = '\xe4'\n",
        b"x = 1\n\n# coding: latin-1\ny = '\xc3\xa4'\n",
        b"",
    ],
)
def test_a_file_is_read_as_the_interpreter_reads_it(tmp_path, content):
    path = tmp_path / "some.py"
    path.write_bytes(content)
    assert read_source(str(path)) == importlib.util.decode_source(content)


@pytest.mark.parametrize("content", [b"x = '\xe4'\n", b"# coding: no-such\nx = 1\n"])
def test_a_file_that_is_no_text_has_no_source(tmp_path, content):
    path = tmp_path / "some.py"
    path.write_bytes(content)
    assert read_source(str(path)) is None


_BINDINGS = r"(?:from[ \t]+[\w.]+[ \t]+import[ \t]+(\([^)]*\)|[^\n;#]*)|import[ \t]+([^\n;#]*))"


def imported_by_pattern(text, indent):
    names = set()
    for match in re.finditer(f"^{indent}{_BINDINGS}", text, re.MULTILINE):
        for part in (match[1] or match[2] or "").strip("()").split(","):
            words = part.split("#")[0].split()
            if words:
                names.add(words[-1] if match[1] or "as" in words else words[0].partition(".")[0])
    return {name for name in names if name.isidentifier()}


_WORDS = [
    "import",
    "from",
    " ",
    "\n",
    "a",
    "b.c",
    "as",
    ",",
    "(",
    ")",
    "#",
    ";",
    "\t",
    "importlib",
    ".",
    "x",
]


@given(lists(sampled_from([*_WORDS, " import ", "\nfrom a.b import ", "\n  import ", " as x"])))
def test_imports_are_found_as_a_pattern_would(words):
    text = "".join(words)
    assert _imports(text, is_at_top=True) == imported_by_pattern(text, "")
    assert _imports(text, is_at_top=False) == imported_by_pattern(text, r"[ \t]*")
