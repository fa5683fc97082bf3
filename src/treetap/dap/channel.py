"""The connection to one adapter: requests with their answers, and its events. Bounded and timed.

Whatever the adapter sends or fails to send, nothing here waits without a limit, and the end of the
connection is the end of every request that still waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Any

from treetap.dap import message as frames
from treetap.dap.message import Message
from treetap.errors import DapError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

#: Requests without an answer; more are a fault of ours, or of an adapter that never answers.
_MAX_PENDING = 1000
#: A peer that vanished without a word is noticed after 10 + 3 × 5 seconds.
_KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class Channel:
    """One connection.

    Args:
        host: A name, an IPv4 or IPv6 address, in brackets or not.
        port: From 1.
    """

    def __init__(self, host: str, port: int) -> None:
        host = host.strip().removeprefix("[").removesuffix("]")
        self.address = host, port
        #: For messages to people.
        self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._on_event: Callable[[Message], None] = _ignore
        self._on_end: Callable[[str], None] = _ignore
        self._pending: dict[int, tuple[str, asyncio.Future[Message]]] = {}
        self._next_seq = 1
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._over: DapError | None = None

    async def open(
        self, on_event: Callable[[Message], None], on_end: Callable[[str], None]
    ) -> None:
        """Connect, to any of the addresses that the name has.

        Args:
            on_event: Called with each event, in order; it must not block, nor raise.
            on_end: Called once, with the reason, when the connection is over.

        Raises:
            DapError: Nobody listens there, or there is no such host (slug ``dap-unreachable``).
        """
        self._on_event, self._on_end = on_event, on_end
        try:
            reader, self._writer = await asyncio.open_connection(
                *self.address, limit=2**20, happy_eyeballs_delay=0.25
            )
        except (OSError, UnicodeError, OverflowError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            raise DapError(
                f"No debug adapter can be reached at {self.peer}: {reason}.",
                "See that the program runs and its adapter listens there: ss -ltnp.",
                slug="dap-unreachable",
            ) from exc
        _keep_alive(self._writer.get_extra_info("socket"))
        self._reading = asyncio.create_task(self._read(reader), name=f"dap {self.peer}")

    @property
    def is_open(self) -> bool:
        return self._writer is not None and self._over is None

    def post(
        self, command: str, arguments: dict[str, Any] | None = None
    ) -> asyncio.Future[Message]:
        """Send a request; the future has its answer, also one of failure.

        Raises:
            DapError: The connection is over, or far too much waits for an answer already.
        """
        if self._over is not None:
            raise self._over
        assert self._writer is not None, "open() comes first"
        if len(self._pending) >= _MAX_PENDING:
            raise self._end(f"it left {_MAX_PENDING} requests without an answer", "dap-slow")
        seq, self._next_seq = self._next_seq, self._next_seq + 1
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        # Whoever posts and doesn't wait is not told off for it.
        answer.add_done_callback(_retrieve)
        self._pending[seq] = command, answer
        asked: dict[str, Any] = {"seq": seq, "type": "request", "command": command}
        if arguments is not None:
            asked["arguments"] = arguments
        self._writer.write(frames.pack(asked))
        return answer

    async def request(
        self, command: str, arguments: dict[str, Any] | None = None, *, timeout_s: float
    ) -> Message:
        """Ask, and wait for the answer.

        Raises:
            DapError: It refused (slug ``dap-refused``), didn't answer in time (``dap-slow``), or is
                gone (``dap-ended``).
        """
        answer = self.post(command, arguments)
        try:
            async with asyncio.timeout(timeout_s):
                found = await answer
        except TimeoutError:
            raise self.slow(command, timeout_s) from None
        if not found.success:
            raise self.refused(command, found.complaint)
        return found

    def slow(self, command: str, timeout_s: float) -> DapError:
        return DapError(
            f"The adapter at {self.peer} didn't answer {command!r} within {timeout_s:g} s.",
            "The program may be stopped or very busy, or what listens there is no debug adapter.",
            slug="dap-slow",
        )

    def refused(self, command: str, complaint: str) -> DapError:
        return DapError(
            f"The adapter at {self.peer} refused {command!r}: {complaint.strip()[:500]}",
            "The adapter's own documentation says what it takes.",
            slug="dap-refused",
        )

    async def settle(self, timeout_s: float) -> None:
        """Wait until nothing waits for an answer, or the time is over. Never raises.

        To be called before one disconnects: an answer that debugpy's adapter has for a client that
        has left ends its connection to the program, for all clients to come (seen with 1.8.22).
        """
        waiting = [answer for _, answer in self._pending.values()]
        if waiting and self.is_open:
            await asyncio.wait(waiting, timeout=timeout_s)

    async def close(self) -> None:
        """End the connection. Whoever waits for an answer gets ``dap-ended``. Never raises."""
        self._end("it was closed from here", "dap-ended")
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()
            await asyncio.wait([self._reading])
        if self._writer is not None:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                async with asyncio.timeout(2.0):
                    await self._writer.wait_closed()

    # -- inside -------------------------------------------------------------------------------

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                header = await reader.readuntil(b"\r\n\r\n")
                if len(header) > frames.MAX_HEADER_BYTES:
                    raise frames.foreign("It sends a header without an end.")
                body = await reader.readexactly(frames.body_bytes(header[:-4]))
                self._take(frames.unpack(body))
        except asyncio.IncompleteReadError:
            self._end("it closed the connection", "dap-ended")
        except asyncio.LimitOverrunError:
            self._end("it sends what no adapter sends", "dap-not-an-adapter")
        except OSError as exc:
            self._end(exc.strerror or type(exc).__name__, "dap-ended")
        except DapError as exc:
            self._end(exc.line, exc.slug)

    def _take(self, message: Message) -> None:
        if message.type == "response":
            _, answer = self._pending.pop(message.request_seq, (None, None))
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif message.type == "event":
            self._on_event(message)
        elif message.type == "request" and self._writer is not None:
            # An adapter may ask us to open a terminal or a debug session: nothing that we do.
            self._writer.write(
                frames.pack(
                    {
                        "seq": self._next_seq,
                        "type": "response",
                        "request_seq": message.seq,
                        "command": message.command,
                        "success": False,
                        "message": "not supported",
                    }
                )
            )
            self._next_seq += 1

    def _end(self, reason: str, slug: str) -> DapError:
        """The connection is over, for this reason unless it was over before."""
        if self._over is None:
            self._over = DapError(
                f"The debug adapter at {self.peer} is gone: {reason}.",
                "See that the program still runs, then attach again.",
                slug=slug,
            )
            if self._writer is not None:
                self._writer.close()
            waiting, self._pending = self._pending, {}
            for _, answer in waiting.values():
                if not answer.done():
                    answer.set_exception(self._over)
            self._on_end(reason)
        return self._over


def _ignore(_about: object) -> None:
    pass


def _retrieve(answer: asyncio.Future[Message]) -> None:
    if not answer.cancelled():
        answer.exception()


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        option = getattr(socket, name, None)
        if option is not None:  # macOS has not all of them
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
