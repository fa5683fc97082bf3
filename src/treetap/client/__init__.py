"""How a command, or a program, speaks to the daemon; and how it gets one."""

from treetap.client.daemon import DaemonClient
from treetap.client.start import ensure_daemon, find_daemon

__all__ = ["DaemonClient", "ensure_daemon", "find_daemon"]
