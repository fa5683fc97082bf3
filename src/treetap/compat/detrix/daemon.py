"""The daemon's HTTP routes for clients, as detrix-py offers them to programs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, overload, runtime_checkable

from treetap import errors
from treetap.compat.detrix.errors import ConfigError, DaemonConnectionError, DaemonError
from treetap.config import checks
from treetap.node import registration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = [
    "DaemonClient",
    "DaemonConnectionError",
    "HttpDaemonClient",
    "Registered",
    "check_daemon_health",
    "register_connection",
    "unregister_connection",
]

_logger = logging.getLogger("detrix.daemon")


class Registered(str):
    """The answer to a registration, in the two forms that there are.

    1.0.0 gives the connection's id; 1.2.0 a pair, of the id and the URL that the daemon advertises.
    This is the id, as text, that unpacks into the pair, and has its two items.
    """

    __slots__ = ("advertise_url",)
    advertise_url: str | None

    def __new__(cls, connection_id: str, advertise_url: str | None) -> Self:
        self = super().__new__(cls, connection_id)
        self.advertise_url = advertise_url
        return self

    @property
    def pair(self) -> tuple[str, str | None]:
        """As 1.2.0 has it."""
        return str(self), self.advertise_url

    def __iter__(self) -> Iterator[Any]:
        return iter(self.pair)

    @overload
    def __getitem__(self, place: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> str: ...
    def __getitem__(self, place: SupportsIndex | slice) -> Any:
        return super().__getitem__(place) if isinstance(place, slice) else self.pair[place]

    def __str__(self) -> str:
        return super().__str__()


@runtime_checkable
class DaemonClient(Protocol):
    """What speaks to a daemon. Timeouts are in seconds."""

    def health_check(self, timeout: float = 2.0) -> bool: ...

    def register(
        self,
        host: str,
        port: int,
        connection_id: str,
        token: str | None = None,
        timeout: float = 5.0,
    ) -> tuple[str, str | None]: ...

    def unregister(
        self, connection_id: str, token: str | None = None, timeout: float = 2.0
    ) -> None: ...

    def fetch_advertise_url(self, timeout: float = 2.0) -> str | None: ...


class HttpDaemonClient:
    """A ``DaemonClient`` over HTTP. Has nothing open between two calls.

    Args:
        base_url: Of the daemon; a path in it comes before the routes' own.
        connect_timeout, default_timeout: Taken, and of no effect: each call has its own.
        verify_ssl: Check the certificate of an ``https`` daemon.
        ca_bundle: File of certificates to check it with.

    Raises:
        ConfigError: There is no file ``ca_bundle``.
    """

    def __init__(
        self,
        base_url: str,
        connect_timeout: float = 2.0,
        default_timeout: float = 5.0,
        verify_ssl: bool = True,
        ca_bundle: str | None = None,
    ) -> None:
        if ca_bundle and not Path(ca_bundle).is_file():
            raise ConfigError(f"CA bundle not found: {ca_bundle}")
        self.base_url = base_url.rstrip("/")
        self._tls: dict[str, Any] = {"verify_ssl": verify_ssl, "ca_bundle": ca_bundle or ""}
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Refuse further calls; idempotent."""
        self._is_closed = True

    def health_check(self, timeout: float = 2.0) -> bool:
        """Whether a daemon answers."""
        try:
            self._registry().health(timeout)
        except errors.DaemonError as exc:
            _logger.debug("Health check failed: %s", exc.line)
            return False
        return True

    def fetch_advertise_url(self, timeout: float = 2.0) -> str | None:
        """Where the daemon says that others reach it; ``None`` if it doesn't, or isn't there."""
        try:
            health = self._registry().health(timeout)
        except errors.DaemonError as exc:
            _logger.debug("Failed to fetch advertise URL: %s", exc.line)
            return None
        return registration.advertised_url(health) or None

    def register(
        self,
        host: str,
        port: int,
        connection_id: str,
        token: str | None = None,
        timeout: float = 5.0,
        control_plane_url: str | None = None,
        workspace_root: str | None = None,
    ) -> Registered:
        """Tell the daemon that a debugger listens at ``host`` and ``port``.

        Args:
            host: By which the daemon reaches it.
            port: Where it listens.
            connection_id: The name to register under. The daemon answers with the id.
            token: To send with it.
            timeout: Seconds for all of it.
            control_plane_url: Where the process can be woken and put to sleep.
            workspace_root: Where its files are; else what the environment says.

        Raises:
            DaemonError: The daemon can't be reached, or refused.
        """
        fields = registration.process_fields(host, port, connection_id, workspace_root or "")
        if control_plane_url:
            fields["controlPlaneUrl"] = control_plane_url
        fields.update(registration.build_fields())
        try:
            answer = self._registry().register(fields, token or "", timeout)
        except errors.DaemonError as exc:
            raise DaemonError(exc.what.rstrip(".")) from exc
        return Registered(answer.connection_id, answer.advertised_url or None)

    def unregister(
        self, connection_id: str, token: str | None = None, timeout: float = 2.0
    ) -> None:
        """Take a process out again; best effort: never raises for what a daemon does."""
        try:
            self._registry().unregister(str(connection_id), token or "", timeout)
        except errors.DaemonError as exc:
            _logger.debug("Failed to unregister: %s", exc.line)

    def _registry(self) -> registration.Registry:
        if self._is_closed:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
        try:
            checks.url(self.base_url)
        except (ValueError, TypeError) as exc:
            raise errors.DaemonError(
                f"Cannot connect to daemon at {self.base_url}: {exc}", slug="daemon-url"
            ) from exc
        return registration.Registry(self.base_url, **self._tls)


def check_daemon_health(
    daemon_url: str,
    timeout: float = 2.0,
    verify_ssl: bool = True,
    ca_bundle: str | None = None,
) -> bool:
    """``HttpDaemonClient.health_check``, once."""
    with HttpDaemonClient(daemon_url, verify_ssl=verify_ssl, ca_bundle=ca_bundle) as client:
        return client.health_check(timeout)


def register_connection(
    daemon_url: str,
    host: str,
    port: int,
    connection_id: str,
    token: str | None,
    timeout: float = 5.0,
    verify_ssl: bool = True,
    ca_bundle: str | None = None,
    control_plane_url: str | None = None,
) -> Registered:
    """``HttpDaemonClient.register``, once."""
    with HttpDaemonClient(daemon_url, verify_ssl=verify_ssl, ca_bundle=ca_bundle) as client:
        return client.register(host, port, connection_id, token, timeout, control_plane_url)


def unregister_connection(
    daemon_url: str,
    connection_id: str,
    token: str | None,
    timeout: float = 2.0,
    verify_ssl: bool = True,
    ca_bundle: str | None = None,
) -> None:
    """``HttpDaemonClient.unregister``, once."""
    with HttpDaemonClient(daemon_url, verify_ssl=verify_ssl, ca_bundle=ca_bundle) as client:
        client.unregister(connection_id, token, timeout)
