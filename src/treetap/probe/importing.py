"""Arming at import: what waits for a module gets into its code before the code runs.

A finder in front of all others asks those others for the module's loader, and has this one loader
hand out its code through us, once. The loader itself executes it, so no frame of ours shows in a
traceback. The finder stands on ``sys.meta_path`` only while something waits.
"""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec

from treetap.interpreter import CodeType, ModuleType
from treetap.probe.meant import means_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from treetap.model.location import Location


class ImportWatch:
    """Calls back with the code of a module that some location waits for.

    Args:
        on_code: Takes the module's name and code, and returns the code to run instead.
    """

    def __init__(self, on_code: Callable[[str, CodeType], CodeType]) -> None:
        self._on_code = on_code
        self._locations: tuple[Location, ...] = ()

    def watch(self, locations: Iterable[Location]) -> None:
        """Wait for exactly these; none takes the finder out."""
        self._locations = tuple(locations)
        is_in = any(finder is self for finder in sys.meta_path)
        if self._locations and not is_in:
            sys.meta_path = [self, *sys.meta_path]
        elif not self._locations and is_in:
            # A new list: an import in another thread may be going through the old one, and would
            # pass over the finder behind us.
            sys.meta_path = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module as the others would; take note of it if it is waited for."""
        try:
            if not any(_may_be(location, name) for location in self._locations):
                return None
            spec = self._spec_of_others(name, path, target)
        except Exception:
            # The others will be asked again, and whatever is wrong shows where it always did.
            return None
        if spec is not None and any(
            _is(location, name, spec.origin) for location in self._locations
        ):
            self._tap(spec.loader, name)
        return spec

    def _spec_of_others(self, name: str, path: Any, target: Any) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if finder is self or find_spec is None or isinstance(finder, ImportWatch):
                continue
            spec: ModuleSpec | None = find_spec(name, path, target)
            if spec is not None:
                return spec
        return None

    def _tap(self, loader: Any, name: str) -> None:
        get_code = getattr(loader, "get_code", None)
        # Built-in and frozen loaders are classes: nothing may be set on what all modules share.
        if get_code is None or isinstance(loader, type):
            return

        def tapped(fullname: str | None = None) -> Any:
            if fullname not in (None, name):
                # One loader may serve many modules (a zip's does), and ours was only looked for.
                return get_code(fullname)
            loader.__dict__.pop("get_code", None)
            code = get_code(fullname or name)
            if type(code) is not CodeType:
                return code
            try:
                return self._on_code(name, code)
            except Exception:
                return code

        try:
            loader.get_code = tapped
        except AttributeError:
            # A loader with slots: the module is armed soon after its import instead.
            return


def is_being_imported(location: Location) -> bool:
    """Whether a module that the location may mean is in ``sys.modules`` and not done yet.

    What it doesn't hold now it may hold in a moment.
    """
    for name, module in list(sys.modules.items()):
        # Not isinstance(): it asks an object for its `__class__`, and anything may stand there.
        if ModuleType in type(module).__mro__ and _may_be(location, name):
            spec = ModuleType.__getattribute__(module, "__dict__").get("__spec__")
            if type(spec) is ModuleSpec and getattr(spec, "_initializing", False):
                return True
    return False


def _may_be(location: Location, name: str) -> bool:
    """Whether a module of this name may have the location; cheap, for it is asked at every import."""
    if location.module:
        return location.module == name
    stem = location.file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    return stem in (name.rpartition(".")[2], "__init__", "__main__")


def _is(location: Location, name: str, origin: str | None) -> bool:
    return location.module == name if location.module else means_file(location, origin or "")
