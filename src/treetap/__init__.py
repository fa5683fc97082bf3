"""treetap: see inside, and take hold of, live Python process trees.

The public names are loaded when they are first used, so that ``import treetap`` costs next to
nothing in a program that stays asleep.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

#: ``{public name: the module that has it}``.
_HOMES = {
    "init": "treetap.node.api",
    "status": "treetap.node.api",
    "wake": "treetap.node.api",
    "sleep": "treetap.node.api",
    "shutdown": "treetap.node.api",
    "pause": "treetap.debug.entry",
    "catch_crashes": "treetap.debug.crash",
    "TreetapError": "treetap.errors",
    "ActorDied": "treetap.errors",
    "ActorError": "treetap.errors",
    "AsyncioCancelled": "treetap.errors",
    "ConfigError": "treetap.errors",
    "ControlPlaneError": "treetap.errors",
    "DaemonError": "treetap.errors",
    "DapError": "treetap.errors",
    "DebuggerError": "treetap.errors",
    "ExpressionError": "treetap.errors",
    "Lagged": "treetap.errors",
    "LinkError": "treetap.errors",
    "LocationError": "treetap.errors",
    "PauseError": "treetap.errors",
    "PayloadError": "treetap.errors",
    "ProbeError": "treetap.errors",
    "RemoteCancelled": "treetap.errors",
    "RemoteError": "treetap.errors",
    "StateError": "treetap.errors",
    "StoreError": "treetap.errors",
    "SupervisionError": "treetap.errors",
    "TargetError": "treetap.errors",
}

#: Packages that are loaded when they are first used, as ``treetap.process.supervise_run_process``.
#: Not in ``__all__``: a star import would load trio.
_PACKAGES = ("actor", "process")

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604 - all of them are strings


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _PACKAGES:
        try:
            return import_module(f"treetap.{name}")
        except ModuleNotFoundError as exc:
            if exc.name != "trio":
                raise
            raise AttributeError(
                f"treetap.{name} needs the package's extra: pip install 'treetap[trio]'"
            ) from exc
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'treetap' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES])
