"""Arming in what ``runpy.run_path`` runs: the main script in a child that multiprocessing spawned.

``spawn`` and ``forkserver`` run the parent's script anew, as ``__mp_main__``, without an import. What
waits for it gets into its code where runpy reads it, so that no frame of ours is on the stack while
it runs. runpy is loaded for this in children of multiprocessing only: elsewhere, if the program has it.
"""

from __future__ import annotations

import sys

from treetap.interpreter import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from treetap.model.location import Location

_READ = "_get_code_from_file"


class RunPathWatch:
    """Calls back with the code that runpy is about to run.

    Args:
        on_code: Takes a module's name and code, and returns the code to run instead.
    """

    def __init__(self, on_code: Callable[[str, CodeType], CodeType]) -> None:
        self._on_code = on_code
        self._original: Any = None
        self._tapped: Any = None

    def watch(self, locations: Iterable[Location]) -> None:
        """Wait while there are any."""
        wants = any(True for _location in locations)
        if (
            wants
            and self._original is None
            and ("runpy" in sys.modules or _is_multiprocessing_child())
        ):
            self._tap()
        elif not wants and self._original is not None:
            import runpy

            if getattr(runpy, _READ, None) is self._tapped:
                setattr(runpy, _READ, self._original)
            self._original = self._tapped = None

    def _tap(self) -> None:
        import runpy

        original = getattr(runpy, _READ, None)
        if original is None:
            return
        on_code = self._on_code

        def read(*arguments: Any) -> Any:
            found = original(*arguments)
            # 3.11 gives the name with it.
            code, *rest = found if type(found) is tuple else (found,)
            if type(code) is not CodeType:
                return found
            try:
                code = on_code("__main__", code)
            except Exception:
                return found
            return (code, *rest) if rest else code

        self._original, self._tapped = original, read
        setattr(runpy, _READ, read)


def _is_multiprocessing_child() -> bool:
    return any("multiprocessing" in word for word in sys.orig_argv[1:4])
