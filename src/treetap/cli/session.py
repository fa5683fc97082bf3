"""The settings of this call, and its way to the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treetap.errors import DaemonError

if TYPE_CHECKING:
    from treetap.client import DaemonClient
    from treetap.config.settings import Settings


def settings() -> Settings:
    """What this environment and ``config.toml`` say; raises ``ConfigError``."""
    from treetap.config.settings import resolve

    return resolve({})


def running_daemon(of: Settings) -> DaemonClient | None:
    """A client of the daemon that serves this home, or ``None`` if there is none."""
    from treetap.client import DaemonClient, find_daemon

    url = find_daemon(of.home)
    return None if url is None else DaemonClient(url, token=of.token)


def required_daemon(of: Settings) -> DaemonClient:
    """A client of the running daemon.

    Raises:
        DaemonError: None runs (slug ``daemon-absent``).
    """
    client = running_daemon(of)
    if client is None:
        raise DaemonError(
            f"No daemon runs for {of.home}.",
            "Start one: treetap daemon start; 'treetap probe add' does it by itself.",
            slug="daemon-absent",
        )
    return client


def started_daemon(of: Settings, *, host: str = "", port: int | None = None) -> DaemonClient:
    """A client of the daemon, which is started if it doesn't run: on this host and port."""
    from treetap.client import DaemonClient, ensure_daemon

    return DaemonClient(ensure_daemon(of.home, host=host or None, port=port), token=of.token)
