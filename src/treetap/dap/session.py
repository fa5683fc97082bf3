"""One program behind one adapter: its logpoints, and what they see."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from treetap.dap.child import Child
from treetap.dap.hit import Fault
from treetap.dap.inside.turn import hit_condition
from treetap.dap.message import Message
from treetap.errors import DapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treetap.dap.channel import Channel
    from treetap.dap.listener import Listener
    from treetap.dap.logpoint import Counts, Logpoint, Placed

#: A child waits meanwhile.
_CHILD_S = 10.0
_DISCONNECT_S = 2.0
#: debugpy's adapter answers *disconnect* before the session is over there; a client that comes in the few
#: milliseconds between locks it up for good (1.8.22, once in some fifty times).
_ENDING_S = 0.1


class Way(Protocol):
    """How values are taken; one for each kind of adapter (``by_agent``, ``by_stopping``)."""

    is_answering: bool

    def attach_arguments(self, child_pid: int) -> list[dict[str, Any]]:
        """Of *attach*: what to try, one after the other, until the adapter takes one."""
        ...

    async def begin(self) -> None: ...
    async def set_logpoints(self, file: str, points: Sequence[Logpoint]) -> list[Placed]: ...
    async def counts(self) -> dict[str, Counts]: ...
    async def find_sources(self, suffix: str) -> list[str]: ...
    async def find_function(self, module: str, qualname: str) -> tuple[str, int] | None: ...
    def hear(self, event: Message) -> None: ...
    async def leave(self) -> None: ...
    def stop(self) -> None: ...


class Session:
    """An attached program. ``attach`` makes it; the program outlives it.

    Attributes:
        name: For logs.
        language: ``python``, ``go``, ``rust``, ``c``…
        pid: Of the program; 0 if the adapter doesn't tell.
        capabilities: What the adapter says that it can: ``supportsLogPoints``…
    """

    def __init__(
        self, channel: Channel, way: Way, listener: Listener, *, name: str, language: str
    ) -> None:
        self.name = name
        self.language = language
        self.pid = 0
        self.capabilities: frozenset[str] = frozenset()
        self.initialized = asyncio.Event()
        self._channel = channel
        self._way = way
        self._listener = listener
        self._setting = asyncio.Lock()
        self._children: set[asyncio.Task[None]] = set()
        self._end_reason = ""
        self._is_told = False
        self._tells = False

    @property
    def is_alive(self) -> bool:
        """Whether it is attached."""
        return self._channel.is_open and not self._end_reason

    @property
    def is_answering(self) -> bool:
        """Whether the program answered when it was asked last; one that is stopped does not."""
        return self.is_alive and self._way.is_answering

    async def set_logpoints(self, file: str, points: Sequence[Logpoint]) -> list[Placed]:
        """Make ``points`` all the logpoints of ``file`` (an absolute path); none to clear it.

        A logpoint that is as before keeps its counts. One ``Placed`` each, in their order.

        Raises:
            DapError: The adapter refused (slug ``dap-refused``), is gone (``dap-ended``), or a
                logpoint makes no sense (``dap-logpoint``).
        """
        for point in points:
            try:
                hit_condition(point.hit_condition)
            except ValueError as exc:
                raise DapError(
                    f"Logpoint {point.id} can't be set: {exc}.", slug="dap-logpoint"
                ) from exc
        async with self._setting:
            return await self._way.set_logpoints(file, points)

    async def find_sources(self, suffix: str) -> list[str]:
        """Absolute paths of the loaded source files that end with these parts of a path.

        Empty also where the adapter can't tell: then the caller's own guess has to do.

        Raises:
            DapError: As of ``set_logpoints``.
        """
        return await self._way.find_sources(suffix)

    async def find_function(self, module: str, qualname: str) -> tuple[str, int] | None:
        """File, and first line with code in it, of a loaded Python function; ``None`` if unknown.

        Raises:
            DapError: As of ``set_logpoints``.
        """
        return await self._way.find_function(module, qualname)

    async def counts(self) -> dict[str, Counts]:
        """How each logpoint fares, by its id.

        Raises:
            DapError: As of ``set_logpoints``.
        """
        return await self._way.counts()

    async def close(self) -> None:
        """Take the logpoints out and disconnect. The program runs on. Never raises."""
        self._end_reason = self._end_reason or "closed"
        if self._channel.is_open:
            await self._way.leave()
            await self._channel.settle(_DISCONNECT_S)
            with contextlib.suppress(DapError):
                await self._channel.request(
                    "disconnect", {"terminateDebuggee": False}, timeout_s=_DISCONNECT_S
                )
            await asyncio.sleep(_ENDING_S)
        for task in self._children:
            task.cancel()
        self._way.stop()
        await self._channel.close()
        self._tell_end()

    # -- attach() and the channel call these --------------------------------------------------

    def attached(self) -> None:
        """``attach`` returns it now: from here on its end is told."""
        self._tells = True
        self._tell_end()

    def hear(self, event: Message) -> None:
        match event.event:
            case "initialized":
                self.initialized.set()
            case "process":
                pid = event.field("systemProcessId", 0)
                self.pid = pid if isinstance(pid, int) else 0
            case "debugpyAttach":
                self._meet(event)
            case "exited":
                self._end_reason = self._end_reason or f"exited ({event.field('exitCode')})"
            case "terminated":
                self.ended("the program is gone, or was taken by another debugger")
            case _:
                self._way.hear(event)

    def ended(self, reason: str) -> None:
        """It is over, from the other side."""
        self._end_reason = self._end_reason or reason
        self._way.stop()
        self._tell_end()

    # -- inside -------------------------------------------------------------------------------

    def _tell_end(self) -> None:
        if self._tells and self._end_reason and not self._is_told:
            self._is_told = True
            self._listener.on_end(self._end_reason)

    def _meet(self, event: Message) -> None:
        pid = event.field("subProcessId", 0)
        if not isinstance(pid, int) or pid <= 0:
            return
        host, port = self._channel.address
        child = Child(pid, host, port, str(event.field("name", "")))
        task = asyncio.create_task(self._see_to(child), name=f"dap child {pid}")
        self._children.add(task)
        task.add_done_callback(self._children.discard)

    async def _see_to(self, child: Child) -> None:
        """Have it attached, or let it go: it waits for one of them."""
        try:
            if self._listener.on_child is not None:
                async with asyncio.timeout(_CHILD_S):
                    await self._listener.on_child(child)
        except Exception as exc:  # noqa: BLE001 - of whoever listens; the child must not pay for it
            text = exc.line if isinstance(exc, DapError) else f"{type(exc).__name__}: {exc}"
            self._listener.on_fault(Fault("", "child", f"Process {child.pid}: {text}"))
        finally:
            try:
                await child.let_go(_CHILD_S)
            except DapError as exc:
                self._listener.on_fault(Fault("", "child", f"Process {child.pid}: {exc.line}"))
