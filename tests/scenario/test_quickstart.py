"""``docs/quickstart.md``, run from top to bottom."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.scenario.conftest import Machine

PAGE = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text(encoding="utf-8")


#: Runs a command, and presses ctrl-c once it has written a text.
WATCH = """
import signal, subprocess, sys
with subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, text=True) as command:
    for line in command.stdout:
        print(line, end="")
        if sys.argv[1] in line:
            break
    command.send_signal(signal.SIGINT)
    print(command.stdout.read(), end="")
sys.exit(command.returncode)
"""


def shims(folder: Path) -> Path:
    """``treetap`` and ``python`` as this interpreter has them; and ``watch``."""
    folder.mkdir()
    (folder / "watch.py").write_text(WATCH)
    for name, words in {
        "treetap": f"{sys.executable} -m treetap.cli",
        "python": sys.executable,
        "watch": f"{sys.executable} {folder / 'watch.py'}",
    }.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        script.chmod(0o755)
    return folder


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl")
@pytest.mark.timeout(180)
def test_every_command_of_the_quick_start_does_what_the_page_says(machine: Machine):
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    script = commands.replace("8000", str(free_port()))
    # What a reader does by hand: ctrl-c, once the last one has been seen.
    script = script.replace("treetap tail", "watch failures treetap tail")
    script = script.replace(" &\n", " &\ntrap 'kill $!' EXIT\n")
    # On a busy machine the program may not be there yet,
    is_there = "treetap ps 2> /dev/null | grep -q sleeping"
    script = script.replace("sleep 2\n", f"until {is_there}; do sleep 0.2; done\n")
    # and the daemon not have read yet what was sent to it.
    last = "treetap events --limit 1"
    script = script.replace(last, f"until {last} | grep -q sap; do sleep 0.2; done; {last}")
    done = subprocess.run(
        ["/bin/sh", "-c", f"set -e\n{script}"],
        env={**machine.environment, "PATH": f"{shims(machine.folder / 'bin')}:{os.environ['PATH']}"},
        cwd=machine.folder, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert "treetap:" not in done.stderr, done.stderr
    assert "No event matches" not in done.stderr
    assert re.search(r"web +\d+ +sleeping", done.stdout)
    assert done.stdout.count("  armed\n") == 3
    assert "self.path='/missing'" in done.stdout
    assert "text='  sap'" in done.stdout
    assert "files removed" in done.stdout or "p2 removed" in done.stdout
