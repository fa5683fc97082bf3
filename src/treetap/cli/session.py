"""The settings of this call, and its way to the daemon.

That is the daemon of treetap's home; or, where none runs for it, the one that ``daemon_url`` names:
another user's, or another machine's, for which the token is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from treetap.errors import DaemonError
from treetap.link.address import is_loopback

if TYPE_CHECKING:
    from treetap.client import DaemonClient
    from treetap.config.settings import Settings


def settings() -> Settings:
    """What this environment and ``config.toml`` say; raises ``ConfigError``."""
    from treetap.config.settings import resolve

    return resolve({})


def home_daemon(of: Settings) -> DaemonClient | None:
    """A client of the daemon that serves this home, or ``None`` if there is none.

    Raises:
        DaemonError: There is one, which doesn't answer (slug ``daemon-silent``).
    """
    from treetap.client import find_daemon

    url = find_daemon(of.home)
    return None if url is None else _client(of, url)


def running_daemon(of: Settings) -> DaemonClient | None:
    """A client of the daemon of this home, else of the one at ``daemon_url``, else ``None``.

    Raises:
        DaemonError: That of this home doesn't answer (slug ``daemon-silent``).
    """
    client = home_daemon(of)
    if client is not None or of.origin("daemon_url") == "default":
        return client
    if not _is_elsewhere(of) and not _is_answering(of):
        return None
    named = _client(of, of.daemon_url)
    try:
        named.health(timeout_s=of.health_check_timeout)
    except DaemonError:
        named.close()
        return None
    return named


def required_daemon(of: Settings) -> DaemonClient:
    """A client of the running daemon.

    Raises:
        DaemonError: None runs (slug ``daemon-absent``); or the one at ``daemon_url``, on another
            machine, can't be reached (``daemon-unreachable``) or is none (``daemon-foreign``);
            or that of this home doesn't answer (``daemon-silent``).
    """
    client = running_daemon(of)
    if client is not None:
        return client
    _must_not_be_elsewhere(of)
    raise DaemonError(
        f"No daemon runs for {of.home}.",
        "Start one: treetap daemon start; 'treetap probe add' does it by itself.",
        slug="daemon-absent",
    )


def started_daemon(of: Settings, *, host: str = "", port: int | None = None) -> DaemonClient:
    """A client of the daemon, which is started if it doesn't run: on this host and port.

    Raises:
        DaemonError: It can't be started; or ``daemon_url`` is of another machine, where nobody
            answers.
    """
    client = running_daemon(of)
    if client is not None:
        return client
    _must_not_be_elsewhere(of)
    return own_daemon(of, host=host, port=port)


def own_daemon(of: Settings, *, host: str = "", port: int | None = None) -> DaemonClient:
    """A client of the daemon of this home, which is started if it doesn't run."""
    from treetap.client import ensure_daemon

    return _client(of, ensure_daemon(of.home, host=host or None, port=port))


def _client(of: Settings, url: str) -> DaemonClient:
    from treetap.client import DaemonClient
    from treetap.link import auth

    token = of.token or auth.read_token(f"{of.home}/token")[0]
    return DaemonClient(url, token=token, verify_ssl=of.verify_ssl, ca_bundle=of.ca_bundle)


def _is_elsewhere(of: Settings) -> bool:
    """Whether ``daemon_url`` is of another machine, on which none can be started from here."""
    return not is_loopback(urlsplit(of.daemon_url).hostname or "")


def _is_answering(of: Settings) -> bool:
    """A look that costs 1 ms, where as a rule nobody is: the client takes 100 to be loaded."""
    from treetap.errors import LinkError
    from treetap.link import http

    if of.daemon_url.startswith("https:"):
        return True
    try:
        http.request(f"{of.daemon_url}/health", timeout_s=of.health_check_timeout)
    except LinkError:
        return False
    return True


def _must_not_be_elsewhere(of: Settings) -> None:
    if _is_elsewhere(of):
        with _client(of, of.daemon_url) as client:
            client.health(timeout_s=of.health_check_timeout)
