"""The code blocks of our own pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
RUNS = "<!-- runs -->"


class Block(NamedTuple):
    """A code block, fenced or indented.

    Attributes:
        page: Path of its page, from the repository's root.
        line: Of its first line of code.
        language: Of a fenced block; ``""`` if none is named, and for an indented one.
        text: The code.
        runs: The page says that it is to be run.
    """

    page: str
    line: int
    language: str
    text: str
    runs: bool


def pages() -> list[Path]:
    named = [REPOSITORY / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")]
    found = [
        *named,
        *sorted((REPOSITORY / "docs").rglob("*.md")),
        REPOSITORY / "benchmarks/README.md",
    ]
    return [page for page in found if page.is_file()]


def blocks(page: Path) -> list[Block]:
    name = page.relative_to(REPOSITORY).as_posix()
    lines = page.read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    runs = False
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("```"):
            end = next(n for n in range(number + 1, len(lines)) if lines[n].startswith("```"))
            text = "\n".join(lines[number + 1 : end])
            found.append(Block(name, number + 2, line[3:].strip(), text, runs))
            runs, number = False, end + 1
        elif line.startswith("    ") and (number == 0 or not lines[number - 1].strip()):
            end = number
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            text = "\n".join(row[4:] for row in lines[number:end]).rstrip()
            found.append(Block(name, number + 1, "", text, runs))
            runs, number = False, end
        else:
            if line.strip():
                runs = line.strip() == RUNS
            number += 1
    return found


def all_blocks() -> list[Block]:
    return [block for page in pages() for block in blocks(page)]


def links(page: Path) -> list[str]:
    """Targets of the page's links to files, without their anchors."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target.partition("#")[0] for target in targets if not target.startswith(("http", "#"))]
