"""The conformance table of ``docs/detrix.md``: what is the same, better, or not there, and which test holds it.

Each test file of ``tests/detrix`` and ``tests/compat`` declares its rows::

    CONFORMANCE = [
        Row("Metrics", "`GET /api/v1/metrics`", SAME, test="test_a_page_of_metrics"),
        Row("Metrics", "`mode`", BETTER, "Detrix stores it; here it works.", "test_every_mode_works"),
    ]

``python -m tests.detrix.conformance`` writes the table into the page; ``test_conformance.py`` fails
when the page is out of date, when a row names a test that isn't there, and when a route of the
daemon has no row.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SAME, BETTER, NOT_THERE = "same", "better", "not there"

#: In the order of the page.
SECTIONS = (
    "The client",
    "Registration",
    "Metrics",
    "Groups",
    "Events",
    "Waking and sleeping",
    "State of the daemon",
    "Live stream",
    "Expressions and files",
    "Configuration",
    "MCP",
    "Debuggers of others",
    "Limits and guards",
    "gRPC",
)

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "detrix.md"
BEGIN, END = "<!-- conformance: python -m tests.detrix.conformance -->", "<!-- /conformance -->"


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        section: One of ``SECTIONS``.
        what: A route as ``METHOD /path`` in backticks, or another thing that a client may depend on.
        verdict: ``SAME``, ``BETTER`` or ``NOT_THERE``.
        why: What is better, or why it isn't there; may be empty for what is the same.
        test: Name of a test function of the declaring file; empty only for what isn't there.
    """

    section: str
    what: str
    verdict: str
    why: str = ""
    test: str = ""


def declaring_modules() -> Iterator[ModuleType]:
    """The test files that declare rows, by name."""
    for folder in ("compat", "detrix"):
        for path in sorted((TESTS / folder).rglob("test_*.py")):
            if "CONFORMANCE" in path.read_text(encoding="utf-8"):
                parts = path.relative_to(TESTS.parent).with_suffix("").parts
                yield importlib.import_module(".".join(parts))


def declared() -> list[tuple[str, Row]]:
    """Each row with the path of its test file, in the order of the page."""
    found = [
        ("/".join(module.__name__.split(".")) + ".py", row)
        for module in declaring_modules()
        for row in getattr(module, "CONFORMANCE", ())
    ]
    return sorted(found, key=lambda each: (SECTIONS.index(each[1].section), each[0]))


def table() -> str:
    """The text between the two comments of the page."""
    lines: list[str] = []
    section = ""
    for path, row in declared():
        if row.section != section:
            section = row.section
            lines += [
                "",
                f"### {section}",
                "",
                "| what | here | why | held by |",
                "|---|---|---|---|",
            ]
        held = f"[{path.rpartition('/')[2]}](../{path})" if row.test else ""
        lines.append(f"| {row.what} | {row.verdict} | {row.why} | {held} |")
    return "\n".join([*lines, ""])


def written(page: str) -> str:
    """``page`` with the table of now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(written(page), encoding="utf-8")


if __name__ == "__main__":
    main()
