"""``treetap mcp``: tools for agents, over stdin and stdout."""

from __future__ import annotations

from treetap.cli import session

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
    from importlib.metadata import version

    try:
        from treetap.mcp.bridge import run
    except ImportError as exc:
        from treetap.mcp.face import missing

        raise missing(exc) from exc
    run(session.settings(), version("treetap"))
