"""Finds treetap's own modules without looking for them.

A child of an awake tree loads seventy of them before its first line, and Python's own way takes
longer to find a module, and to see that its bytecode is of today, than to load it. Where our files
lie is known, and one ``stat`` tells the rest. Whatever isn't as usual (no bytecode yet, or one of another
kind) is left to Python's own way, so that the outcome is the same: the same code, the same ``__spec__``.

It stands where Python keeps the finder of a directory that it has once looked into, and is asked for
nothing but what lies in ours.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import (  # type: ignore[attr-defined] # not in its stub
    MAGIC_NUMBER,
    FileFinder,
    SourceFileLoader,
    _get_supported_file_loaders,
    cache_from_source,
)
from _imp import _fix_co_filename  # type: ignore[attr-defined] # not in its stub
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

#: What bytecode begins with that is checked by the time and the size of its source.
_HEADER: bytes = MAGIC_NUMBER + bytes(4)
_HEADER_BYTES = 16
_FOUR_BYTES = 0xFFFF_FFFF


class OwnLoader(SourceFileLoader):
    """Loads a module from bytecode whose place is known.

    Args:
        name: Of the module.
        path: Of its source.
        cached: Where its bytecode would be.
        status: Of its source.
    """

    def __init__(self, name: str, path: str, cached: str, status: os.stat_result) -> None:
        # As the class above does; a call of it costs more.
        self.name, self.path = name, path
        self._cached, self._status = cached, status

    def get_code(self, fullname: str) -> CodeType | None:
        """As Python's own, which is asked where the bytecode isn't there, or isn't current."""
        try:
            content = _read(self._cached)
        except OSError:
            content = b""
        status = self._status
        current = _HEADER + _four(int(status.st_mtime)) + _four(status.st_size)
        if content.startswith(current):
            # As trustworthy as the source beside it.
            code: CodeType = loads(memoryview(content)[_HEADER_BYTES:])  # noqa: S302
            # It may have been compiled under another name, as `compileall src` does.
            _fix_co_filename(code, self.path)
            return code
        return super().get_code(fullname)


class OwnFinder(FileFinder):
    """Finds the modules and packages in one directory of ours.

    Args:
        directory: Absolute.

    Raises:
        NotImplementedError: This Python keeps no bytecode.
    """

    def __init__(self, directory: str) -> None:
        super().__init__(directory, *_get_supported_file_loaders())
        self._directory = f"{directory}/"
        # Once a directory, for it takes longer than to read a file.
        self._cache, _, tag = cache_from_source(f"{directory}/module.py").rpartition("module")
        self._tag = tag

    def find_spec(self, fullname: str, target: Any = None) -> ModuleSpec | None:
        """The module of that name, or the package, whose modules are then found by us as well."""
        name = fullname.rpartition(".")[2]
        path = f"{self._directory}{name}.py"
        try:
            status = os.stat(path)
        except OSError:
            return self._find_package(fullname, name, target)
        return _spec(fullname, path, f"{self._cache}{name}{self._tag}", status)

    def _find_package(self, fullname: str, name: str, target: Any) -> ModuleSpec | None:
        directory = f"{self._directory}{name}"
        path = f"{directory}/__init__.py"
        try:
            status = os.stat(path)
        except OSError:
            return super().find_spec(fullname, target)
        finder = sys.path_importer_cache[directory] = OwnFinder(directory)
        spec = _spec(fullname, path, f"{finder._cache}__init__{self._tag}", status)
        spec.submodule_search_locations = [directory]
        return spec


def install(directory: str) -> None:
    """Find what lies in ``directory``, the package's own, from now on; harmless if done before.

    Args:
        directory: As it stands in the package's ``__path__``.
    """
    try:
        sys.path_importer_cache[directory] = OwnFinder(directory)
    except NotImplementedError:
        pass  # nothing to read, then


def _spec(fullname: str, path: str, cached: str, status: os.stat_result) -> ModuleSpec:
    spec = ModuleSpec(fullname, OwnLoader(fullname, path, cached, status), origin=path)
    spec.has_location = True
    spec.cached = cached
    return spec


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _four(number: int) -> bytes:
    return (number & _FOUR_BYTES).to_bytes(4, "little")
