"""How agents use the daemon: their calls of tools, and the agents themselves.

Kept in memory, since the daemon began.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: Calls that are told one by one.
RECENT_CALLS = 20
#: A client that is silent for so many seconds is gone.
CLIENT_TIMEOUT_S = 30.0
_MAX_CLIENTS = 1000

#: Tools that say what can be observed at a line, and those that begin to observe.
_LOOKING = frozenset({"inspect_file"})
_OBSERVING = frozenset({"add_metric"})
#: These look for themselves.
_KNOWING = frozenset({"observe", "enable_from_diff"})


class Usage:
    """Counts of tool calls. A *workflow* is right that looks at a file before it observes there."""

    def __init__(self) -> None:
        self._calls = 0
        self._errors: Counter[str] = Counter()
        self._total_s = 0.0
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_CALLS)
        self._have_looked: set[str] = set()
        self._workflows: Counter[str] = Counter()

    def note(
        self,
        tool: str,
        *,
        duration_s: float,
        error: str = "",
        client: str = "",
        is_connected: bool = True,
    ) -> None:
        """Count a call.

        Args:
            tool: Its name.
            duration_s: How long it took.
            error: The slug of its error; ``""`` if it went well.
            client: Who called, as far as that is known.
            is_connected: Whether there was anything to observe.
        """
        self._calls += 1
        self._total_s += duration_s
        if error:
            self._errors[error] += 1
        self._recent.append(
            {"tool": tool, "at_s": time.time(), "duration_s": duration_s, "error": error}
        )
        if tool in _LOOKING and len(self._have_looked) < _MAX_CLIENTS:
            self._have_looked.add(client)
        elif tool in _OBSERVING or tool in _KNOWING:
            self._workflows[self._workflow(tool, client, is_connected=is_connected)] += 1

    def _workflow(self, tool: str, client: str, *, is_connected: bool) -> str:
        if not is_connected:
            return "no_connection"
        return "correct" if tool in _KNOWING or client in self._have_looked else "skipped_inspect"

    def view(self) -> dict[str, Any]:
        """The counts; a rate of nothing is 0."""
        failed = self._errors.total()
        workflows = self._workflows.total()
        return {
            "calls": self._calls,
            "succeeded": self._calls - failed,
            "failed": failed,
            "success_rate": (self._calls - failed) / self._calls if self._calls else 0.0,
            "mean_s": self._total_s / self._calls if self._calls else 0.0,
            "errors": self._errors.most_common(10),
            "recent": list(self._recent),
            "correct": self._workflows["correct"],
            "skipped_inspect": self._workflows["skipped_inspect"],
            "no_connection": self._workflows["no_connection"],
            "adherence": self._workflows["correct"] / workflows if workflows else 0.0,
        }


class AgentClient:
    """An agent's client. ``bridge_pid`` and the parent's say who started it; 0 and ``""`` if unknown."""

    def __init__(self, client_id: str, now_s: float) -> None:
        self.id = client_id
        self.connected_at_s = now_s
        self.last_seen_at_s = now_s
        self.parent_pid = 0
        self.parent_name = ""
        self.bridge_pid = 0


class AgentClients:
    """Who is there; a client that says nothing for 30 s is gone.

    Args:
        clock: Unix time.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._clients: dict[str, AgentClient] = {}

    def seen(
        self, client_id: str, *, parent_pid: int = 0, parent_name: str = "", bridge_pid: int = 0
    ) -> AgentClient:
        """A client has spoken."""
        now_s = self._clock()
        self._prune(now_s)
        client = self._clients.pop(client_id, None) or AgentClient(client_id, now_s)
        client.last_seen_at_s = now_s
        client.parent_pid = parent_pid or client.parent_pid
        client.parent_name = parent_name or client.parent_name
        client.bridge_pid = bridge_pid or client.bridge_pid
        # Last in order: if there are too many, those that were silent longest go.
        self._clients[client_id] = client
        while len(self._clients) > _MAX_CLIENTS:
            del self._clients[next(iter(self._clients))]
        return client

    def forget(self, client_id: str) -> bool:
        """A client has said goodbye; whether it was there."""
        return self._clients.pop(client_id, None) is not None

    def all(self) -> list[AgentClient]:
        self._prune(self._clock())
        return list(self._clients.values())

    def _prune(self, now_s: float) -> None:
        for client in list(self._clients.values()):
            if now_s - client.last_seen_at_s > CLIENT_TIMEOUT_S:
                del self._clients[client.id]
