"""Channels over TCP, to actors on other hosts.

An actor that wants to be called from elsewhere says so (``serve_tcp``). Who connects proves that it
holds the token, and so does the actor, before either says anything else; the token never crosses. What
follows is as safe as the network is, so give TLS where that isn't one's own::

    actor → caller   nonce
    caller → actor   nonce of its own; proof over both
    actor → caller   proof over both
"""

from __future__ import annotations

import logging
import ssl
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from treetap.actor import runtime, tapping
from treetap.errors import ActorError
from treetap.link import auth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from treetap.actor.portal import Portal

_log = logging.getLogger("treetap.actor")

#: For a stranger to prove that it is none.
HANDSHAKE_TIMEOUT_S = 5.0
#: So many may be about to prove it at once; more are sent away.
_MAX_STRANGERS = 64
_CONNECT_TIMEOUT_S = 10.0
#: Of a nonce, and of a proof: 32 bytes in hex.
_WORD_BYTES = 64
_CALLER, _ACTOR = "caller", "actor"
_BROKEN = (OSError, EOFError, ValueError, trio.BrokenResourceError, trio.ClosedResourceError)


def tree_token() -> str:
    """The token of one's own tree, made for it alone; not to be seen in any environment.

    Raises:
        ActorError: There is no tree (slug ``actor-no-tree``).
    """
    return runtime.needed().token


async def serve_tcp(
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Let others call this actor over TCP, until this is cancelled; for ``Nursery.start``.

    Args:
        port: To listen on; 0 for any.
        host: Address to listen on.
        token: That callers have to hold; that of the settings (``TREETAP_TOKEN``, or the file
            ``token`` in the home) if not given, or else the tree's own.
        ssl_context: For TLS.
        task_status: Told the port.

    Raises:
        ActorError: There is no token (slug ``actor-token``).
        OSError: The address can't be bound.
    """
    secret = _token(token)
    strangers = _Strangers(secret, ssl_context)
    listeners = await trio.open_tcp_listeners(port, host=host)
    bound_port = listeners[0].socket.getsockname()[1]
    serve = partial(trio.serve_listeners, strangers.welcome, listeners)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        task_status.started(bound_port)


@asynccontextmanager
async def connect_tcp(
    host: str,
    port: int,
    *,
    token: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[Portal]:
    """A portal to an actor that serves over TCP. Leaving the block closes the channel.

    Args:
        host: Where it is; with TLS, also the name that its certificate has to bear.
        port: Where it listens.
        token: As in ``serve_tcp``.
        ssl_context: For TLS.

    Raises:
        ActorError: It can't be reached, or one of the two doesn't hold the token of the other
            (slug ``actor-refused``); or there is no token here (slug ``actor-token``).
    """
    secret = _token(token)
    stream: trio.abc.Stream | None = None
    try:
        with trio.fail_after(_CONNECT_TIMEOUT_S):
            stream = await trio.open_tcp_stream(host, port)
            if ssl_context is not None:
                stream = trio.SSLStream(stream, ssl_context, server_hostname=host)
            await _prove_to_actor(stream, secret)
    except (*_BROKEN, trio.TooSlowError, ssl.SSLError) as exc:
        if stream is not None:
            await trio.aclose_forcefully(stream)
        raise ActorError(
            f"The actor at {host}:{port} can't be had: {str(exc) or type(exc).__name__}.",
            "Is it up, does it listen there, and do both sides hold the same token?",
            slug="actor-refused",
        ) from exc
    except BaseException:
        if stream is not None:
            await trio.aclose_forcefully(stream)
        raise
    async with runtime.portal_over(stream) as portal:
        yield portal


class _Strangers:
    """Connections that haven't proved anything yet, and then don't belong here any more."""

    def __init__(self, token: str, ssl_context: ssl.SSLContext | None) -> None:
        self._token = token
        self._ssl_context = ssl_context
        self._count = 0

    async def welcome(self, stream: trio.abc.Stream) -> None:
        """See who it is, and serve it; never raises."""
        if self._count >= _MAX_STRANGERS:
            await trio.aclose_forcefully(stream)
            return
        self._count += 1
        try:
            known = await self._known(stream)
        finally:
            self._count -= 1
        if known is None:
            return
        try:
            await runtime.end_of(known).serve()
        except Exception:  # noqa: BLE001 - it is logged
            # It would end the listener, and with it everybody else.
            _log.exception("a channel over TCP has failed")

    async def _known(self, stream: trio.abc.Stream) -> trio.abc.Stream | None:
        """The stream, once its other end has proved that it may speak; ``None`` if it hasn't."""
        try:
            with trio.fail_after(HANDSHAKE_TIMEOUT_S):
                if self._ssl_context is not None:
                    stream = trio.SSLStream(stream, self._ssl_context, server_side=True)
                await _prove_to_caller(stream, self._token)
        except (*_BROKEN, trio.TooSlowError, ssl.SSLError) as exc:
            _log.info("a caller over TCP was sent away: %s", str(exc) or type(exc).__name__)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        else:
            return stream
        await trio.aclose_forcefully(stream)
        return None


async def _prove_to_caller(stream: trio.abc.Stream, token: str) -> None:
    ours = auth.new_nonce()
    await stream.send_all(ours.encode())
    theirs = await _word(stream)
    if not auth.compare(auth.proof(token, ours + theirs, _CALLER), await _word(stream)):
        raise ValueError("it has not proved that it holds the token")
    await stream.send_all(auth.proof(token, ours + theirs, _ACTOR).encode())


async def _prove_to_actor(stream: trio.abc.Stream, token: str) -> None:
    theirs, ours = await _word(stream), auth.new_nonce()
    await stream.send_all((ours + auth.proof(token, theirs + ours, _CALLER)).encode())
    if not auth.compare(auth.proof(token, theirs + ours, _ACTOR), await _word(stream)):
        raise ValueError("it has not proved that it holds the token")


async def _word(stream: trio.abc.Stream) -> str:
    """A nonce or a proof, and not a byte of what follows it."""
    taken = b""
    while len(taken) < _WORD_BYTES:
        chunk = await stream.receive_some(_WORD_BYTES - len(taken))
        if not chunk:
            raise EOFError("it has hung up")
        taken += chunk
    return taken.decode("ascii")


def _token(given: str | None) -> str:
    """The token to prove.

    Raises:
        ActorError: There is none (slug ``actor-token``).
    """
    here = runtime.current()
    found = given or tapping.token() or (here.token if here is not None else "")
    if not found:
        raise ActorError(
            "There is no token to speak with over TCP.",
            "Give token=, or put one into TREETAP_TOKEN or the file `token` in the home, "
            "the same on both sides.",
            slug="actor-token",
        )
    return found
