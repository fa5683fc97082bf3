"""Who may speak: a process of this user on this machine, or a holder of the token; no web page.

An ASGI layer around everything, so that no route can forget it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from treetap.api.bearer import may_have_one_in_its_body, token_in, token_in_body
from treetap.api.refusal import refuse
from treetap.daemon.journal import Kind
from treetap.errors import DaemonError
from treetap.link import auth, browser
from treetap.link.address import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from treetap.daemon import Daemon


class Guard:
    """Args:
    app: What is guarded.
    daemon: Whose token and configuration say who may; a change of them holds at once.
    """

    def __init__(self, app: ASGIApp, daemon: Daemon) -> None:
        self._app = app
        self._daemon = daemon

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        complaint = self._complaint(scope, headers)
        if (
            complaint is not None
            and complaint.slug == "request-stranger"
            and may_have_one_in_its_body(scope, headers)
        ):
            token, receive = await token_in_body(receive)
            if auth.compare(self._daemon.token, token):
                complaint = None
        if complaint is None:
            await self._app(scope, receive, send)
        else:
            peer = scope.get("client") or ("",)
            self._daemon.journal.note(
                Kind.REQUEST_REFUSED,
                actor=str(peer[0]),
                path=scope["path"][:200],
                reason=complaint.slug,
            )
            await refuse(complaint, scope, receive, send, _headers_of(complaint))

    def _complaint(self, scope: Scope, headers: Headers) -> DaemonError | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not browser.is_host_allowed(
            hosts[0], self._daemon.configuration.hosts
        ):
            return DaemonError(
                f"This daemon is not known as {', '.join(hosts)[:200]!r}.",
                "Reach it by its loopback address, or put the name into [daemon] allowed_hosts "
                "of config.toml.",
                slug="request-host",
            )
        # A page that opens a WebSocket is one of HTTP's all the same.
        own = f"{scope.get('scheme', 'http').replace('ws', 'http', 1)}://{hosts[0]}"
        allowed = (own, *self._daemon.configuration.current.daemon.allowed_origins)
        if not all(browser.is_origin_allowed(origin, allowed) for origin in origins):
            return DaemonError(
                f"A web page of {origins[0][:200]} may not speak to this daemon.",
                "Only its own page may, and those in [daemon] allowed_origins of config.toml.",
                slug="request-origin",
            )
        # What is open says only what anybody who can reach the port may know.
        open_paths = self._daemon.configuration.current.daemon.open_paths
        if scope["path"] in open_paths or self._is_trusted(scope, headers):
            return None
        return DaemonError(
            "This daemon is another user's.",
            "Give its token: the header Authorization: Bearer TOKEN, or TREETAP_TOKEN.",
            slug="request-stranger",
        )

    def _is_trusted(self, scope: Scope, headers: Headers) -> bool:
        if auth.compare(self._daemon.token, token_in(headers)):
            return True
        peer, own = scope.get("client"), scope.get("server")
        if not peer or not own:
            return False
        uid = auth.tcp_peer_uid(tuple(peer), tuple(own))
        standing = auth.standing(
            uid,
            is_loopback=is_loopback(str(peer[0])),
            trust_loopback=self._daemon.trust_loopback,
        )
        return standing in (auth.SAME_USER, auth.LOOPBACK)


def _headers_of(complaint: DaemonError) -> dict[str, str]:
    return {"www-authenticate": "Bearer"} if complaint.slug == "request-stranger" else {}
