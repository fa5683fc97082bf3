"""The daemon's face for agents: tools over the Model Context Protocol, by its official SDK.

``POST /mcp`` of the daemon serves them; ``treetap mcp`` hands them on over stdio. The SDK, and the
HTTP client that the tools use, are loaded with the first request: a daemon that no agent speaks to
never pays for them.
"""

from treetap.mcp.face import Face

__all__ = ["Face"]
