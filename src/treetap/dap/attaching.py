"""From a host and a port to a session."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from treetap.dap import opening
from treetap.dap.by_agent import ByAgent
from treetap.dap.by_stopping import ByStopping
from treetap.dap.channel import Channel
from treetap.dap.listener import Listener
from treetap.dap.session import Session
from treetap.errors import DapError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treetap.dap.child import Child
    from treetap.dap.hit import Fault, Hit
    from treetap.dap.logpoint import Placed
    from treetap.dap.message import Message
    from treetap.dap.session import Way

_LANGUAGES = ("python", "go", "rust", "c", "cpp")


async def attach(
    host: str,
    port: int,
    language: str,
    *,
    on_hit: Callable[[Hit], None],
    on_fault: Callable[[Fault], None],
    on_end: Callable[[str], None],
    on_placed: Callable[[str, Placed], None] | None = None,
    on_child: Callable[[Child], Awaitable[None]] | None = None,
    configure: Callable[[Session], Awaitable[None]] | None = None,
    name: str = "",
    pid: int = 0,
    program: str = "",
    child_pid: int = 0,
    timeout_s: float = 5.0,
    silent_s: float = 5.0,
) -> Session:
    """Connect to the adapter, and attach to the program behind it.

    Args:
        host: A name, an IPv4 or IPv6 address (brackets are taken off).
        port: Where the adapter listens.
        language: ``python``, ``go``, ``rust``, ``c``, ``cpp``; it chooses how to speak.
        on_hit: See ``Listener``, for this and the next four.
        on_fault: Likewise.
        on_end: Likewise.
        on_placed: Likewise.
        on_child: Likewise.
        configure: Sets the first logpoints: a program that waits for a debugger, and a child, run
            on only when it returned.
        name: For logs.
        pid: For an adapter that wants to be told whom to attach to (lldb-dap, ``dlv dap``).
        program: Its file, where such an adapter wants that.
        child_pid: Attach to this child (``Child``) and not to the main program.
        timeout_s: For all of it.
        silent_s: A program that doesn't answer for so long is stopped, or holds its GIL.

    Raises:
        DapError: With slug ``dap-unreachable`` (refused, no such host), ``dap-slow`` (too late),
            ``dap-not-an-adapter`` (it doesn't speak DAP), ``dap-busy`` (another debugger has it),
            ``dap-refused`` (the adapter said no), ``dap-ended`` (it hung up), ``dap-language``.
    """
    listener = Listener(on_hit, on_fault, on_placed or _ignore, on_child, on_end).guarded()
    channel = Channel(host, port)
    way = _way(channel, listener, language, silent_s, pid, program)
    session = Session(channel, way, listener, name=name, language=language)
    try:
        async with asyncio.timeout(timeout_s):
            await channel.open(session.hear, session.ended)
            session.capabilities = await opening.initialize(channel, session.language, timeout_s)
            await _start(channel, session, way, configure, child_pid, timeout_s)
    except BaseException as exc:
        await _give_up(channel, session, way)
        if isinstance(exc, TimeoutError):
            raise channel.slow("attach", timeout_s) from None
        raise
    session.attached()
    return session


async def _give_up(channel: Channel, session: Session, way: Way) -> None:
    way.stop()
    await channel.settle(_GIVE_UP_S)
    if session.initialized.is_set():
        # Attached, and not begun: delve would leave the program stopped when we are gone.
        for command, arguments in (
            ("configurationDone", None),
            ("disconnect", {"terminateDebuggee": False}),
        ):
            with contextlib.suppress(DapError):
                await channel.request(command, arguments, timeout_s=_GIVE_UP_S)
    # An adapter takes a connection that breaks for a client that has left.
    await channel.close()


#: ``dlv --continue`` lets the program go a moment *after* it began to listen. Who attaches in that
#: moment shares the program with that late command, and delve never answers again.
_DELVE_SETTLES_S = 0.3
_GIVE_UP_S = 0.5


async def _start(
    channel: Channel,
    session: Session,
    way: Way,
    configure: Callable[[Session], Awaitable[None]] | None,
    child_pid: int,
    timeout_s: float,
) -> None:
    """The part between *attach* and its answer, which comes last: see the protocol's overview."""
    if session.language == "go":
        await asyncio.sleep(_DELVE_SETTLES_S)
    ready = asyncio.ensure_future(session.initialized.wait())
    try:
        for arguments in way.attach_arguments(child_pid):
            attached = channel.post("attach", arguments)
            first: list[asyncio.Future[Any]] = [attached, ready]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not attached.done() or attached.result().success:
                break
        if attached.done():
            _require(channel, attached.result())
            await ready
        await way.begin()
        if configure is not None:
            await configure(session)
        if "supportsConfigurationDoneRequest" in session.capabilities:
            await channel.request("configurationDone", timeout_s=timeout_s)
        _require(channel, await attached)
    finally:
        ready.cancel()


def _require(channel: Channel, answer: Message) -> None:
    """Raises ``DapError`` if the answer to *attach* is no."""
    if answer.success:
        return
    if "already being debugged" in answer.complaint:
        raise DapError(
            f"Another debugger is attached to the program at {channel.peer}.",
            "An adapter serves one at a time. End the other session (an editor's?), then try again.",
            slug="dap-busy",
        )
    raise channel.refused("attach", answer.complaint)


def _way(
    channel: Channel, listener: Listener, language: str, silent_s: float, pid: int, program: str
) -> Way:
    if language == "python":
        return ByAgent(channel, listener, silent_s)
    if language in _LANGUAGES:
        return ByStopping(channel, listener, language, pid, program)
    raise DapError(
        f"{language!r} is no language that can be observed through a debug adapter.",
        f"Use one of {', '.join(_LANGUAGES)}.",
        slug="dap-language",
    )


def _ignore(*_about: Any) -> None:
    pass
