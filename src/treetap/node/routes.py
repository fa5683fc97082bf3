"""The control plane's routes: ours at ``/treetap/*``, and the same at ``/detrix/*`` in Detrix's words.

Ours answer errors as ``{"error": {"slug", "what", "hint"}}``; Detrix's as ``{"error": "message"}``,
with its statuses and bodies (``docs/compatibility.md``).
"""

from __future__ import annotations

import os
import sys
import time

from treetap.errors import (
    ConfigError,
    ControlPlaneError,
    DaemonError,
    LinkError,
    StateError,
    TreetapError,
)
from treetap.link import http
from treetap.model.node import AWAKE
from treetap.node import files, gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.node.control import Connection
    from treetap.node.core import Node

ANSWER_TIMEOUT_S = 10.0
OURS, DETRIX = "/treetap/", "/detrix/"

#: ``{slug: status}``; what isn't here is in ``_STATUS_OF_KIND``.
_STATUS_OF_SLUG = {
    **http.STATUS,
    gate.HOST: 421,
    gate.ORIGIN: 403,
    gate.REFUSED: 401,
    gate.DAEMON_URL: 403,
    files.MALFORMED: 400,
    files.OUTSIDE: 403,
    files.FORBIDDEN: 403,
    files.MISSING: 404,
    files.TOO_LARGE: 413,
    files.NOT_TEXT: 400,
    "control-plane-route": 404,
    "control-plane-method": 405,
    "control-plane-body": 400,
}
_STATUS_OF_KIND: tuple[tuple[type[TreetapError], int], ...] = (
    (ConfigError, 400),
    (StateError, 409),
    (DaemonError, 503),
    (LinkError, 503),
)
_JSON = "application/json"

#: Detrix's names of what ``status()`` says.
DETRIX_STATUS = (
    "state",
    "name",
    "control_host",
    "control_port",
    "debug_port",
    "debug_port_active",
    "daemon_url",
    "connection_id",
)


class Caller:
    """One request, who asks it, and in whose words it is answered."""

    __slots__ = ("is_detrix", "request", "standing")

    def __init__(self, request: http.Request, standing: str) -> None:
        self.request = request
        self.standing = standing
        self.is_detrix = request.path.startswith(DETRIX)

    def fields(self) -> Any:
        """The JSON body; an empty dict if there is none.

        Raises:
            ControlPlaneError: It is no JSON. For Detrix's clients that is no body at all.
        """
        import json

        if not self.request.body.strip():
            return {}
        try:
            return json.loads(self.request.body)
        except (ValueError, RecursionError) as exc:
            if self.is_detrix:
                return {}
            raise ControlPlaneError(
                "The body is not JSON.", str(exc), slug="control-plane-body"
            ) from exc


def serve(node: Node, connection: Connection) -> None:
    """Read a request from ``connection`` and answer it."""
    request = None
    try:
        request = http.read_request(connection.sock, connection.deadline_s)
        connection.is_reading = False
        response = _respond(node, connection.sock, request)
    except LinkError as exc:
        if exc.slug not in http.STATUS:
            return  # the peer has gone
        response = _refusal(exc, is_detrix=False)
    except TreetapError as exc:
        response = _refusal(exc, is_detrix=request is not None and request.path.startswith(DETRIX))
    except Exception as exc:  # noqa: BLE001 - a fault of ours, told to the caller and kept
        node.faults.add("a request to the control plane", exc)
        fault = ControlPlaneError(f"The node failed: {type(exc).__name__}.", slug="control-plane")
        response = _refusal(
            fault, is_detrix=request is not None and request.path.startswith(DETRIX)
        )
    _send(connection, response)


def _send(connection: Connection, response: http.Response) -> None:
    deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
    was_read = not connection.is_reading
    connection.is_reading = True  # from here on a stop may cut it off
    response.headers.setdefault("x-content-type-options", "nosniff")
    try:
        http.write_response(connection.sock, response, deadline_s)
    except LinkError:
        return  # it went away, or doesn't read: its own loss
    if not was_read:
        http.finish(connection.sock, min(deadline_s, time.monotonic() + 1.0))


def _respond(node: Node, sock: Any, request: http.Request) -> http.Response:
    gate.check_browser(node.settings, request, str(sock.getsockname()[0]))
    standing = gate.standing_of(sock, node.settings, request, node.token())
    caller = Caller(request, standing)
    prefix = DETRIX if caller.is_detrix else OURS
    name = request.path.removeprefix(prefix) if request.path.startswith(prefix) else ""
    method, answer, is_open = _ROUTES.get(name, ("", _unknown, False))
    if not is_open and (name in _ROUTES or request.method == "POST"):
        gate.check_standing(standing)
    if method and request.method != method:
        raise ControlPlaneError(
            f"{request.path} takes {method}, not {request.method}.", slug="control-plane-method"
        )
    return answer(node, caller)


