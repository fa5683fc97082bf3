"""Who hears of what a session sees."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treetap.dap.child import Child
    from treetap.dap.hit import Fault, Hit
    from treetap.dap.logpoint import Placed

log = logging.getLogger(__name__)


class Listener(NamedTuple):
    """All are called on the loop, and must not block. What they raise is logged, and goes no further.

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

    def guarded(self) -> Listener:
        return self._replace(
            on_hit=_guarded(self.on_hit),
            on_fault=_guarded(self.on_fault),
            on_placed=_guarded(self.on_placed),
            on_end=_guarded(self.on_end),
        )


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    def call(*about: Any) -> None:
        try:
            callback(*about)
        except Exception:
            log.exception("who listens to a debug session failed")

    return call
