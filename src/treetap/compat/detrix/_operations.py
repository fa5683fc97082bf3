"""Waking and sleeping, in the words of detrix-py. The node does it."""

from __future__ import annotations

from urllib.parse import urlsplit

from treetap import errors
from treetap.compat.detrix import _slot
from treetap.compat.detrix._generated import SleepStatus, WakeStatus
from treetap.compat.detrix._url import Url
from treetap.compat.detrix.errors import DaemonError, DebuggerError
from treetap.model.node import AWAKE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def do_wake(daemon_url: str | None = None, validate_url: bool = True) -> dict[str, Any]:
    """Open the debug port and register it; ``already_awake`` if that was done before.

    Args:
        daemon_url: Instead of the configured one; kept for later wakes.
        validate_url: Say what is wrong with a URL before anything is tried.

    Returns:
        ``status``, ``debug_port``, ``connection_id`` and ``daemon_url``: where the daemon says that others
        reach it, ``None`` if it doesn't say.

    Raises:
        DaemonError: The URL is none, the daemon isn't there, or it refused.
        DebuggerError: The debugger couldn't be started.
    """
    node = _slot.node()
    if node.state != AWAKE:
        wanted = daemon_url or node.daemon_url
        if validate_url:
            check_url(wanted)
        if isinstance(node, _slot.DetrixNode):
            node.warn_of_token()
    else:
        daemon_url = None
    try:
        outcome = node.wake(daemon_url or None)
    except errors.DebuggerError as exc:
        import logging

        logging.getLogger("detrix.debugger").warning("Failed to start debugpy", exc_info=exc)
        raise DebuggerError("Failed to start debugpy") from exc
    except errors.TreetapError as exc:
        raise DaemonError(exc.what.rstrip(".")) from exc
    advertised = node.life.advertised_url
    return {
        "status": WakeStatus(outcome["status"]),
        "debug_port": outcome["debug_port"],
        "connection_id": outcome["connection_id"],
        "daemon_url": Url(advertised) if advertised else None,
    }


def do_sleep() -> dict[str, Any]:
    """Leave the daemon and close the debug port. Works before ``init``."""
    node = _slot.present()
    outcome = node.sleep() if node is not None else {"status": "already_sleeping"}
    return {"status": SleepStatus(outcome["status"])}


def check_url(url: str) -> None:
    """Raises ``DaemonError`` for what is no daemon's URL, as detrix-py words it."""
    if not url:
        raise DaemonError("No daemon_url configured")
    try:
        parts = urlsplit(url)
    except (ValueError, AttributeError):
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc:
        raise DaemonError(f"Invalid daemon_url format: {url!r}. Expected format: http://host:port")
    if parts.scheme not in ("http", "https"):
        raise DaemonError(f"Invalid daemon_url scheme: {parts.scheme!r}. Must be 'http' or 'https'")
