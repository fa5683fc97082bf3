"""One program behind one adapter: its logpoints, and what they see."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from treetap.dap.child import Child
    from treetap.dap.hit import Fault, Hit
    from treetap.dap.logpoint import Counts, Logpoint, Placed


class Listener(NamedTuple):
    """Who hears of what a session sees. All are called on the loop, and must not block.

    Attributes:
        on_hit: Of each hit.
        on_fault: Of what went wrong, told apart from the program's own output.
        on_placed: A logpoint of that file moved, or its code was loaded or is gone.
        on_child: See ``Child``; ``None`` lets every child go.
        on_end: Once, and last: why the session is over. Not called before ``attach`` returned.
    """

    on_hit: Callable[[Hit], None]
    on_fault: Callable[[Fault], None]
    on_placed: Callable[[str, Placed], None]
    on_child: Callable[[Child], Awaitable[None]] | None
    on_end: Callable[[str], None]


class Session:
    """An attached program. ``attach`` makes it; the program outlives it.

    Attributes:
        name: For logs.
        language: ``python``, ``go``, ``rust``, ``c``…
        pid: Of the program; 0 if the adapter doesn't tell.
        capabilities: What the adapter says that it can: ``supportsLogPoints``…
    """

    name: str
    language: str
    pid: int
    capabilities: frozenset[str]

    @property
    def is_alive(self) -> bool:
        raise NotImplementedError

    async def set_logpoints(self, file: str, points: Sequence[Logpoint]) -> list[Placed]:
        """Make ``points`` all the logpoints of ``file`` (an absolute path); none to clear it.

        A logpoint that is as before keeps its counts. One ``Placed`` each, in their order.

        Raises:
            DapError: The adapter refused (slug ``dap-refused``), or is gone (``dap-ended``).
        """
        raise NotImplementedError

    async def find_sources(self, suffix: str) -> list[str]:
        """Absolute paths of the loaded source files that end with these parts of a path.

        Empty also where the adapter can't tell: then the caller's own guess has to do.

        Raises:
            DapError: As of ``set_logpoints``.
        """
        raise NotImplementedError

    async def find_function(self, module: str, qualname: str) -> tuple[str, int] | None:
        """File, and first line with code in it, of a loaded Python function; ``None`` if unknown."""
        raise NotImplementedError

    async def counts(self) -> dict[str, Counts]:
        """How each logpoint fares, by its id.

        Raises:
            DapError: As of ``set_logpoints``.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Take the logpoints out and disconnect. The program runs on. Never raises."""
        raise NotImplementedError
