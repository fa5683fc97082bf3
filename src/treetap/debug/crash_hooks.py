"""What ``treetap run --on-crash`` sets in each process of the tree: the prompt, where an exception ends it.

``sys.excepthook`` and ``threading.excepthook`` see what nobody has caught; a child of multiprocessing
catches everything itself, so what it runs is wrapped. The latter two are set when the program loads
their modules, which not every program does.
"""

from __future__ import annotations

import sys

from treetap.debug.crash import catch_crashes, is_crash, look_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType, TracebackType
    from typing import Any


def install() -> None:
    """Set the hooks; what was there is called after the prompt."""
    sys.excepthook = _after_a_look(sys.excepthook)
    _Occasion("threading", _hook_threads).come()
    _Occasion("multiprocessing.process", _hook_processes).come()


def _hook_threads(threading: Any) -> None:
    threading.excepthook = _after_a_look_in_a_thread(threading.excepthook)


def _hook_processes(process: Any) -> None:
    process.BaseProcess._bootstrap = _guarding(process.BaseProcess._bootstrap)


class _Occasion:
    """Calls ``hook`` with a module once it is loaded; a finder on ``sys.meta_path`` until then."""

    def __init__(self, name: str, hook: Callable[[Any], None]) -> None:
        self._name = name
        self._hook = hook

    def come(self) -> None:
        loaded = sys.modules.get(self._name)
        if loaded is None:
            sys.meta_path.insert(0, self)
        else:
            self._hook(loaded)

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        specs = (finder.find_spec(name, path, target) for finder in [*sys.meta_path])
        spec = next((one for one in specs if one is not None), None)
        loader: Any = spec and spec.loader
        if loader is not None:
            execute = loader.exec_module

            def execute_and_hook(module: ModuleType) -> None:
                del loader.exec_module  # it was the class's, and is again
                execute(module)
                self._hook(module)

            loader.exec_module = execute_and_hook
        return spec


def _after_a_look(
    report: Callable[[type[BaseException], BaseException, TracebackType | None], Any],
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def look(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        report(kind, exc, trace)
        if is_crash(exc):
            look_at(exc)

    return look


def _after_a_look_in_a_thread(report: Callable[[Any], Any]) -> Callable[[Any], None]:
    def look(failure: Any) -> None:
        report(failure)
        if failure.exc_value is not None and is_crash(failure.exc_value):
            look_at(failure.exc_value)

    return look


def _guarding(bootstrap: Callable[..., Any]) -> Callable[..., Any]:
    def run(process: Any, *args: Any, **kwargs: Any) -> Any:
        # The instance's, for a class may have a ``run`` of its own.
        process.run = catch_crashes()(process.run)
        return bootstrap(process, *args, **kwargs)

    return run
