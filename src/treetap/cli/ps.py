"""``treetap ps``: the trees of this machine, drawn as trees."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import live, prompts, screen, session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treetap.debug.standing import Standing
    from treetap.node.registry import LiveNode

EPILOG = """\b
Examples:
  treetap ps
  treetap ps --json | jq -r 'select(.state == "awake").pid'
"""

_HEADERS = ("NODE", "PID>", "STATE", "AGE>", "PROBES>", "PROGRAM")
#: Only while somebody holds the terminal, or waits for it.
_TERMINAL_HEADER = "TERMINAL"
_MAX_PROGRAM_CHARS = 60
_LEAST_PROGRAM_CHARS = 12
#: Left out on a screen that is too narrow, the first first; the names and pids stay.
_DISPENSABLE = ("PROGRAM", "PROBES>", "AGE>", "STATE")
#: Of what a process does with the terminal, below its row.
_INDENT = " " * 5


def ps(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a node and line.")
    ] = False,
) -> None:
    """Show trees, processes, states, probes and prompts; needs no daemon.

    Each live node is asked at its control plane. The probes are those armed in it. While somebody is at a prompt, a
    column says who is, for how long, and who waits at which place; on a narrow screen a line below the process does.
    """
    settings = session.settings()
    nodes = live.live_nodes(settings)
    states = live.states(settings, nodes)
    standings = prompts.by_pid(settings)
    if as_json:
        for node in nodes:
            identity = node.identity.to_dict()
            terminal = prompts.to_list(standings.get(node.identity.pid, []))
            control = {"control": node.control_url, "terminal": terminal}
            screen.print_json({**identity, **control, **states[node.identity.id]})
        return
    strangers = set(standings) - {node.identity.pid for node in nodes}
    if not nodes and not strangers:
        screen.complain("No live node. Start one: treetap run -- COMMAND.")
        return
    rows = [*_rows(nodes, states), *(_stranger(standings[pid]) for pid in sorted(strangers))]
    texts = {str(pid): prompts.text(found) for pid, found in standings.items()}
    screen.write_lines(_lines(rows, texts, screen.console().width))


def _lines(rows: list[tuple[Any, ...]], texts: dict[str, str], columns: int) -> Iterator[str]:
    """The table in so many columns: what a process does with the terminal and its program give way first.

    Args:
        rows: As the headers are.
        texts: By pid, what it does with the terminal.
        columns: Of the screen.
    """
    headers: tuple[str, ...] = _HEADERS
    notes = [texts.get(row[1], "") for row in rows]
    if texts:
        # The column stands before the program, whose text may be long.
        wide_headers = (*_HEADERS[:-1], _TERMINAL_HEADER, _HEADERS[-1])
        wide_rows = [(*row[:-1], note, row[-1]) for row, note in zip(rows, notes, strict=True)]
        if _least_width(wide_headers, wide_rows) <= columns:
            headers, rows, notes = wide_headers, wide_rows, []
    for header in _DISPENSABLE:
        if _least_width(headers, rows) <= columns:
            break
        index = headers.index(header)
        headers = headers[:index] + headers[index + 1 :]
        rows = [row[:index] + row[index + 1 :] for row in rows]
    if headers[-1] == _HEADERS[-1]:
        used = screen.table_width(headers, [(*row[:-1], "") for row in rows])
        room = columns - used + len(headers[-1])
        rows = [(*row[:-1], screen.shortened(row[-1], room)) for row in rows]
    first, *others = screen.table_lines(headers, rows)
    yield first
    for number, line in enumerate(others):
        yield line
        if notes:
            yield from _folded(notes[number], columns)


def _least_width(headers: tuple[str, ...], rows: list[tuple[Any, ...]]) -> int:
    """With the program cut short."""
    if headers[-1] == _HEADERS[-1]:
        rows = [(*row[:-1], screen.shortened(row[-1], _LEAST_PROGRAM_CHARS)) for row in rows]
    return screen.table_width(headers, rows)


def _folded(note: str, columns: int) -> list[str]:
    """Lines below a row, for what has no room in it."""
    return textwrap.wrap(
        screen.plain(note),
        max(columns, 2 * len(_INDENT)),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _stranger(standings: list[Standing]) -> tuple[Any, ...]:
    """The row of a process that pauses, and is no node."""
    one = standings[0]
    return (one.name, str(one.pid), "no node", "", "", _command_line(one.pid))


def _rows(nodes: list[LiveNode], states: dict[str, dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    trees: dict[str, list[LiveNode]] = {}
    for node in nodes:
        trees.setdefault(node.identity.tree, []).append(node)
    for tree, members in trees.items():
        ids = {node.identity.id for node in members}
        tops = [node for node in members if node.identity.parent not in ids]
        if len(tops) == 1 and tops[0].identity.id == tree:
            yield from _drawn(tops[0], members, states, "", "")
        else:
            yield _outside_root(tree)
            yield from _branches(tops, members, states, "")


def _drawn(
    node: LiveNode,
    members: list[LiveNode],
    states: dict[str, dict[str, Any]],
    lead: str,
    below: str,
) -> Iterator[tuple[Any, ...]]:
    identity = node.identity
    status = states[identity.id]
    yield (
        lead + identity.name,
        str(identity.pid),
        screen.state_text(str(status.get("state", "?"))),
        screen.age_text(identity.start_ns),
        str(armed_count(status)),
        identity.program[:_MAX_PROGRAM_CHARS],
    )
    children = [other for other in members if other.identity.parent == identity.id]
    yield from _branches(children, members, states, below)


def _branches(
    nodes: list[LiveNode], members: list[LiveNode], states: dict[str, dict[str, Any]], below: str
) -> Iterator[tuple[Any, ...]]:
    for node in nodes:
        is_last = node is nodes[-1]
        lead, deeper = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _drawn(node, members, states, below + lead, below + deeper)


def armed_count(status: dict[str, Any]) -> int:
    """How many probes are armed in a node, from its status."""
    return sum(1 for probe in status.get("probes") or () if probe.get("state") == "armed")


def _outside_root(tree: str) -> tuple[str, ...]:
    """The row of a root that is no node: not Python, or gone."""
    pid, _, start = tree.partition("-")
    program = _command_line(int(pid)) if pid.isdigit() else ""
    age = screen.age_text(int(start, 16)) if program and _is_hex(start) else ""
    return (f"tree {tree}", pid, "no node" if program else "gone", age, "", program)


def _command_line(pid: int) -> str:
    if not Path("/proc/self").exists():
        try:
            os.kill(pid, 0)
        except OSError:
            return ""
        return "?"
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()[:_MAX_PROGRAM_CHARS]


def _is_hex(text: str) -> bool:
    return bool(text) and all(digit in "0123456789abcdef" for digit in text)
