from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import wait_until
from treetap import proc


def test_it_reads_what_the_kernel_says_of_this_process():
    fields = proc.stat(os.getpid())
    assert int(fields[proc.PARENT]) == os.getppid()
    assert int(fields[proc.GROUP]) == os.getpgid(0)
    assert int(fields[proc.SESSION]) == os.getsid(0)
    assert int(fields[proc.THREADS]) >= 1
    assert proc.stat("self")[proc.START_TICKS] == fields[proc.START_TICKS]


def test_a_name_with_a_bracket_shifts_nothing(tmp_path: Path):
    odd = tmp_path / "a) R 1 ("
    odd.symlink_to(sys.executable)
    with subprocess.Popen([odd, "-c", "input()"], stdin=subprocess.PIPE) as child:
        wait_until(lambda: b"a) R" in Path(f"/proc/{child.pid}/stat").read_bytes(), 20)
        assert int(proc.stat(child.pid)[proc.PARENT]) == os.getpid()
        child.communicate(b"\n")


def test_a_zombie_is_over_and_a_process_that_is_gone_has_no_fields():
    child = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: proc.is_over(proc.stat(child.pid)), 20)
    assert proc.stat(child.pid)
    assert proc.start_ns(proc.stat(child.pid)) == 0
    child.wait()
    assert proc.stat(child.pid) == []
    assert proc.start_ns([]) == 0


def test_who_starts_later_has_a_later_start():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert proc.start_ns(proc.stat(child.pid)) >= proc.start_ns(proc.stat("self")) > 0
    finally:
        child.communicate(b"\n")
