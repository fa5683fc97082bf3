"""Enters this process into a daemon as one that is observed through its debugger's port.

For ``debugger="debugpy"``, where it is the daemon that connects: to a DAP port, whose address it is told by
HTTP. Detrix's daemon knows no other way; treetap's takes this one as well. ``docs/detrix.md`` has
the routes.
"""

from __future__ import annotations

import os

from treetap.errors import DaemonError, LinkError
from treetap.link import auth, discovery, http
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


class Registrar:
    """Speaks to the daemon at ``daemon_url`` for ``node``.

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
        self.daemon_url = daemon_url.rstrip("/")
        # What would end the header's line is no token.
        self._token = token if token.isprintable() else ""
        self._on_socket = on_socket

    def check(self) -> None:
        """Ask for the daemon's health.

        Raises:
            DaemonError: Nobody answers (``daemon-unreachable``), or no daemon
                (``daemon-not-one``).
        """
        settings = self._node.settings
        discovery.find_health(
            self.daemon_url,
            timeout_s=settings.health_check_timeout,
            verify_ssl=settings.verify_ssl,
            ca_bundle=settings.ca_bundle,
            on_socket=self._on_socket,
        )

    def register(self, debug_port: int) -> Registered:
        """Tell the daemon where our debugger listens.

        Args:
            debug_port: Port of the debugger, which listens already: the daemon connects at once.

        Raises:
            DaemonError: Nobody answers (``daemon-unreachable``), or the daemon won't have us
                (``daemon-registration``).
        """
        try:
            answer = self._ask(
                _ROUTE,
                "POST",
                self._node.settings.register_timeout,
                flatjson.dumps_all(self._fields(debug_port)).encode("ascii"),
            )
        except LinkError as exc:
            raise DaemonError(
                f"Cannot connect to daemon at {self.daemon_url}: {exc.what}",
                exc.hint,
                slug="daemon-unreachable",
            ) from exc
        if not 200 <= answer.status < 300:
            raise DaemonError(
                f"Failed to register connection: HTTP {answer.status} - {_phrase(answer.status)}",
                _reason(answer.body),
                slug="daemon-registration",
            )
        return self._understood(answer.body)

    def unregister(self, connection_id: str) -> None:
        """Say that the debugger's port is no more; best effort."""
        try:
            self._ask(
                f"{_ROUTE}/{_quoted(connection_id)}",
                "DELETE",
                self._node.settings.unregister_timeout,
            )
        except LinkError:
            pass  # the daemon finds out by itself: the port is closed

    def _ask(self, route: str, method: str, timeout_s: float, body: bytes = b"") -> http.Response:
        headers = {"content-type": "application/json"} if body else {}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        settings = self._node.settings
        return http.request(
            f"{self.daemon_url}{route}",
            method,
            timeout_s=timeout_s,
            headers=headers,
            body=body,
            verify_ssl=settings.verify_ssl,
            ca_bundle=settings.ca_bundle,
            on_socket=self._on_socket,
        )

    def _fields(self, debug_port: int) -> dict[str, Any]:
        identity = self._node.identity
        fields: dict[str, Any] = {
            "host": self._host(),
            "port": debug_port,
            "language": "python",
            "name": identity.name,
            "workspaceRoot": _workspace(self._node.settings.workspace_root),
            "hostname": os.uname().nodename or "unknown",
        }
        control_url = self._node.control_url()
        if control_url:
            fields["controlPlaneUrl"] = control_url
        fields.update(build_fields())
        # For treetap's daemon: which node this is. Others pass over it.
        fields["treetap"] = identity.to_dict()
        return fields

    def _host(self) -> str:
        settings = self._node.settings
        host = settings.advertise_host or settings.control_host
        if host not in _EVERY_ADDRESS:
            return str(host)
        # That means all of ours, and to another machine: all of its own.
        _scheme, daemon_host, _port, _target = http.split_url(self.daemon_url)
        return "127.0.0.1" if auth.is_loopback(daemon_host) else os.uname().nodename

    def _understood(self, body: bytes) -> Registered:
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
        return Registered(given or self._node.identity.name, advertised_url(fields))


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


def _workspace(configured: str) -> str:
    try:
        return configured or os.getcwd()
    except OSError:
        return ""


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