def _refusal(error: TreetapError, *, is_detrix: bool) -> http.Response:
    if is_detrix:
        return _detrix_refusal(error)
    fields = {"slug": error.slug, "what": error.what, "hint": error.hint}
    return _json_response({"error": fields}, _status_of(error))


def _status_of(error: TreetapError) -> int:
    if error.slug in _STATUS_OF_SLUG:
        return _STATUS_OF_SLUG[error.slug]
    return next((status for kind, status in _STATUS_OF_KIND if isinstance(error, kind)), 500)


def _detrix_refusal(error: TreetapError) -> http.Response:
    if error.slug == files.MISSING:
        return http.Response(404)
    if error.slug == "control-plane-route":
        return _json_response({"error": "Not found"}, 404)
    if error.slug == gate.REFUSED:
        return _json_response({"error": "Unauthorized"}, 401)
    return _json_response({"error": error.what.removesuffix(".")}, _status_of(error))


def _json_response(fields: dict[str, Any], status: int = 200) -> http.Response:
    import json

    return http.Response(status, json.dumps(fields).encode("ascii"), {"content-type": _JSON})


def _unknown(node: Node, caller: Caller) -> http.Response:
    raise ControlPlaneError(
        f"There is nothing at {caller.request.path[:100]}.",
        f"There are: {', '.join(OURS + name for name in _ROUTES)}.",
        slug="control-plane-route",
    )


def _health(node: Node, caller: Caller) -> http.Response:
    if caller.is_detrix:
        return _json_response({"status": "ok", "service": "detrix-client"})
    return _json_response({"status": "ok", "service": "treetap-node"})


def _status(node: Node, caller: Caller) -> http.Response:
    status = node.status()
    if caller.is_detrix:
        status = {name: status[name] for name in DETRIX_STATUS}
        if status["state"] == "warm":
            status["state"] = "sleeping"
    return _json_response(status)


def _info(node: Node, caller: Caller) -> http.Response:
    fields: dict[str, Any] = {
        "name": node.identity.name,
        "pid": node.identity.pid,
        "python_version": sys.version,
        "python_executable": sys.executable,
        "go_version": None,
        "rust_version": None,
    }
    if not caller.is_detrix:
        fields = {**node.identity.to_dict(), "python_executable": sys.executable}
        fields["python_version"] = sys.version.replace("\n", " ")
    return _json_response(fields)


def _discover(node: Node, caller: Caller) -> http.Response:
    fields: dict[str, Any] = {"daemon_url": node.daemon_url, "name": node.identity.name}
    if caller.is_detrix and node.life.advertised_url:
        fields["daemon_url"] = node.life.advertised_url
    url = node.control_url()
    if url:
        fields["control_plane_url"] = url
    if not caller.is_detrix:
        fields.update(node=node.identity.id, tree=node.identity.tree)
    return _json_response(fields)


def _wake(node: Node, caller: Caller) -> http.Response:
    fields = caller.fields()
    wanted = fields.get("daemon_url") if isinstance(fields, dict) else None
    if wanted is not None and not isinstance(wanted, str):
        raise ControlPlaneError("daemon_url must be text.", slug="control-plane-body")
    if caller.is_detrix and node.state == AWAKE:
        wanted = None  # there, who is awake doesn't look at it
    if wanted:
        gate.check_daemon_url(caller.standing, wanted, node.daemon_url)
    outcome = node.wake(wanted or None, may_use_token=not wanted)
    if caller.is_detrix and node.settings.debugger == "debugpy":
        # There it means where the daemon says that others reach it, as pydantic writes that.
        url = node.life.advertised_url
        outcome = {**outcome, "daemon_url": f"{url}/" if url.count("/") == 2 else url or None}
    return _json_response(outcome)


def _sleep(node: Node, _caller: Caller) -> http.Response:
    return _json_response(node.sleep())


def _dump(_node: Node, _caller: Caller) -> http.Response:
    from treetap.stack import dump

    return _json_response(dump.take())


def _read_file(node: Node, caller: Caller) -> http.Response:
    content = files.read(caller.fields(), node.settings.workspace_root or os.getcwd())
    return http.Response(200, content, {"content-type": "text/plain; charset=utf-8"})


#: ``{name: (method, answer, whether a stranger may ask)}``; open as they are in Detrix.
_ROUTES: dict[str, tuple[str, Callable[[Node, Caller], http.Response], bool]] = {
    "health": ("GET", _health, True),
    "status": ("GET", _status, False),
    "info": ("GET", _info, False),
    "dump": ("GET", _dump, False),
    "discover": ("GET", _discover, True),
    "wake": ("POST", _wake, False),
    "sleep": ("POST", _sleep, False),
    "files/read": ("POST", _read_file, False),
}
