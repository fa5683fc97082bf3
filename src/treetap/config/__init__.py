"""Settings: resolved once, frozen, each knowing where it came from.

``settings`` is the value and ``resolve``; ``sources`` reads the environment and ``config.toml``;
``checks`` turns what was written into a value, or says what is wrong with it.
"""

from __future__ import annotations

from treetap.config.settings import DEFAULT_DAEMON_URL, UNSET, Settings, resolve

__all__ = ["DEFAULT_DAEMON_URL", "UNSET", "Settings", "resolve"]
