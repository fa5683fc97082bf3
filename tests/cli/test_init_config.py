from __future__ import annotations

import stat
import subprocess
import sys

from treetap.config.template import template


def treetap(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "treetap.cli", *words], capture_output=True, text=True, timeout=120
    )


def test_a_file_is_written_into_the_home_once(home):
    file = home / "config.toml"
    assert treetap("init-config").stdout == f"Wrote {file}.\n"
    assert file.read_text() == template()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = treetap("init-config")
    assert again.returncode == 1
    assert "[config-exists]" in again.stderr


def test_a_file_that_is_wrong_is_written_anew_and_kept(home):
    file = home / "config.toml"
    file.write_text("control_port = 'x'")
    assert treetap("init-config", "--force").returncode == 0
    assert (home / "config.toml.old").read_text() == "control_port = 'x'"
    assert treetap("init-config", "--path", "-").stdout == template() == file.read_text()


def test_a_path_may_be_given_and_one_that_can_t_be_is_told(home):
    assert treetap("init-config", "--path", str(home / "a" / "b.toml")).returncode == 0
    assert (home / "a" / "b.toml").read_text() == template()
    refused = treetap("init-config", "--path", "/proc/nowhere/b.toml")
    assert refused.returncode == 2
    assert "[config-file]" in refused.stderr
