"""Enters this process into a daemon as one that is observed through its debugger's port.

For ``debugger="debugpy"``, where it is the daemon that connects: to a DAP port, whose address it is told by
HTTP. Detrix's daemon knows no other way; treetap's takes this one as well. ``docs/detrix.md`` has
the routes.
"""

from __future__ import annotations

import os

from treetap.errors import DaemonError, LinkError
from treetap.link import discovery, http
from treetap.link.address import is_loopback
from treetap.model.record import Record
from treetap.wire import flatjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.node.core import Node

_ROUTE = "/api/v1/connections"
_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - compared only
#: Where the builders of this world say what was built.
_COMMIT = ("GIT_COMMIT", "CI_COMMIT_SHA", "GITHUB_SHA")
_TAG = ("GIT_TAG", "CI_COMMIT_TAG")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Registered(Record):
    """What a daemon answered.

    Attributes:
        connection_id: Its name for this process.
        advertised_url: Where it says that others reach it; ``""`` if it doesn't say.
    """

    connection_id: str
    advertised_url: str


class Registry:
    """The routes of the daemon at ``daemon_url`` where processes are registered.

    Args:
        daemon_url: Of the daemon.
        verify_ssl: Check the certificate of an ``https`` daemon.
        ca_bundle: File of certificates to check it with; ``""`` for the system's.
        on_socket: Is told each socket, so that another thread can shut it down.
    """

    def __init__(
        self,
        daemon_url: str,
        *,
        verify_ssl: bool = True,
        ca_bundle: str = "",
        on_socket: Callable[[Any], None] | None = None,
    ) -> None:
        self.daemon_url = daemon_url.rstrip("/")
        self._tls: dict[str, Any] = {"verify_ssl": verify_ssl, "ca_bundle": ca_bundle}
        self._on_socket = on_socket

    def health(self, timeout_s: float) -> dict[str, Any]:
        """What it says at ``/health``.

        Raises:
            DaemonError: Nobody answers (``daemon-unreachable``), or no daemon
                (``daemon-not-one``).
        """
        return discovery.find_health(
            self.daemon_url, timeout_s=timeout_s, on_socket=self._on_socket, **self._tls
        )

    def register(self, fields: dict[str, Any], token: str, timeout_s: float) -> Registered:
        """Enter a process.

        Args:
            fields: As ``docs/detrix.md`` has them for ``POST /api/v1/connections``.
            token: To send; ``""`` for a daemon that shall not have ours.
            timeout_s: For all of it.

        Raises:
            DaemonError: Nobody answers (``daemon-unreachable``), or the daemon won't have the
                process (``daemon-registration``).
        """
        body = flatjson.dumps_all(fields).encode("ascii")
        try:
            answer = self._ask(_ROUTE, "POST", token, timeout_s, body)
        except LinkError as exc:
            raise DaemonError(
                f"Cannot connect to daemon at {self.daemon_url}: {exc.hint or exc.what}",
                exc.what,
                slug="daemon-unreachable",
            ) from exc
        if not 200 <= answer.status < 300:
            raise DaemonError(
                f"Failed to register connection: HTTP {answer.status} - {_phrase(answer.status)}",
                _reason(answer.body),
                slug="daemon-registration",
            )
        return _understood(answer.body, fields["name"])

    def unregister(self, connection_id: str, token: str, timeout_s: float) -> None:
        """Take a process out again; best effort."""
        try:
            self._ask(f"{_ROUTE}/{_quoted(connection_id)}", "DELETE", token, timeout_s)
        except LinkError:
            pass  # the daemon finds out by itself: the port is closed

    def _ask(
        self, route: str, method: str, token: str, timeout_s: float, body: bytes = b""
    ) -> http.Response:
        headers = {"content-type": "application/json"} if body else {}
        if token and token.isprintable():  # else it would end the header's line
            headers["authorization"] = f"Bearer {token}"
        return http.request(
            f"{self.daemon_url}{route}",
            method,
            timeout_s=timeout_s,
            headers=headers,
            body=body,
            on_socket=self._on_socket,
            **self._tls,
        )


