"""A process that the debuggee started, and that its adapter holds until somebody says what to do."""

from __future__ import annotations

from typing import NamedTuple


class Child(NamedTuple):
    """What ``on_child`` gets. It waits before its first line of code, so be quick.

    To observe it, ``attach(child.host, child.port, language, child_pid=child.pid, configure=…)``
    before ``on_child`` returns; one that nobody attached to by then is let go, and runs on free.
    """

    pid: int
    host: str
    port: int
    name: str = ""
