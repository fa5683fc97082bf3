from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import wait_until


def processes_of(marker: str) -> list[int]:
    """Pids of live processes whose environment or command line holds ``marker``."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if marker.encode() in text:
            found.append(int(folder.name))
    return found


def start_demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "treetap.cli", "demo", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.timeout(120)
def test_the_demo_shows_values_and_leaves_nothing_behind(tmp_path: Path):
    demo = start_demo(tmp_path, "--seconds", "1")
    written, complaints = demo.communicate(timeout=100)
    assert demo.returncode == 0, written + complaints
    assert "self.path='/orders.json'" in written
    assert "pending" in written
    assert "logging.info" in written
    assert "\x1b" not in written
    assert list(tmp_path.iterdir()) == []
    assert processes_of(str(tmp_path)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.timeout(120)
def test_a_demo_that_is_interrupted_cleans_up(tmp_path: Path, number: signal.Signals):
    demo = start_demo(tmp_path, "--seconds", "60")
    # The web server and the daemon are there.
    wait_until(lambda: len(processes_of(str(tmp_path))) >= 3, 40)
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert processes_of(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
