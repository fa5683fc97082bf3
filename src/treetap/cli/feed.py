"""How an event looks as one line: the same for ``tail``, ``events`` and ``demo``.

Columns grow with what they have shown: a live feed has no last row to measure.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from treetap.cli import screen
from treetap.model import captured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

_MAX_NODE_CHARS = 28
_MAX_PROBE_CHARS = 44
_MAX_VALUE_CHARS = 120
_NODE_STYLES = ("cyan", "magenta", "green", "yellow", "blue", "bright_red")


class EventLines:
    """Makes lines of events; remembers how wide its columns are, and each process's colour.

    Args:
        is_cut: Long names and values are; not where another program reads them.
    """

    def __init__(self, *, is_cut: bool) -> None:
        limits = (_MAX_NODE_CHARS, _MAX_PROBE_CHARS, _MAX_VALUE_CHARS)
        self._max_node, self._max_probe, self._max_value = limits if is_cut else (sys.maxsize,) * 3
        self._node_chars = 0
        self._probe_chars = 0
        self._style_of: dict[str, str] = {}

    def line(self, event: Mapping[str, Any]) -> Text:
        """One line of a ``hit`` or a ``loss``."""
        from rich.text import Text

        node = _cut(f"{event.get('name') or '?'}[{event.get('pid') or '?'}]", self._max_node)
        probe = _cut(probe_text(event), self._max_probe)
        self._node_chars = max(self._node_chars, len(node))
        self._probe_chars = max(self._probe_chars, len(probe))
        text = Text(no_wrap=True, end="")
        text.append(f"{time_text(event.get('time_ns') or 0)}  ", style="dim")
        text.append(f"{node:<{self._node_chars}}  ", style=self._node_style(str(event.get("node"))))
        text.append(f"{probe:<{self._probe_chars}}  ", style="bold")
        if event.get("kind") == "loss":
            text.append(f"lost {event.get('lost')} values", style="bold red")
        else:
            _append_values(text, event.get("values") or {}, self._max_value)
        return text

    def _node_style(self, node: str) -> str:
        if node not in self._style_of:
            self._style_of[node] = _NODE_STYLES[len(self._style_of) % len(_NODE_STYLES)]
        return self._style_of[node]


def probe_text(event: Mapping[str, Any]) -> str:
    """The probe's name, or its id and place."""
    name = event.get("probe_name")
    if name:
        return str(name)
    place = str(event.get("location") or "")
    _module, colon, rest = place.rpartition(":")
    if colon and rest and not rest.isdigit() and rest[0] not in "\"'":
        place = ".".join(rest.split(".")[-2:])  # Class.method says enough in a feed
    return f"{event.get('probe')} {place}".rstrip()


def time_text(time_ns: int) -> str:
    """Local time of day, to the millisecond."""
    return datetime.fromtimestamp(time_ns / 1e9).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _append_values(text: Text, values: Mapping[str, Any], max_chars: int) -> None:
    for index, (expression, value) in enumerate(values.items()):
        if index:
            text.append("  ")
        text.append(screen.plain(expression), style="blue")
        text.append("=")
        text.append(screen.plain(captured.render(value, max_chars)), style=_value_style(value))


def _value_style(value: Any) -> str:
    if isinstance(value, dict):
        return "red" if value.get(captured.KIND) in ("error", "not-captured") else ""
    return "green" if isinstance(value, str) else "cyan"


def _cut(text: str, max_chars: int) -> str:
    shown = screen.plain(text)
    return shown if len(shown) <= max_chars else shown[: max_chars - 1] + "…"