class Registrar:
    """Registers ``node`` with the daemon at ``daemon_url``.

    Args:
        node: Who is to be observed.
        daemon_url: Of the daemon.
        token: To send; ``""`` for a daemon that shall not have ours.
        on_socket: Is told each socket, so that another thread can shut it down.
    """

    def __init__(
        self,
        node: Node,
        daemon_url: str,
        token: str,
        on_socket: Callable[[Any], None] | None = None,
    ) -> None:
        self._node = node
        self._token = token
        self._is_treetaps = False
        settings = node.settings
        self._registry = Registry(
            daemon_url,
            verify_ssl=settings.verify_ssl,
            ca_bundle=settings.ca_bundle,
            on_socket=on_socket,
        )

    def check(self) -> None:
        """Ask for the daemon's health. Raises as ``Registry.health``."""
        health = self._registry.health(self._node.settings.health_check_timeout)
        self._is_treetaps = "treetap" in health

    def register(self, debug_port: int) -> Registered:
        """Tell the daemon where our debugger listens. Raises as ``Registry.register``.

        Args:
            debug_port: Port of the debugger, which listens already: the daemon connects at once.
        """
        timeout_s = self._node.settings.register_timeout
        return self._registry.register(self._fields(debug_port), self._token, timeout_s)

    def unregister(self, connection_id: str) -> None:
        """Say that the debugger's port is no more; best effort."""
        timeout_s = self._node.settings.unregister_timeout
        self._registry.unregister(connection_id, self._token, timeout_s)

    def _fields(self, debug_port: int) -> dict[str, Any]:
        node = self._node
        fields = process_fields(
            self._host(), debug_port, node.identity.name, node.settings.workspace_root
        )
        control_url = node.control_url()
        if control_url:
            fields["controlPlaneUrl"] = control_url
        if self._is_treetaps:
            # Which process it is, before the debugger says so. To Detrix's a pid is one to attach to.
            fields["pid"] = node.identity.pid
        return {**fields, **build_fields()}

    def _host(self) -> str:
        settings = self._node.settings
        host = settings.advertise_host or settings.control_host
        if host not in _EVERY_ADDRESS:
            return str(host)
        # That means all of ours, and to another machine: all of its own.
        _scheme, daemon_host, _port, _target = http.split_url(self._registry.daemon_url)
        return "127.0.0.1" if is_loopback(daemon_host) else os.uname().nodename


def process_fields(host: str, port: int, name: str, workspace_root: str = "") -> dict[str, Any]:
    """What a daemon must be told of a process.

    Args:
        host: By which the daemon reaches its debugger.
        port: Of its debugger.
        name: Of the program.
        workspace_root: Where its files are, as the daemon sees them; else what
            ``DETRIX_WORKSPACE_ROOT`` says, which needn't be a directory of this machine, or
            the working directory.
    """
    return {
        "host": host,
        "port": port,
        "language": "python",
        "name": name,
        "workspaceRoot": workspace_root or os.environ.get("DETRIX_WORKSPACE_ROOT") or _directory(),
        "hostname": os.uname().nodename or "unknown",
    }


def advertised_url(fields: Any) -> str:
    """``advertiseUrl`` of an answer, if it is there and a URL; else ``""``."""
    given = fields.get("advertiseUrl") if isinstance(fields, dict) else None
    is_url = isinstance(given, str) and given.startswith(("http://", "https://"))
    return str(given) if is_url else ""


def build_fields() -> dict[str, str]:
    """What was built, as far as the environment says: ``buildCommit``, ``buildTag``."""
    variables = os.environ
    commit = next((variables[name] for name in _COMMIT if variables.get(name)), "")
    tag = next((variables[name] for name in _TAG if variables.get(name)), "")
    if not tag and variables.get("GITHUB_REF_TYPE") == "tag":
        tag = variables.get("GITHUB_REF_NAME", "")
    found = {"buildCommit": commit, "buildTag": tag}
    return {name: value for name, value in found.items() if value}


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # it was removed


def _understood(body: bytes, name: str) -> Registered:
    """What the daemon's answer means; it may leave the id out, which then is ``name``."""
    try:
        fields = flatjson.loads(body.decode())
    except ValueError:
        fields = None
    given = fields.get("connectionId") if isinstance(fields, dict) else 0
    if given is not None and not isinstance(given, str):
        raise DaemonError(
            "Failed to register connection: the daemon's answer is not understood.",
            repr(body[:200]),
            slug="daemon-registration",
        )
    return Registered(given or name, advertised_url(fields))


def _quoted(text: str) -> str:
    """``text`` as one part of a path."""
    return "".join(
        chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def _phrase(status: int) -> str:
    from http import HTTPStatus  # loaded where something has gone wrong already

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _reason(body: bytes) -> str:
    """Why, in the daemon's own words."""
    try:
        fields = flatjson.loads(body.decode())
    except ValueError:
        return ""
    error = fields.get("error") if isinstance(fields, dict) else None
    return error[:500] if isinstance(error, str) else ""
