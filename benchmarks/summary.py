"""``python -m benchmarks.summary``: the results of all Pythons as one table, put into the README."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.worker import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
_ENGINE = re.compile(r" \((injecting|monitoring)[^)]*\)")


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n" + table() + "\n" + END + after, encoding="utf-8")


def table() -> str:
    """Markdown: a row a claim, a column a Python; what misses its target is bold."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    runs.sort(key=lambda run: [int(part) for part in run["machine"]["python"].split(".")])
    rows: dict[tuple[str, str], list[dict[str, Any] | None]] = {}
    for number, run in enumerate(runs):
        for claim in run["claims"]:
            key = claim["group"], _ENGINE.sub("", claim["name"])
            rows.setdefault(key, [None] * len(runs))[number] = claim
    groups = list(dict.fromkeys(group for group, _ in rows))
    lines = [
        "| claim | target | " + " | ".join(run["machine"]["python"] for run in runs) + " |",
        "|---|---|" + "--:|" * len(runs),
    ]
    for (_group, name), claims in sorted(rows.items(), key=lambda row: groups.index(row[0][0])):
        targets = dict.fromkeys(_target(claim) for claim in claims if claim)
        cells = [_cell(claim) for claim in claims]
        lines.append(f"| {name} | {' '.join(filter(None, targets))} | {' | '.join(cells)} |")
    machines = [
        f"{run['machine']['python']}: {run['machine']['date']}, load {run['machine']['load']}"
        for run in runs
    ]
    machine = runs[0]["machine"]
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}"
    return "\n".join([*lines, "", f"{where}. {'; '.join(machines)}.", ""])


def _cell(claim: dict[str, Any] | None) -> str:
    if not claim or not claim["value"]:
        return "–"
    text = _number(claim["value"]["median"], claim["unit"])
    return f"**{text}**" if claim["is_met"] is False else text


def _number(value: float, unit: str) -> str:
    digits = 2 if unit in ("x", "ms", "MB") and value < 100 else 0
    return f"{value:,.{digits}f} {'×' if unit == 'x' else unit}"


def _target(claim: dict[str, Any]) -> str:
    for sign, field in (("≤", "at_most"), ("≥", "at_least")):
        if claim[field] is not None:
            return f"{sign} {claim[field]:,g} {'×' if claim['unit'] == 'x' else claim['unit']}"
    return ""


if __name__ == "__main__":
    main()
