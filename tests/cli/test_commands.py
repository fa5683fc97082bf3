"""``docs/commands.md`` against what the commands themselves say."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from treetap.cli import exitcode

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
GROUPS = ("", "probe", "target", "daemon")
EVERYWHERE = {"--help", "--install-completion", "--show-completion", "--version"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@cache
def help_of(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "treetap.cli", *command.split(), "--help"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout


def block(text: str, title: str) -> str:
    _before, _title, rest = text.partition(f"\n{title}:\n")
    return rest.partition("\n\n")[0]


def commands_in(group: str) -> list[str]:
    names = re.findall(r"^  ([\w-]+)", block(help_of(group), "Commands"), re.MULTILINE)
    return [f"{group} {name}".strip() for name in names]


def all_commands() -> list[str]:
    return [name for group in GROUPS for name in commands_in(group) if name not in GROUPS]


def section(command: str) -> str:
    _before, title, rest = PAGE.partition(f"\n## treetap {command}\n")
    assert title, f"docs/commands.md has no section for treetap {command}"
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize("command", all_commands())
def test_the_page_has_the_options_of_the_command_and_no_others(command):
    real = set(OPTION.findall(block(help_of(command), "Options"))) - EVERYWHERE
    rows = re.findall(r"^\| `(--[^`]*)` \|", section(command), re.MULTILINE)
    assert {row.split()[0] for row in rows} == real


def test_the_page_has_no_section_of_a_command_that_is_not_there():
    sections = re.findall(r"^## treetap (.+)$", PAGE, re.MULTILINE)
    assert sorted(sections) == sorted(all_commands())


@pytest.mark.parametrize("command", [name for name in all_commands() if "daemon" not in name])
def test_the_help_has_an_example(command):
    assert f"  treetap {command}" in block(help_of(command) + "\n\n", "  Examples")


def test_the_exit_codes_stand_in_the_page_and_in_the_help_as_they_are():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == exitcode.MEANINGS
    in_help = re.findall(r"^ +(\d+)  (.+)$", help_of(""), re.MULTILINE)
    assert {int(code): meaning for code, meaning in in_help} == exitcode.MEANINGS
