"""``treetap mcp``: tools for agents, over stdin and stdout."""

from __future__ import annotations

import importlib.util

from treetap.cli import session
from treetap.errors import DaemonError

EPILOG = """\b
Examples:
  treetap mcp
  claude mcp add treetap -- treetap mcp
"""


def mcp() -> None:
    """Serve tools to an agent, by the Model Context Protocol over stdin and stdout.

    An agent starts this by itself: give it the command in its configuration. The daemon is started when the first
    tool is called. The same tools are at /mcp of the daemon, over HTTP.
    """
    if importlib.util.find_spec("mcp") is None:
        raise DaemonError(
            "The package mcp isn't installed.",
            "Install it beside treetap: pip install 'treetap[mcp]'.",
            slug="mcp-missing",
        )
    from importlib.metadata import version

    from treetap.mcp.bridge import run

    run(session.settings(), version("treetap"))
