from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from treetap.cli import exitcode
from treetap.errors import ConfigError, DaemonError, ExpressionError, LocationError, ProbeError


def treetap(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "treetap.cli", *arguments],
        capture_output=True, text=True, timeout=30, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LocationError("x", slug="location-syntax"), exitcode.USAGE),
        (ExpressionError("x", slug="expression-unsafe"), exitcode.USAGE),
        (ConfigError("x", slug="config-unknown"), exitcode.USAGE),
        (ProbeError("x", slug="probe-unknown"), exitcode.NOTHING_MATCHES),
        (DaemonError("x", slug="probe-unknown"), exitcode.NOTHING_MATCHES),
        (DaemonError("x", slug="daemon-absent"), exitcode.NO_DAEMON),
        (DaemonError("x"), exitcode.NO_DAEMON),
        (LocationError("x", slug="location-no-code"), exitcode.FAILURE),
        (ProbeError("x", slug="probe-hopeless"), exitcode.FAILURE),
    ],
)
def test_an_error_has_its_exit_code(error, code):
    assert exitcode.of(error) == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is full: Linux only")
def test_an_output_that_is_full_is_one_line_and_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "treetap.cli", "doctor", "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=30,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "treetap: The output can't be written: no space is left on its device."
    ]


def test_no_arguments_show_the_help_and_are_a_usage_error():
    done = treetap()
    assert done.returncode == 2
    assert "Examples:" in done.stdout + done.stderr


def test_an_unknown_command_is_one_line_with_the_way_out():
    done = treetap("frobnicate")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "treetap --help" in done.stderr


def test_a_wrong_option_names_the_command_whose_help_tells_more():
    done = treetap("probe", "add", "--bogus")
    assert done.returncode == 2
    assert "Try: treetap probe add --help" in done.stderr


def test_the_version_is_shown():
    done = treetap("--version")
    assert (done.returncode, done.stdout) == (0, "treetap 0.1.0\n")


def test_a_setting_that_can_not_be_used_is_one_line_that_says_where_it_came_from(home, monkeypatch):
    monkeypatch.setenv("TREETAP_DAEMON_URL", "not a url")
    done = treetap("ps")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "TREETAP_DAEMON_URL" in done.stderr


def test_a_command_that_needs_the_daemon_says_how_to_start_it(home):
    done = treetap("probe", "list")
    assert done.returncode == 3
    assert "treetap daemon start" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_complaint(home):
    process = subprocess.Popen(
        [sys.executable, "-m", "treetap.cli", "doctor"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    _none, complaints = process.communicate(timeout=30)
    assert complaints == b""


@pytest.mark.parametrize("module", ["rich", "httpx", "treetap.client", "sqlalchemy", "asyncio"])
def test_help_and_run_load_nothing_heavy(module):
    program = (
        "import sys; from treetap.cli.__main__ import execute; execute(['--help']); "
        f"sys.stderr.write(str({module!r} in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    assert done.stderr == "False"
