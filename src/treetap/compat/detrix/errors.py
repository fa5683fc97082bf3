"""The exceptions of detrix-py, by their names and with their messages.

Where an error of treetap's lies behind one, it is its ``__cause__``, and says more: why, and the way out.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "ControlPlaneError",
    "DaemonConnectionError",
    "DaemonError",
    "DebuggerError",
    "DetrixError",
]


class DetrixError(Exception):
    """The root of them."""


class ConfigError(DetrixError):
    """A setting can't be used; or ``init`` was called a second time."""


class DaemonError(DetrixError):
    """The daemon can't be reached, isn't one, or refused."""


#: The same class, as there.
DaemonConnectionError = DaemonError


class DebuggerError(DetrixError):
    """The debugger couldn't be started."""


class ControlPlaneError(DetrixError):
    """The control plane can't be opened."""


class ControlPortError(ControlPlaneError, OSError):
    """Its port can't be bound: an ``OSError`` as well, which is what detrix-py lets out."""
