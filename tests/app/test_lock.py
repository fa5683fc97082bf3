from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from treetap.app.lock import HomeLock
from treetap.errors import DaemonError


def test_one_holds_it_and_the_second_is_told_who(tmp_path):
    run_dir = tmp_path / "run"
    with HomeLock(run_dir):
        with pytest.raises(DaemonError, match=f"process {os.getpid()}") as caught:
            HomeLock(run_dir).__enter__()
        assert caught.value.slug == "daemon-running"
        assert stat.S_IMODE(run_dir.stat().st_mode) == 0o700
    with HomeLock(run_dir):
        pass


def test_it_is_free_when_its_holder_is_killed(tmp_path):
    code = (
        "import sys, pathlib, os, signal\n"
        "from treetap.app.lock import HomeLock\n"
        "HomeLock(pathlib.Path(sys.argv[1])).__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], timeout=20)
    assert done.returncode == -9
    with HomeLock(tmp_path / "run"):
        pass


def test_two_homes_don_t_meet(tmp_path):
    with HomeLock(tmp_path / "a"), HomeLock(tmp_path / "b"):
        pass
