"""Finds the link of a daemon by the daemon's URL, with one ``GET /health``."""

from __future__ import annotations

from treetap.errors import DaemonError, LinkError
from treetap.link import http
from treetap.link.address import is_loopback
from treetap.wire import flatjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def find_link(
    daemon_url: str,
    *,
    timeout_s: float = 2.0,
    verify_ssl: bool = True,
    ca_bundle: str = "",
    on_socket: Callable[[Any], None] | None = None,
) -> dict[str, Any]:
    """Where the daemon takes links: ``unix`` (a path on this machine), ``host`` and ``port``.

    Raises:
        DaemonError: Nobody answers (``daemon-unreachable``), something else does
            (``daemon-not-one``), or a daemon that isn't treetap's (``daemon-foreign``).
    """
    health = find_health(
        daemon_url,
        timeout_s=timeout_s,
        verify_ssl=verify_ssl,
        ca_bundle=ca_bundle,
        on_socket=on_socket,
    )
    return _link_of(health, daemon_url)


def find_health(
    daemon_url: str,
    *,
    timeout_s: float = 2.0,
    verify_ssl: bool = True,
    ca_bundle: str = "",
    on_socket: Callable[[Any], None] | None = None,
) -> dict[str, Any]:
    """What a daemon, treetap's or another, says at ``/health``.

    Raises:
        DaemonError: Nobody answers (``daemon-unreachable``), or something else does
            (``daemon-not-one``).
    """
    try:
        answer = http.request(
            f"{daemon_url}/health",
            timeout_s=timeout_s,
            verify_ssl=verify_ssl,
            ca_bundle=ca_bundle,
            on_socket=on_socket,
        )
    except LinkError as exc:
        raise DaemonError(
            f"Cannot connect to daemon at {daemon_url}.",
            f"{exc.what} {exc.hint}\nStart one with: treetap daemon start".strip(),
            slug="daemon-unreachable",
        ) from exc
    return _health_of(answer, daemon_url)


def _health_of(answer: http.Response, daemon_url: str) -> dict[str, Any]:
    try:
        health = flatjson.loads(answer.body.decode()) if answer.status == 200 else None
    except ValueError:
        health = None
    if not isinstance(health, dict) or health.get("service") != "detrix":
        raise DaemonError(
            f"What answers at {daemon_url} is no daemon.",
            f"Its /health answered {answer.status}. Another program may have the port; "
            "choose another with daemon_url.",
            slug="daemon-not-one",
        )
    return health


def _link_of(health: dict[str, Any], daemon_url: str) -> dict[str, Any]:
    ours = health.get("treetap")
    link = ours.get("link") if isinstance(ours, dict) else None
    if not isinstance(link, dict):
        raise DaemonError(
            f"The daemon at {daemon_url} is not treetap's.",
            "A node of treetap ships its values over a link that only treetap's daemon has.\n"
            "Start one on another port: treetap daemon start",
            slug="daemon-foreign",
        )
    _scheme, host, _port, _target = http.split_url(daemon_url)
    endpoint: dict[str, Any] = {"host": host, "port": 0}
    if isinstance(link.get("port"), int) and 0 < link["port"] < 65536:
        endpoint["port"] = link["port"]
    if is_loopback(host):
        # Paths and loopback addresses that a daemon names mean its own machine.
        if isinstance(link.get("unix"), str):
            endpoint["unix"] = link["unix"]
        if isinstance(link.get("host"), str) and link["host"]:
            endpoint["host"] = link["host"]
    elif isinstance(link.get("host"), str) and not _means_itself(link["host"]):
        endpoint["host"] = link["host"]
    return endpoint


def _means_itself(host: str) -> bool:
    return is_loopback(host) or host in ("", "0.0.0.0", "::")  # noqa: S104 - compared only
