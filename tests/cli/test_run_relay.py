from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import wait_until
from tests.process.programs import is_alive
from treetap.cli.run import Asked, read
from treetap.cli.run_relay import command_line
from treetap.cli.spec import SEPARATOR

RELAY = [sys.executable, "-m", "treetap.cli", "run", "--relay"]
TIME = re.compile(r"^\d\d:\d\d:\d\d\.\d{3} ", re.MULTILINE)


def relayed(*arguments, **options):
    return subprocess.run(
        [*RELAY, *arguments], capture_output=True, text=True, timeout=40, **options
    )


def lines(text: str) -> list[str]:
    """The lines of the log, without their times."""
    assert len(TIME.findall(text)) == text.count("\n")
    return TIME.sub("", text).splitlines()


def test_each_line_comes_on_standard_error_with_its_time_and_stream(home):
    done = relayed("--", "/bin/sh", "-c", "echo out; echo err >&2; printf 'no end'")
    assert (done.returncode, done.stdout) == (0, "")
    assert sorted(lines(done.stderr)) == ["[sh:err] err", "[sh:out] no end", "[sh:out] out"]


def test_the_name_of_the_tree_is_the_label(home):
    program = (
        "import os; print(os.getpid(), os.environ['TREETAP_TREE'], os.environ['TREETAP_NAME'])"
    )
    done = relayed("--name", "shop", "--", sys.executable, "-c", program)
    [line] = lines(done.stderr)
    tag, pid, tree, name = line.split()
    assert (tag, name) == ("[shop:out]", "shop")
    # The program's process itself is the root of the tree.
    assert tree.startswith(f"{pid}-")


@pytest.mark.parametrize(
    ("program", "code"),
    [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("exit 0", 0)],
)
def test_the_exit_code_is_the_programs(home, program, code):
    assert relayed("--", "/bin/sh", "-c", program).returncode == code


def test_a_command_that_is_not_there_is_127(home):
    done = relayed("--", "no-such-program-anywhere")
    assert done.returncode == 127
    assert "no-such-program-anywhere: command not found" in done.stderr


def test_the_terminal_is_not_the_programs(home):
    program = (
        "import os\n"
        "try: os.open('/dev/tty', os.O_RDWR)\n"
        "except OSError: print('no terminal', *[os.isatty(n) for n in (0, 1, 2)])"
    )
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*RELAY, "--", sys.executable, "-c", program],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        assert process.wait(40) == 0
        shown = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "no terminal False False False" in shown


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)],
)
def test_a_signal_to_it_ends_the_program_and_what_that_started(home, number, code):
    program = "trap 'echo bye; exit 0' TERM; sleep 60 & echo $!; wait"
    process = subprocess.Popen(
        [*RELAY, "--", "/bin/sh", "-c", program], stderr=subprocess.PIPE, text=True
    )
    try:
        pid = int(process.stderr.readline().split()[-1])
        process.send_signal(number)
        began = time.monotonic()
        _, rest = process.communicate(timeout=40)
        assert time.monotonic() - began < 30
    finally:
        process.kill()
    assert process.returncode == code
    assert lines(rest) == ["[sh:out] bye"]
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(signal.SIGTERM, signal.SIGTERM, 143), (signal.SIGHUP, signal.SIGTERM, 129)],
)
def test_a_second_signal_loses_nothing(home, first, second, code):
    program = (
        "exec 2>/dev/null; trap 'echo ending; sleep 0.3; echo ended; exit 0' TERM; "
        "echo up; while :; do sleep 0.02; done"
    )
    process = subprocess.Popen(
        [*RELAY, "--", "/bin/sh", "-c", program], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr.readline().endswith("up\n")
        process.send_signal(first)
        assert process.stderr.readline().endswith("ending\n")
        process.send_signal(second)
        _, rest = process.communicate(timeout=40)
    finally:
        process.kill()
    assert lines(rest) == ["[sh:out] ended"]
    assert process.returncode == code


def test_when_nobody_reads_its_lines_any_more_the_program_ends(home):
    program = "echo $$; while :; do echo noise; sleep 0.02; done"
    process = subprocess.Popen(
        [*RELAY, "--", "/bin/sh", "-c", program], stderr=subprocess.PIPE, text=True
    )
    try:
        pid = int(process.stderr.readline().split()[-1])
        process.stderr.close()
        assert process.wait(40) == 128 + signal.SIGPIPE
    finally:
        process.kill()
    assert not is_alive(pid)


def test_the_same_command_is_run_without_the_option():
    probes = (SEPARATOR.join(["a.py:1", "x", "len(y)"]), "b.py:2 z")
    asked = Asked(["prog", "--relay"], "shop", awake=True, probes=probes, relay=True, on_crash=True)
    words = command_line(asked)
    again = read(words[words.index("run") + 1 :])
    assert again == asked._replace(relay=False)
