"""What the pages include from ``examples/``: the programs, and what they print.

A page includes a file, or the output of running it, with a comment above a code block::

    <!-- examples/service.py -->
    <!-- output of examples/service.py -->

``python -m tests.docs.inclusion`` brings all pages up to date; ``test_inclusion.py`` checks them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from tests.docs.blocks import REPOSITORY, pages

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = REPOSITORY / "examples"
_INCLUDED = re.compile(
    r"^<!-- (?P<output>output of )?(?P<name>examples/[\w./]+\.py) -->\n```\w*\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class Inclusion(NamedTuple):
    """A block of a page that shows an example.

    Attributes:
        page: Of ours.
        name: Of the example, from the repository's root.
        is_output: What it prints is shown, not its text.
        text: As it is shown.
    """

    page: Path
    name: str
    is_output: bool
    text: str


def inclusions() -> list[Inclusion]:
    return [
        Inclusion(page, match["name"], bool(match["output"]), match["text"])
        for page in pages()
        for match in _INCLUDED.finditer(page.read_text(encoding="utf-8"))
    ]


def run_example(name: str, timeout_s: float = 50) -> subprocess.CompletedProcess[str]:
    """Run an example as a user would: its file, from the repository."""
    return subprocess.run(
        [sys.executable, "-W", "error", name],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def main() -> None:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        renewed = _INCLUDED.sub(_renew, text)
        if renewed != text:
            page.write_text(renewed, encoding="utf-8")
            print(f"{page.relative_to(REPOSITORY)}: brought up to date")


def _renew(match: re.Match[str]) -> str:
    name = match["name"]
    shown = (
        run_example(name).stdout
        if match["output"]
        else (REPOSITORY / name).read_text(encoding="utf-8")
    )
    whole, begin = match[0], match.start("text") - match.start()
    return whole[:begin] + shown + whole[begin + len(match["text"]) :]


if __name__ == "__main__":
    main()
