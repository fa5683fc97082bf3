"""The daemon's services, with no HTTP in them: probes, nodes, trees, the link, the live feed.

``Daemon`` owns them all. They live on one asyncio loop and are called on it only, so that they
need no locks; the store's writer is the one other thread.
"""

from treetap.daemon.daemon import Daemon

__all__ = ["Daemon"]
