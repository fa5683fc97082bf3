"""What a process executes while it is in the prompt's process group: that belongs to the program's.

Otherwise it would be hit by the ctrl-c that is meant for the prompt, and by none of the later ones. A
forked child goes home by itself (``session``); one that is executed runs nothing of ours, but can be
told by ``fork_exec`` which group to enter. That is wrapped, where ``subprocess`` and
``multiprocessing`` call it, for as long as somebody holds.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from treetap.debug import kinship

if TYPE_CHECKING:
    from collections.abc import Callable

#: Of the arguments of ``_posixsubprocess.fork_exec``.
_NEW_SESSION, _GROUP = 15, 16


class Parent(Protocol):
    """Who holds."""

    def group_of_children(self) -> int:
        """That a program is to be in which is executed now; 0 for the caller's own."""

    def visit_home(self) -> bool:
        """Go back to that group, if it would have no members; whether ``come_back`` is due."""

    def come_back(self) -> None:
        """From there."""


class Offspring:
    """The process's wrapper, while it is needed."""

    def __init__(self) -> None:
        self._parent: Parent | None = None
        self._former: list[tuple[Any, str, Any]] = []

    def enter(self, parent: Parent) -> None:
        self._parent = parent
        posix = sys.modules.get("_posixsubprocess")
        subprocess: Any = sys.modules.get("subprocess")
        if posix is None or self._former:
            return
        self._set(posix, "fork_exec", self._wrapped(posix.fork_exec))
        if hasattr(subprocess, "_fork_exec"):
            self._set(subprocess, "_fork_exec", self._wrapped(subprocess._fork_exec))
        if hasattr(subprocess, "_USE_POSIX_SPAWN"):
            self._set(subprocess, "_USE_POSIX_SPAWN", False)  # it can't be told, this way

    def leave(self) -> None:
        self._parent = None
        former, self._former = self._former, []
        for module, name, value in former:
            setattr(module, name, value)

    def _set(self, module: Any, name: str, value: Any) -> None:
        self._former.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    def _wrapped(self, fork_exec: Callable[..., int]) -> Callable[..., int]:
        def execute(*arguments: Any) -> int:
            group = self._group_of(arguments)
            parent = self._parent
            if parent is None or not group:
                return fork_exec(*arguments)
            is_visit = parent.visit_home()
            try:
                if is_visit or kinship.is_group_there(group):
                    arguments = (*arguments[:_GROUP], group, *arguments[_GROUP + 1 :])
                return fork_exec(*arguments)
            finally:
                if is_visit:
                    parent.come_back()

        return execute

    def _group_of(self, arguments: tuple[Any, ...]) -> int:
        """That the program is to be put into; 0 if it has its own, or asks for one."""
        if self._parent is None or len(arguments) <= _GROUP or arguments[_NEW_SESSION]:
            return 0
        return self._parent.group_of_children() if arguments[_GROUP] == -1 else 0


offspring = Offspring()
