"""debugpy in this process, by detrix-py's names, for who starts it without a daemon."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from treetap.compat.detrix import _slot
from treetap.node import debugopening, debugport

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "get_python_info",
    "is_debugger_listening",
    "is_debugger_loaded",
    "sleep_debugger",
    "wake_debugger",
]

_logger = logging.getLogger("detrix.debugger")
_port = debugport.DebugPort()


def _get_debugpy() -> Any:
    """Load it."""
    return debugopening.load()


def _present() -> debugport.DebugPort:
    """The node's port, if that is awake by it; else ours."""
    node = _slot.present()
    debugging = node.life.debugging if node is not None else None
    return debugging.port if debugging is not None else _port


def wake_debugger(host: str, port: int) -> tuple[bool, int]:
    """Open a debug port, unless there is one: the node's, if it is awake.

    Returns:
        Whether it is open, and its number; ``(False, 0)`` if debugpy can't open it: the log has the reason.
    """
    open_port = _present().port
    if not open_port:
        try:
            _get_debugpy()
            open_port = _port.open(host, port)
        except Exception:
            _logger.warning("Failed to start debugpy", exc_info=True)
            return False, 0
    return True, open_port


def sleep_debugger() -> bool:
    """Close it, unless it is the node's; whether everything of it could be closed."""
    return not _port.close()


#: Detrix's name for it. There it forgets that the port is open; here nothing is left to forget.
reset_debugger_state = _port.close


def is_debugger_loaded() -> bool:
    """Whether debugpy is imported."""
    return "debugpy" in sys.modules


def is_debugger_listening() -> bool:
    """Whether the debug port is open."""
    return bool(_present().port)


def get_python_info() -> dict[str, str]:
    """This interpreter."""
    return {"python_version": sys.version, "python_executable": sys.executable}
