"""What the pages show is what the commands take, and what is marked as runnable runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from tests.docs.blocks import Block, all_blocks, links, pages

if TYPE_CHECKING:
    from pathlib import Path

PLACEHOLDERS = ("COMMAND", "LOCATION", "[", "|", "…", "...", "·")


def commands_shown() -> list[tuple[str, str]]:
    """``(where, command line)`` of each whole ``treetap`` command in a code block."""
    found = []
    for block in all_blocks():
        for number, line in enumerate(block.text.splitlines(), block.line):
            command = line.strip().removeprefix("$ ").partition("   #")[0].rstrip(" &\\")
            is_grammar = any(each in command.replace("address[0]", "") for each in PLACEHOLDERS)
            is_sentence = command.endswith(".")  # the text of an error, as a rule
            if command.startswith("treetap ") and not is_grammar and not is_sentence:
                found.append((f"{block.page}:{number}", command))
    return found


def parse(command: Any, arguments: list[str], name: str) -> None:
    """Raise ``click.UsageError`` unless the command takes these arguments. Runs nothing."""
    with command.make_context(name, arguments) as context:
        group = context.command
        if hasattr(group, "resolve_command"):
            rest = [*context._protected_args, *context.args]
            child_name, child, child_arguments = group.resolve_command(context, rest)
            assert child is not None
            parse(child, child_arguments, str(child_name))


@pytest.mark.parametrize(("where", "command"), commands_shown())
def test_a_command_that_a_page_shows_is_taken_by_the_command_line(where: str, command: str):
    from treetap.cli.commands import app

    words = shlex.split(command)[1:]
    if "--help" in words or "--version" in words:
        return
    parse(typer.main.get_command(app), words, "treetap")


def runnable(language: str) -> list[Block]:
    return [block for block in all_blocks() if block.runs and block.language == language]


@pytest.mark.parametrize(
    "block", runnable("python"), ids=lambda block: f"{block.page}:{block.line}"
)
def test_a_python_example_runs(block: Block, home: Path):
    done = subprocess.run(
        [sys.executable, "-c", block.text], capture_output=True, text=True, timeout=50, cwd=home
    )
    assert done.returncode == 0, done.stderr


def test_there_is_something_to_run():
    assert runnable("python")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_link_between_pages_leads_somewhere(page: Path):
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


def test_the_readme_has_its_two_commands():
    from tests.docs.blocks import REPOSITORY

    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert "\n    make demo\n    make test\n" in text
