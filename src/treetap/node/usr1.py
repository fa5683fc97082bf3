"""SIGUSR1: whoever sends it to a process of a tree gets a dump of the whole tree on its standard error.

The handler is ``faulthandler``'s, which is C: it runs whatever the main thread does, and writes a
few lines to the bell of the control plane, whose thread reads that as a ring. A handler of Python's would
wait for a main thread that is in C code, and would show in what the program finds.

There is one handler a process. A program that has a use of its own for the signal keeps it: a handler that
it had is called as well, and one that it sets later, also by ``faulthandler``, takes the place of this one,
in the children that it forks too.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # signal takes 2 ms, for its enums
import _weakref
import faulthandler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.node.core import Node

#: 0 where there is no such signal.
_NUMBER: int = getattr(_signal, "SIGUSR1", 0)


class _File:
    """What ``faulthandler`` is given to write to. Nobody else holds on to it: it lives while it is used."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def flush(self) -> None:
        pass


class _Slot:
    """The process's handler, and the node whose bell it rings."""

    def __init__(self) -> None:
        self.node: Node | None = None
        self.former: Any = None
        self._file: Callable[[], _File | None] = lambda: None

    def register(self, descriptor: int, *, is_chained: bool) -> None:
        file = _File(descriptor)
        faulthandler.register(_NUMBER, file=file, all_threads=False, chain=is_chained)
        self._file = _weakref.ref(file)

    def is_ours(self) -> bool:
        """Whether ``faulthandler`` does for the signal what we have asked it to, and nobody since."""
        return self._file() is not None


_slot = _Slot()


def follow(node: Node, descriptor: int) -> None:
    """Have the signal ring ``node``'s bell, unless it rings another one's, or is taken by C code."""
    if _slot.node not in (None, node) or not _NUMBER:
        return
    if _slot.node is None:
        _slot.former = _signal.getsignal(_NUMBER)
        if _slot.former == _signal.SIG_DFL and _is_caught():
            return
    elif not _slot.is_ours():
        return  # in a child, whose parent has set another one
    _slot.node = node
    # The default would end the process.
    _slot.register(descriptor, is_chained=_slot.former not in (_signal.SIG_DFL, None))


def forget(node: Node) -> None:
    """The opposite of ``follow``; idempotent."""
    if _slot.node is not node:
        return
    _slot.node = None
    if _slot.is_ours():
        _unregister()
    _slot.former = None


def _unregister() -> None:
    now = _signal.getsignal(_NUMBER)
    faulthandler.unregister(_NUMBER)
    if now != _slot.former and now is not None:
        # The program has set another one since; that stays.
        try:
            _signal.signal(_NUMBER, now)
        except ValueError:
            pass  # only the main thread may


def _is_caught() -> bool:
    """Whether there is a handler that Python doesn't know of."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"SigCgt:"):
                    return bool(int(line.split()[1], 16) >> (_NUMBER - 1) & 1)
    except OSError:
        pass
    return False
