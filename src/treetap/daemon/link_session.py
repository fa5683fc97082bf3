"""One node's link: bytes to frames, the handshake, then messages in both directions.

Whatever a peer sends, it can end its own link only: with a ``refused`` that says why.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from treetap.errors import LinkError
from treetap.link import auth, handshake
from treetap.link.address import is_loopback
from treetap.wire import codec, frame

if TYPE_CHECKING:
    from treetap.daemon.roster import NodeEntry
    from treetap.model.node import NodeIdentity

log = logging.getLogger(__name__)

#: A frame of a peer that has not yet shown who it is.
_MAX_HELLO_BYTES = 64 * 1024


class LinkLimits(NamedTuple):
    """What a peer may do before its link ends.

    Attributes:
        handshake_timeout_s: Seconds until it must have said hello.
        max_unsent_bytes: How much may wait for a peer that doesn't read.
    """

    handshake_timeout_s: float = 5.0
    max_unsent_bytes: int = 32 * 1024 * 1024


LINK_LIMITS = LinkLimits()


class Host(Protocol):
    """What a session needs of the daemon."""

    @property
    def token(self) -> str:
        """Of the daemon."""

    @property
    def trust_loopback(self) -> bool:
        """Whether a loopback peer whose user can't be known is trusted."""

    async def welcome(self, session: LinkSession, identity: NodeIdentity) -> NodeEntry:
        """A node has shown who it is."""

    def probes_for(self, identity: NodeIdentity) -> tuple[int, list[dict[str, Any]]]:
        """Revision, and the node's probes as the wire wants them."""

    def receive(self, entry: NodeEntry, message: Any, size_bytes: int) -> None:
        """A message; raises ``LinkError`` if it is malformed."""

    def lost(self, entry: NodeEntry, session: LinkSession, reason: str) -> None:
        """The link is over."""


class LinkSession(asyncio.Protocol):
    """An asyncio protocol; ends itself when the link does."""

    def __init__(
        self, host: Host, sessions: set[LinkSession], limits: LinkLimits = LINK_LIMITS
    ) -> None:
        self._host = host
        self._limits = limits
        self._sessions = sessions
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._challenge: dict[str, Any] = {}
        self._entry: NodeEntry | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._reason = "lost"

    # -- asyncio calls these ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._sessions.add(self)
        sock = transport.get_extra_info("socket")
        peer = transport.get_extra_info("peername")
        is_local = not isinstance(peer, tuple) or is_loopback(str(peer[0]))
        standing = auth.standing(
            auth.peer_uid(sock), is_loopback=is_local, trust_loopback=self._host.trust_loopback
        )
        self._challenge = handshake.challenge(standing)
        self.send(self._challenge)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._limits.handshake_timeout_s, self._too_late)

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._received += data
        try:
            self._read_frames()
        except LinkError as exc:
            self._refuse(exc)
        except Exception:
            # A message that no check foresaw: this link ends, and no other.
            log.exception("a message on a link was not understood")
            self._refuse(LinkError("A message was not understood.", slug="link-message"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._sessions.discard(self)
        self._transport = None
        self._received = bytearray()
        self._stop_waiting()
        if self._entry is not None:
            self._host.lost(self._entry, self, self._reason)

    # -- the daemon calls these ---------------------------------------------------------------

    def send(self, message: Any) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(frame.pack(codec.encode_json(message)))
        if transport.get_write_buffer_size() > self._limits.max_unsent_bytes:
            log.warning("a node reads nothing; its link ends")
            transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close it at once, whatever waits to be sent."""
        if self._transport is not None:
            self._transport.abort()

    # -- inside -------------------------------------------------------------------------------

    def _read_frames(self) -> None:
        received = self._received
        start, end = 0, len(received)
        # Paused while there is a greeting: the answer to the hello comes first.
        while end - start >= frame.HEADER_BYTES and not self._greeting:
            size = frame.payload_bytes(bytes(received[start : start + frame.HEADER_BYTES]))
            if self._entry is None and size > _MAX_HELLO_BYTES:
                raise LinkError(f"A hello of {size} bytes is none.", slug="link-frame")
            body = start + frame.HEADER_BYTES
            if end - body < size:
                break
            start = body + size
            # One copy, and no view that would keep the buffer from being cut below.
            payload = bytes(memoryview(received)[body:start])
            self._take(codec.decode(payload), size)
            if self._transport is None or self._transport.is_closing():
                break
        del received[:start]

    def _take(self, message: Any, size_bytes: int) -> None:
        if self._entry is None:
            identity = handshake.check_hello(message, self._challenge, token=self._host.token)
            self._stop_waiting()
            assert self._transport is not None
            self._transport.pause_reading()
            self._greeting = asyncio.create_task(self._greet(message, identity))
        elif isinstance(message, dict) and message.get("type") == "bye":
            self._reason = "sleep" if message.get("reason") == "sleep" else "exit"
            self.close()
        else:
            self._host.receive(self._entry, message, size_bytes)

    async def _greet(self, hello: dict[str, Any], identity: NodeIdentity) -> None:
        try:
            entry = await self._host.welcome(self, identity)
            if self._transport is None:
                self._host.lost(entry, self, self._reason)
                return
            self._entry = entry
            # From here to the end without a pause: what the node gets next is newer.
            revision, probes = self._host.probes_for(identity)
            self.send(
                handshake.welcome(hello, token=self._host.token, revision=revision, probes=probes)
            )
            self._greeting = None
            self._transport.resume_reading()
            self.data_received(b"")
        except Exception:
            log.exception("greeting node %s failed", identity.id)
            self.abort()

    def _refuse(self, error: LinkError) -> None:
        log.warning("a link was refused: %s", error.line)
        self.send(handshake.refusal(error))
        self.close()

    def _too_late(self) -> None:
        self._refuse(
            LinkError(
                f"The peer said no hello within {self._limits.handshake_timeout_s:g} s.",
                slug="link-refused",
            )
        )

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
