"""The package's source as syntax trees: what every test of this folder reads."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src"


class Module(NamedTuple):
    """One file of the package.

    Attributes:
        name: Dotted: ``treetap.wire.codec``; of a package, the package's.
        path: Of the file.
        tree: Parsed.
        lines: How many lines the file has.
    """

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def where(self) -> str:
        return self.path.relative_to(REPOSITORY).as_posix()

    @property
    def package(self) -> str:
        """The name of the floor plan that it belongs to; ``""`` for the root."""
        _, _, rest = self.name.partition(".")
        return rest.partition(".")[0]


class Import(NamedTuple):
    target: str
    line: int


@cache
def modules() -> tuple[Module, ...]:
    return tuple(_read(path) for path in sorted((SOURCE / "treetap").rglob("*.py")))


def _read(path: Path) -> Module:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    text = path.read_text(encoding="utf-8")
    return Module(".".join(parts), path, ast.parse(text, str(path)), text.count("\n"))


def imports(module: Module) -> Iterator[Import]:
    """Everything of treetap that a module imports, wherever the import stands.

    An import inside a function counts, and one under ``TYPE_CHECKING``, and the calls
    ``import_module("treetap.x")`` and ``__import__("treetap.x")``.
    """
    is_package = module.path.name == "__init__.py"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_ours(alias.name):
                    yield Import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            yield from _imports_from(module, node, is_package=is_package)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            match node.args:
                case [ast.Constant(value=str(target)), *_] if _is_ours(target):
                    yield Import(target, node.lineno)


def _imports_from(module: Module, node: ast.ImportFrom, *, is_package: bool) -> Iterator[Import]:
    origin = node.module or ""
    if node.level:
        package = module.name.split(".")
        up = node.level - is_package
        origin = ".".join([*package[: len(package) - up], *filter(None, [origin])])
    if not _is_ours(origin):
        return
    for alias in node.names:
        target = f"{origin}.{alias.name}"
        is_module = any(other.name == target for other in modules())
        yield Import(target if is_module else origin, node.lineno)


def _is_ours(name: str) -> bool:
    return name == "treetap" or name.startswith("treetap.")


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
