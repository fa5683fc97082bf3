"""The two examples of supervised programs, run as a user runs them."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.inclusion import REPOSITORY, run_example


def test_a_server_is_waited_for_shown_live_and_ended(home):
    done = run_example("examples/supervised_server.py")
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first.startswith("IO    out: Serving HTTP on 127.0.0.1 port ")
    said = "\n".join(lines)
    for text in ('"GET / HTTP/1.1" 200', "/ gave 200", '"GET /no-such-page HTTP/1.1" 404'):
        assert text in said
    assert lines[-1] == "INFO  the server was ended by signal 15"


def test_a_build_that_succeeds_has_nothing_but_its_lines(home):
    done = subprocess.run(
        [sys.executable, "examples/supervised_build.py", "/bin/echo", "built"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "IO    [build] built\n", "")
