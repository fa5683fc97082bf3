"""``import treetap.compat.detrix as detrix``: what ``import detrix`` is in a program for detrix-py.

The names, arguments, answers, exceptions and messages of detrix-py 1.0.0 and 1.2.0 (where they contradict
each other, of 1.2.0, or of 1.0.0 with ``TREETAP_DETRIX_PY=1.0.0``), over treetap's node. Where the original is wrong, this is right: ``docs/detrix.md`` has the list.
"""

from __future__ import annotations

from treetap.compat.detrix import _operations, _settings, _slot, _state, config
from treetap.compat.detrix.errors import (
    ConfigError,
    ControlPlaneError,
    DaemonConnectionError,
    DaemonError,
    DebuggerError,
    DetrixError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.compat.detrix.daemon import DaemonClient, HttpDaemonClient

#: Of the package whose place this takes.
__version__ = config.version()

__all__ = [
    "ConfigError",
    "ControlPlaneError",
    "DaemonClient",
    "DaemonConnectionError",
    "DaemonError",
    "DebuggerError",
    "DetrixError",
    "HttpDaemonClient",
    "init",
    "shutdown",
    "sleep",
    "status",
    "wake",
]

#: What is imported when it is asked for, and its module. detrix-py has them all after ``import detrix``.
_LATER = {
    "DaemonClient": "daemon",
    "HttpDaemonClient": "daemon",
    "control": "control",
    "daemon": "daemon",
    "debugger": "debugger",
}


def init(
    *,
    name: str = _settings.NAME,
    control_host: str = _settings.CONTROL_HOST,
    advertise_host: str | None = None,
    control_port: int = _settings.PORT,
    debug_port: int = _settings.PORT,
    daemon_url: str = _settings.DAEMON_URL,
    detrix_home: str | None = None,
    health_check_timeout: float = _settings.HEALTH_CHECK_TIMEOUT,
    register_timeout: float = _settings.REGISTER_TIMEOUT,
    unregister_timeout: float = _settings.UNREGISTER_TIMEOUT,
    start_state: str = _settings.START_STATE,
    debugger: str = _settings.DEBUGGER,
) -> None:
    """Make this process a sleeping client: a control plane, and nothing else. Speaks to nobody.

    Args:
        name: Of the program; ``detrix-client-<pid>`` if empty.
        control_host: Address of the control plane and of the debug port.
        advertise_host: By which the daemon reaches this host; ``control_host`` if not given.
        control_port: 0 for any free one.
        debug_port: Likewise.
        daemon_url: Of the daemon.
        detrix_home: Where the token file is; ``~/detrix`` if not given.
        health_check_timeout: Seconds, as the other two.
        register_timeout: For the registration.
        unregister_timeout: For the end of it.
        start_state: ``sleeping``, or ``warm``: the debugger is loaded, so that the first wake is
            quick. Detrix's documentation has it, detrix-py hasn't.
        debugger: ``debugpy``; or ``probes``, treetap's own, which needs treetap's daemon.

    Raises:
        ConfigError: A bad value; or this was done already.
        ControlPlaneError: The control port can't be bound; it is an ``OSError`` as well.
        DebuggerError: ``warm``, and there is no debugpy.
    """
    _slot.enter(dict(locals()))


def status() -> dict[str, Any]:
    """What the client knows of itself; at once. Works before ``init``."""
    return _state.shown()


def wake(daemon_url: str | None = None) -> dict[str, Any]:
    """Open the debug port and register it with the daemon. See ``_operations.do_wake``."""
    return _operations.do_wake(daemon_url)


def sleep() -> dict[str, Any]:
    """Leave the daemon and close the debug port. Works before ``init``."""
    return _operations.do_sleep()


def shutdown() -> None:
    """Sleep, close the control plane, forget everything. Idempotent; ``init`` may follow."""
    _slot.leave()


def __getattr__(name: str) -> Any:
    # `typing`, `logging` and the rest of what these need is for who asks for them.
    if name in _LATER:
        import importlib

        module = importlib.import_module(f"{__name__}.{_LATER[name]}")
        return module if name == _LATER[name] else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
