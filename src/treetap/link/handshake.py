"""The first words on a link, without I/O: both sides are here, so that they can't disagree.

::

    daemon → node   challenge   nonce; auth "none" if the node is known to be the same user's
    node → daemon   hello       identity; proof over the daemon's nonce; a nonce of its own
    daemon → node   welcome     probes; proof over the node's nonce
                    refused     why, and the way out

The token itself is never sent. The node asks for a proof too: a daemon's probes may evaluate
expressions, so that a stranger who sits on the daemon's port must not be taken for it.
"""

from __future__ import annotations

from treetap.errors import LinkError
from treetap.link import auth
from treetap.model.node import NodeIdentity
from treetap.wire.message import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NO_TOKEN_HINT = (
    "Run both as the same user on one machine, or give both the same token "
    "(TREETAP_TOKEN, or the file `token` in the home)."
)


def challenge(standing: str) -> dict[str, Any]:
    """The daemon's first message to a peer of this ``auth.standing``."""
    is_trusted = standing in (auth.SAME_USER, auth.LOOPBACK)
    return {
        "type": "challenge",
        "nonce": auth.new_nonce(),
        "auth": "none" if is_trusted else "proof",
    }


def hello(identity: NodeIdentity, challenge: Any, *, token: str) -> dict[str, Any]:
    """The node's answer.

    Raises:
        LinkError: The peer isn't a daemon (slug ``link-message``), or it wants a proof and
            there is no token here (slug ``link-refused``).
    """
    message = _typed_message(challenge, "challenge")
    if message.get("type") == "refused":
        raise refusal_from(message)
    nonce = message.get("nonce")
    if not isinstance(nonce, str) or len(nonce) < 32:
        raise LinkError("The daemon's challenge is malformed.", slug="link-message")
    if message.get("auth") != "none" and not token:
        raise LinkError(
            "The daemon wants a token from this node, and there is none here.",
            _NO_TOKEN_HINT,
            slug="link-refused",
        )
    return {
        "type": "hello",
        "protocol": PROTOCOL,
        "node": identity.to_dict(),
        "proof": auth.proof(token, nonce, "node") if token else "",
        "nonce": auth.new_nonce(),
    }


def check_hello(message: Any, challenge: dict[str, Any], *, token: str) -> NodeIdentity:
    """The daemon's check of a hello.

    Raises:
        LinkError: Not a hello, another protocol, or no valid proof where one is wanted.
            ``refusal`` makes the answer of it.
    """
    message = _typed_message(message, "hello")
    if message.get("protocol") != PROTOCOL:
        raise LinkError(
            f"The node speaks protocol {message.get('protocol')!r}, this daemon {PROTOCOL}.",
            "Install the same version of treetap on both sides.",
            slug="link-protocol",
        )
    if challenge["auth"] != "none":
        wanted = auth.proof(token, challenge["nonce"], "node") if token else ""
        if not auth.compare(wanted, str(message.get("proof", ""))):
            raise LinkError(
                "The node is of another user or machine and has not the daemon's token.",
                _NO_TOKEN_HINT,
                slug="link-refused",
            )
    return _identity(message.get("node"))


def welcome(
    hello: dict[str, Any], *, token: str, revision: int, probes: list[dict[str, Any]]
) -> dict[str, Any]:
    """The daemon's welcome, with its own proof where it has a token."""
    nonce = hello.get("nonce")
    is_provable = bool(token) and isinstance(nonce, str) and len(nonce) >= 32
    return {
        "type": "welcome",
        "revision": revision,
        "probes": probes,
        "proof": auth.proof(token, str(nonce), "daemon") if is_provable else "",
    }


def check_welcome(
    message: Any, hello: dict[str, Any], *, standing: str, token: str
) -> dict[str, Any]:
    """The node's check of the daemon.

    Args:
        message: What the daemon answered.
        hello: What was sent.
        standing: The daemon's ``auth.standing`` as this node sees it.
        token: The node's token, or ``""``.

    Raises:
        LinkError: Refused, not a welcome, or a stranger without proof (slug ``link-refused``).
    """
    answer = _typed_message(message, "welcome")
    if answer.get("type") == "refused":
        raise refusal_from(answer)
    if standing not in (auth.SAME_USER, auth.LOOPBACK):
        wanted = auth.proof(token, hello["nonce"], "daemon") if token else ""
        if not auth.compare(wanted, str(answer.get("proof", ""))):
            raise LinkError(
                "The daemon is run by another user or machine and has not proved that it "
                "holds this node's token.",
                _NO_TOKEN_HINT,
                slug="link-refused",
            )
    if not isinstance(answer.get("revision"), int) or not isinstance(answer.get("probes"), list):
        raise LinkError("The daemon's welcome is malformed.", slug="link-message")
    return answer


def refusal(error: LinkError) -> dict[str, Any]:
    """What to send before closing the link."""
    return {"type": "refused", "slug": error.slug, "what": error.what, "hint": error.hint}


def refusal_from(message: dict[str, Any]) -> LinkError:
    """The error that the other side sent."""
    return LinkError(
        str(message.get("what", "The daemon refused the link."))[:1000],
        str(message.get("hint", ""))[:1000],
        slug=str(message.get("slug", "link-refused"))[:64],
    )


def _typed_message(message: Any, kind: str) -> dict[str, Any]:
    kinds = (kind, "refused") if kind != "hello" else (kind,)
    if not isinstance(message, dict) or message.get("type") not in kinds:
        raise LinkError(
            f"The peer's message is no {kind}; it doesn't speak as treetap does.",
            slug="link-message",
        )
    return message


def _identity(fields: Any) -> NodeIdentity:
    if not isinstance(fields, dict):
        raise LinkError("The hello names no node.", slug="link-message")
    for name, kind in (("name", str), ("pid", int), ("start_ns", int)):
        if type(fields.get(name)) is not kind:
            raise LinkError(f"The hello's node has no {name}.", slug="link-message")
    for name in NodeIdentity.__slots__:
        if name not in ("pid", "start_ns") and not isinstance(fields.get(name, ""), str):
            raise LinkError(f"The hello's node has a bad {name}.", slug="link-message")
    return NodeIdentity.from_dict(fields)
