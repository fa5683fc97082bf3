"""The daemon's face for agents: tools over the Model Context Protocol, by its official SDK.

``POST /mcp`` of the daemon serves them; ``treetap mcp`` hands them on over stdio. The SDK is loaded
with the first request: a daemon that no agent speaks to never pays for it.
"""

from treetap.mcp.face import Face

__all__ = ["Face"]
