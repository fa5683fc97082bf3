"""From a running function back to its syntax tree, with the proof that they are the same.

The proof is a compilation: what the source on disk compiles to must equal the code object that runs,
instruction by instruction, with lines and columns. Compiling takes the GIL, so only the function is
compiled, inside empty shells of the classes and functions around it (which give it its qualified
name, its free variables and the mangling of private names). Where a piece of a file can't be cut out
by its indentation alone, the whole file is compiled.
"""

from __future__ import annotations

import _warnings
import sys
from _thread import allocate_lock

from treetap.expression import tree as ast
from treetap.model.record import Record
from treetap.probe.code import nested_codes, walk_codes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType
    from typing import Any

#: The bits of ``co_flags`` that stand for ``from __future__ import …``.
_FUTURE_FLAGS = 0x0FFE0000
_SHELL_INDENT = " "


class Unit(Record):
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
        with _Quiet():
            # Empty lines cost the parser less than visiting each node of the tree would cost us.
            tree: ast.Module = ast.parse("\n" * self.shift + self.text, self.filename)
        if self.shift < 0:
            ast.increment_lineno(tree, self.shift)
        return tree

    def compile(self, tree: ast.Module) -> CodeType:
        """The module that the tree compiles to, with this unit's code object inside."""
        with _Quiet():
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
            return _decoded(file.read())
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


def _decoded(source: bytes) -> str:
    """As ``importlib.util.decode_source``, which loads ``tokenize`` to see that a file is UTF-8."""
    if any(b"coding" in line for line in source.split(b"\n", 2)[:2]):
        import importlib.util  # it may say another encoding

        return importlib.util.decode_source(source)
    text = source.removeprefix(b"\xef\xbb\xbf").decode()
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _candidates(code: CodeType, text: str) -> Iterator[Unit]:
    if code.co_name != "<module>":
        # The compiler calls an attribute of an imported name in another way than a method (3.11 and
        # later), so the piece needs to know what its module imports: at its top, or under a `try`.
        known = _global_names(code)
        at_top, anywhere = _imports(text, is_at_top=True), _imports(text, is_at_top=False)
        for imported in dict.fromkeys((at_top, anywhere)):
            piece = _cut_out(code, text, sorted(imported & known))
            if piece is None:
                break
            yield piece
    yield Unit(code, code.co_filename, text, 0)


def _imports(text: str, *, is_at_top: bool) -> frozenset[str]:
    """The names that import statements bind, as far as the shape of lines can tell.

    Read without ``re``, which takes longer to import than most files take to be read.

    Args:
        text: Of a file.
        is_at_top: Only statements that aren't indented.
    """
    names: set[str] = set()
    at = text.find("import")
    while at >= 0:
        after = at + len("import")
        before = text[text.rfind("\n", 0, at) + 1 : at]
        is_from = _is_from(before.lstrip(" \t"))
        is_indented = before[:1] in (" ", "\t")
        is_statement = is_from or not before.strip(" \t")
        is_meant = is_statement and not (is_at_top and is_indented)
        if is_meant and text[after : after + 1] in (" ", "\t"):
            names.update(_bound(_clause(text, after, may_span=is_from), is_from=is_from))
        at = text.find("import", after)
    return frozenset(name for name in names if name.isidentifier())


def _is_from(before: str) -> bool:
    """Whether this is a whole ``from a.b``, up to its ``import``."""
    words = before.split()
    return len(words) == 2 and words[0] == "from" and before[-1] in " \t"


def _clause(text: str, start: int, *, may_span: bool) -> str:
    """What stands behind ``import``: to the end of the statement, or of its parentheses."""
    while text[start : start + 1] in (" ", "\t"):
        start += 1
    if may_span and text.startswith("(", start):
        end = text.find(")", start)
        if end >= 0:
            return text[start + 1 : end]
    ends = [end for end in (text.find(mark, start) for mark in "\n;#") if end >= 0]
    return text[start : min(ends, default=len(text))].strip("()")


def _bound(clause: str, *, is_from: bool) -> Iterator[str]:
    for part in clause.split(","):
        words = part.split("#")[0].split()
        if words:
            yield words[-1] if is_from or "as" in words else words[0].partition(".")[0]


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


_quiet_lock = allocate_lock()
#: As ``warnings`` writes a filter.
_IGNORE: Any = ("ignore", None, Warning, None, 0)
_filters: list[Any] = _warnings.filters


class _Quiet:
    """Keep the compiler's warnings about the user's source out of the user's program.

    Not by ``warnings.catch_warnings``: that puts back what it found, whoever changed it meanwhile, and
    makes every registry forget what it has shown. The compiler asks the list of filters alone, so the
    list is exchanged, for the moment of a compilation, and put back only if it is still ours. While
    ``warnings`` isn't there (it takes a third of a millisecond) the compiler asks the interpreter's own
    list, to which one can only add.
    """

    def __enter__(self) -> None:
        _quiet_lock.acquire()
        module: Any = sys.modules.get("warnings")
        # Another thread may be in the middle of its import.
        self._module = module if hasattr(module, "filters") else None
        if self._module is None:
            _filters.insert(0, _IGNORE)
            return
        self._filters = self._module.filters
        self._ours = [_IGNORE]
        self._module.filters = self._ours

    def __exit__(self, *_failure: object) -> None:
        if self._module is None:
            try:
                _filters.remove(_IGNORE)
            except ValueError:
                pass  # somebody has cleared the list meanwhile
        elif self._module.filters is self._ours:
            self._module.filters = self._filters
        _quiet_lock.release()
