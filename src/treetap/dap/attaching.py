"""From a host and a port to a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treetap.dap.child import Child
    from treetap.dap.hit import Fault, Hit
    from treetap.dap.logpoint import Placed
    from treetap.dap.session import Session


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

    Raises:
        DapError: With slug ``dap-unreachable`` (refused, no such host), ``dap-slow`` (too late),
            ``dap-not-an-adapter`` (it doesn't speak DAP), ``dap-busy`` (another debugger has
            the program), ``dap-refused`` (the adapter said no), ``dap-language``.
    """
    raise NotImplementedError
