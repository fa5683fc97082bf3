"""From a running function back to its syntax tree, with the proof that they are the same.

The proof is a compilation: what the source on disk compiles to must equal the code object that runs,
instruction by instruction, with lines and columns. Compiling takes the GIL, so only the function is
compiled, inside empty shells of the classes and functions around it (which give it its qualified
name, its free variables and the mangling of private names). Where a piece of a file can't be cut out
by its indentation alone, the whole file is compiled.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import warnings
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from treetap.probe.code import nested_codes, walk_codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType

#: The bits of ``co_flags`` that stand for ``from __future__ import …``.
_FUTURE_FLAGS = 0x0FFE0000
_SHELL_INDENT = " "


class Unit(NamedTuple):
    """A piece of source that compiles to a running code object.

    Attributes:
        code: The running code object.
        filename: Its ``co_filename``.
        text: What to parse, with shells.
        shift: Lines to add to the tree's line numbers.
        path: Which of the nested code objects it is, at each level below the compiled module.
    """

    code: CodeType
    filename: str
    text: str
    shift: int
    path: tuple[int, ...] = ()

    def parse(self) -> ast.Module:
        """A fresh tree, with the line numbers of the file."""
        with _quiet():
            # Empty lines cost the parser less than visiting each node of the tree would cost us.
            tree = ast.parse("\n" * self.shift + self.text, self.filename)
        if self.shift < 0:
            ast.increment_lineno(tree, self.shift)
        return tree

    def compile(self, tree: ast.Module) -> CodeType:
        """The module that the tree compiles to, with this unit's code object inside."""
        with _quiet():
            compiled: CodeType = compile(
                tree,
                self.filename,
                "exec",
                flags=self.code.co_flags & _FUTURE_FLAGS,
                dont_inherit=True,
            )
        return compiled

    def compile_twin(self, tree: ast.Module) -> CodeType:
        """What the tree makes of this unit's code object."""
        code = self.compile(tree)
        for index in self.path:
            code = nested_codes(code)[index]
        return code


def unit_of(code: CodeType, text: str) -> Unit | None:
    """The source of ``code`` in ``text``, proven; ``None`` if the text is not what runs."""
    for unit in _candidates(code, text):
        try:
            path = _path_to(code, unit.compile(unit.parse()))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if path is not None:
            return unit._replace(path=path)
    return None


def read_source(filename: str, module_globals: dict[str, object] | None = None) -> str | None:
    """The text that a file has now; from its loader if it isn't on disk (a zip); or ``None``."""
    try:
        with open(filename, "rb") as file:
            return importlib.util.decode_source(file.read())
    except (OSError, SyntaxError, UnicodeDecodeError):
        pass
    loader = (module_globals or {}).get("__loader__")
    name = (module_globals or {}).get("__name__")
    get_source = getattr(loader, "get_source", None)
    if get_source is None:
        return None
    try:
        text = get_source(name)
    except Exception:  # any loader may stand here; one that fails has no source for us
        return None
    return text if type(text) is str else None


def _candidates(code: CodeType, text: str) -> Iterator[Unit]:
    if code.co_name != "<module>":
        # The compiler calls an attribute of an imported name in another way than a method (3.11 and
        # later), so the piece needs to know what its module imports: at its top, or under a `try`.
        known = _global_names(code)
        for imported in dict.fromkeys((_imports(text, _TOP_IMPORT), _imports(text, _ANY_IMPORT))):
            piece = _cut_out(code, text, sorted(imported & known))
            if piece is None:
                break
            yield piece
    yield Unit(code, code.co_filename, text, 0)


_BINDINGS = r"(?:from[ \t]+[\w.]+[ \t]+import[ \t]+(\([^)]*\)|[^\n;#]*)|import[ \t]+([^\n;#]*))"
_TOP_IMPORT = "^" + _BINDINGS
_ANY_IMPORT = r"^[ \t]*" + _BINDINGS


def _imports(text: str, pattern: str) -> frozenset[str]:
    """The names that import statements bind, as far as a pattern can tell."""
    names = set()
    for match in re.finditer(pattern, text, re.MULTILINE):
        for part in (match[1] or match[2] or "").strip("()").split(","):
            words = part.split("#")[0].split()
            if words:
                names.add(words[-1] if match[1] or "as" in words else words[0].partition(".")[0])
    return frozenset(name for name in names if name.isidentifier())


def _global_names(code: CodeType) -> frozenset[str]:
    return frozenset(name for inner in walk_codes(code) for name in inner.co_names)


def _cut_out(code: CodeType, text: str, imported: Sequence[str]) -> Unit | None:
    """The function's own lines inside shells, or ``None`` where that can't be right."""
    if code.co_name.startswith("<"):
        return None
    lines = text.splitlines(keepends=True)
    first = code.co_firstlineno - 1
    if not first < len(lines):
        return None
    indent = _indent(lines[first])
    end = _last_line(code)
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    shells = _shells(code, indent)
    if shells is None:
        return None
    if imported:
        shells.insert(0, f"import {', '.join(imported)}\n")
    piece = "".join(shells) + "".join(lines[first:end])
    return Unit(code, code.co_filename, piece, first - len(shells))


def _shells(code: CodeType, indent: int) -> list[str] | None:
    """The lines that open the scopes around ``code``, each indented by one more blank."""
    outer = code.co_qualname.split(".")[:-1]
    scopes = []
    while outer:
        name = outer.pop()
        if name == "<locals>":
            scopes.append(("def", outer.pop()))
        else:
            scopes.append(("class", name))
    scopes.reverse()
    free = [name for name in code.co_freevars if name != "__class__"]
    if free and not any(kind == "def" for kind, _ in scopes):
        return None
    shells: list[str] = []
    for kind, name in scopes:
        blanks = _SHELL_INDENT * len(shells)
        if not name.isidentifier():
            return None
        if kind == "class":
            shells.append(f"{blanks}class {name}:\n")
        else:
            # The free variables are bound in each function around it: the nearest one gives them.
            shells.append(f"{blanks}def {name}({', '.join(free)}):\n")
    if len(shells) > indent:
        return None
    if len(shells) < 1 <= indent:
        shells.append("if 1:\n")
    return shells


def _last_line(code: CodeType) -> int:
    last = max(
        (end or 0 for _start, end, _column, _end_column in code.co_positions()),
        default=code.co_firstlineno,
    )
    return max([last, code.co_firstlineno, *(_last_line(inner) for inner in nested_codes(code))])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _path_to(wanted: CodeType, root: CodeType) -> tuple[int, ...] | None:
    """Where an equal of ``wanted`` stands below ``root``; ``None`` if there is none."""
    if root == wanted and root.co_qualname == wanted.co_qualname:
        return ()
    for index, inner in enumerate(nested_codes(root)):
        path = _path_to(wanted, inner)
        if path is not None:
            return (index, *path)
    return None


_quiet_lock = Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the compiler's warnings about the user's source out of the user's program.

    Not by ``warnings.catch_warnings``: that puts back what it found, whoever changed it meanwhile, and
    makes every registry forget what it has shown. The compiler asks the list of filters alone, so the
    list is exchanged, for the moment of a compilation, and put back only if it is still ours.
    """
    with _quiet_lock:
        filters = warnings.filters
        ours = [("ignore", None, Warning, None, 0)]
        warnings.filters = ours
        try:
            yield
        finally:
            if warnings.filters is ours:
                warnings.filters = filters
