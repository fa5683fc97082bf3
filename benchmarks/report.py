"""The table for people, and the file for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.sample import Claim, Sample


def show(claims: Sequence[Claim], machine: dict[str, Any], console: Console | None = None) -> None:
    table = Table(
        title=f"treetap on CPython {machine['python']}, {machine['date']}",
        caption=(
            f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, "
            f"load {machine['load']}; medians [quartiles]"
        ),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("claim")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    table.add_column("note", overflow="fold")
    group = ""
    for claim in claims:
        if claim.group != group:
            table.add_section()
            group = claim.group
        table.add_row(
            claim.name,
            f"{_number(claim.value, claim.unit)}",
            _target(claim),
            {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[claim.is_met],
            claim.note,
        )
    console = console or Console()
    if not console.is_terminal:
        console.width = 140
    console.print(table)


def write(claims: Sequence[Claim], machine: dict[str, Any], path: Path) -> None:
    """Write all of it as JSON; a file that is there is replaced in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {"machine": machine, "claims": [claim.to_dict() for claim in claims]}, indent=1
    )
    draft = path.with_suffix(".tmp")
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(path)


def _number(value: Sample | None, unit: str) -> str:
    if value is None:
        return "-"
    digits = 2 if unit in ("x", "ms", "MB", "%") and value.median < 100 else 0
    text = f"{value.median:,.{digits}f} {unit}"
    if value.rounds > 1:
        text += f" [{value.low:,.{digits}f}..{value.high:,.{digits}f}]"
    return text


def _target(claim: Claim) -> str:
    if claim.at_most is not None:
        return f"≤ {claim.at_most:,g} {claim.unit}"
    if claim.at_least is not None:
        return f"≥ {claim.at_least:,g} {claim.unit}"
    return ""
