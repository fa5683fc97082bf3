"""Who may speak to a node's control plane, and what it may ask for.

In this order: the name by which the caller reached us, the page that it comes from, and then who it
is: the token's holder, a process of the same user, or somebody on loopback whose user can't be
known.
"""

from __future__ import annotations

from treetap.errors import ControlPlaneError
from treetap.link import auth, browser
from treetap.link.address import is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.config.settings import Settings
    from treetap.link.http import Request

HOST = "control-plane-host"
ORIGIN = "control-plane-origin"
REFUSED = "control-plane-refused"
DAEMON_URL = "control-plane-daemon-url"

_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - compared only


def check_browser(settings: Settings, request: Request, own_address: str) -> None:
    """Keep web pages out.

    Args:
        settings: Of the node.
        request: What was asked.
        own_address: The address at which the caller reached us.

    Raises:
        ControlPlaneError: ``Host`` is neither loopback nor configured, or ``Origin`` is set: we
            serve no page.
    """
    configured = [settings.control_host, settings.advertise_host]
    if settings.control_host in _EVERY_ADDRESS:
        # A literal address can't be rebound to by DNS. The one that means all of them is no name:
        # browsers take it for loopback.
        configured[0] = own_address.removeprefix("::ffff:")
    host = request.headers.get("host", "")
    if not browser.is_host_allowed(host, tuple(configured)):
        raise ControlPlaneError(
            f"This node is not known as {host[:100]!r}.",
            "Ask for it by a loopback address, or set advertise_host to that name.",
            slug=HOST,
        )
    if not browser.is_origin_allowed(request.headers.get("origin", "")):
        raise ControlPlaneError(
            "Web pages may not speak to a node.",
            "The request has an Origin; send it from a program, not from a page.",
            slug=ORIGIN,
        )


def standing_of(sock: Any, settings: Settings, request: Request, token: str) -> str:
    """What the caller may claim: one of the standings of ``link.auth``, ``TOKEN`` among them."""
    scheme, _space, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and auth.compare(token, given.strip()):
        return auth.TOKEN
    return auth.standing(
        auth.peer_uid(sock),
        is_loopback=is_loopback(str(sock.getpeername()[0])),
        trust_loopback=settings.trust_loopback,
    )


def check_standing(standing: str) -> None:
    """Raises ``ControlPlaneError`` for a stranger."""
    if standing == auth.STRANGER:
        raise ControlPlaneError(
            "This node speaks only to its own user's processes and to holders of its token.",
            "Send the token: Authorization: Bearer …",
            slug=REFUSED,
        )


def check_daemon_url(standing: str, wanted: str, configured: str) -> None:
    """Raises ``ControlPlaneError`` if this caller may not choose the daemon.

    Whoever chooses the daemon receives the program's values and may send it expressions.
    """
    if standing in (auth.SAME_USER, auth.TOKEN) or wanted.rstrip("/") == configured:
        return
    raise ControlPlaneError(
        "This caller may not choose the daemon: nobody knows which user it is.",
        "Leave daemon_url out, or send the token.",
        slug=DAEMON_URL,
    )
