"""The programs that the pages show are those of ``examples/``, and print what the pages say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.blocks import REPOSITORY
from tests.docs.inclusion import EXAMPLES, Inclusion, inclusions, run_example

if TYPE_CHECKING:
    from pathlib import Path


def shown(*, is_output: bool) -> list[Inclusion]:
    return [each for each in inclusions() if each.is_output is is_output]


def examples() -> list[str]:
    return [path.relative_to(REPOSITORY).as_posix() for path in sorted(EXAMPLES.glob("*.py"))]


def test_every_example_is_shown_on_a_page():
    assert {each.name for each in shown(is_output=False)} >= set(examples())


def test_every_example_of_a_prompt_is_linked_from_the_page_about_it():
    text = (REPOSITORY / "docs" / "debugging.md").read_text(encoding="utf-8")
    programs = {path.name for path in (EXAMPLES / "debug").glob("*.py")} - {"levels.py"}
    assert programs
    assert [name for name in sorted(programs) if f"(../examples/debug/{name})" not in text] == []


@pytest.mark.parametrize("inclusion", shown(is_output=False), ids=lambda each: each.name)
def test_an_example_is_shown_as_it_is(inclusion: Inclusion):
    text = (REPOSITORY / inclusion.name).read_text(encoding="utf-8")
    assert inclusion.text == text, "bring it up to date: python -m tests.docs.inclusion"


@pytest.mark.parametrize("inclusion", shown(is_output=True), ids=lambda each: each.name)
def test_an_example_prints_what_its_page_says(inclusion: Inclusion, home: Path):
    done = run_example(inclusion.name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == inclusion.text
    # One of them has an actor killed, and that is a warning in the log.
    lines = [line for line in done.stderr.splitlines() if not line.endswith(", and is killed")]
    assert lines == []


def test_there_are_examples_with_their_output():
    assert len(shown(is_output=True)) >= 5
