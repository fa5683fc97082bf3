"""One program, run with detrix-py 1.0.0, with 1.2.0 and with the facade: what it sees is the same, but for a list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat.detrix.conftest import PATIENCE
from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.conftest import first_comer

#: Of a first test that asks for a published client, since pip gets it then.
pytestmark = pytest.mark.timeout(600)

PROGRAM = Path(__file__).with_name("client_program.py")

#: What detrix-py gets wrong, in both versions: observations of the program that differ for that.
WRONG_THERE = {
    # A raw error of whatever was at hand; and awake all the same, with half an answer.
    "wake answered with a list",
    "wake answered with a number as id",
    "wake answered with no text",
    "wake answered with null as id",
    "status after that with a number as id",
    "status after that with null as id",
    # Out of its own tree of exceptions.
    "init with a port beyond",
    "init with a port taken",
    # A limit of no length.
    "init with DETRIX_HEALTH_CHECK_TIMEOUT=nan",
    "status of init with DETRIX_HEALTH_CHECK_TIMEOUT=nan",
    # The variable never wins.
    "status of init with DETRIX_CONTROL_HOST=localhost",
    "status of init with DETRIX_DAEMON_URL=http://127.0.0.1:2",
    # The port stays open.
    "status asleep",
    # An id is put into a path as it is.
    "requests of one with everything",
    "requests of shutdown",
    "requests of the client",
}
WRONG_IN = {
    "1.0.0": {
        # What only 1.2.0 has.
        "GET /detrix/discover",
        "POST /detrix/files/read",
        "init with DETRIX_CA_BUNDLE=/nowhere/ca.pem",
        "status of init with DETRIX_CA_BUNDLE=/nowhere/ca.pem",
    },
    "1.2.0": {
        "wake answered with an empty URL",
        # A pair, which here is text as well, as in 1.0.0.
        "registered",
        # pydantic's type for a URL, which here is text.
        "wake",
    },
}

CONFORMANCE = [
    Row(
        "The client",
        "`init`, `status`, `wake`, `sleep`, `shutdown`, the exceptions, `HttpDaemonClient` and the submodules",
        SAME,
        "One program, run with both versions and with `treetap.compat.detrix`; a difference that isn't "
        "in the test's list fails it. `TREETAP_DETRIX_PY=1.0.0` gives names their pid, as only 1.0.0 does.",
        "test_a_program_sees_the_same",
    ),
    Row(
        "The client",
        "environment variables",
        BETTER,
        "`DETRIX_CONTROL_HOST` and `DETRIX_DAEMON_URL` win over a default, as documented; an argument "
        "wins over both, also one that equals the default.",
        "test_the_environment_wins_over_a_default_and_not_over_an_argument",
    ),
    Row(
        "The client",
        "a malformed answer to a registration",
        BETTER,
        "`DaemonError`, asleep, the port closed; there, a raw `JSONDecodeError`, `AttributeError` or "
        "`ValidationError`, and sometimes awake.",
        "test_a_malformed_answer_is_a_daemon_error",
    ),
    Row(
        "The client",
        "`debug_port_active` asleep",
        BETTER,
        "False, and the port is closed; there it stays open for the life of the process.",
        "test_asleep_the_debug_port_is_closed",
    ),
    Row(
        "The client",
        "a control port that is taken",
        BETTER,
        "`ControlPlaneError`, which detrix-py has and never raises; it is an `OSError` too.",
        "test_a_port_that_is_taken_is_an_error_of_both_kinds",
    ),
    Row(
        "The client",
        "an id with `/`, a blank or `?`",
        BETTER,
        "Is one part of the path of the DELETE; there it is put in as it is.",
        "test_an_id_is_one_part_of_the_path",
    ),
]


@pytest.fixture(scope="session")
def said(real_things, real_client, tmp_path_factory):
    """``{who: {what: what it saw}}``; all four run at once, once a test run."""
    folder = real_things / "said"
    pythons = {version: real_client(version) for version in ("1.0.0", "1.2.0")}
    with first_comer(folder) as is_first:
        if is_first:
            home = tmp_path_factory.mktemp("home")
            running = {
                who: subprocess.Popen(
                    [str(python), "-X", "frozen_modules=off", str(PROGRAM), *arguments],
                    env={
                        "HOME": str(home),
                        "TREETAP_HOME": f"{home}/treetap",
                        "PATH": os.defpath,
                        "TREETAP_DETRIX_PY": who.removeprefix("as "),
                        **PATIENCE,
                    },
                    cwd=home,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                for who, python, arguments in (
                    *((version, python, ()) for version, python in pythons.items()),
                    *((f"as {version}", sys.executable, ("facade",)) for version in pythons),
                )
            }
            for who, program in running.items():
                out, complaints = program.communicate(timeout=300)
                assert program.returncode == 0, f"{who}: {complaints}"
                (folder / who).write_text(out)
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


def covers(theirs, ours):
    """Whether ``ours`` has all that ``theirs`` has; further keys of an object harm nobody."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return all(key in ours and covers(each, ours[key]) for key, each in theirs.items())
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(covers, theirs, ours))
    return theirs == ours


@pytest.mark.parametrize("version", ["1.0.0", "1.2.0"])
def test_a_program_sees_the_same(said, version):
    theirs, ours = said[version], said[f"as {version}"]
    different = {
        what for what in theirs.keys() | ours.keys() if not covers(theirs.get(what), ours.get(what))
    }
    expected = WRONG_THERE | WRONG_IN[version]
    shown = {what: (theirs.get(what), ours.get(what)) for what in different ^ expected}
    assert different == expected, json.dumps(shown, indent=1)


def test_the_environment_wins_over_a_default_and_not_over_an_argument(said):
    ours = said["as 1.2.0"]
    assert ours["status of init with DETRIX_CONTROL_HOST=localhost"]["control_host"] == "localhost"
    url = "http://127.0.0.1:2"
    assert ours[f"status of init with DETRIX_DAEMON_URL={url}"]["daemon_url"] == url
    assert ours["init with DETRIX_HEALTH_CHECK_TIMEOUT=nan"]["raises"] == [
        "ConfigError",
        "DetrixError",
    ]


@pytest.mark.parametrize("what", ["a list", "a number as id", "no text"])
def test_a_malformed_answer_is_a_daemon_error(said, what):
    ours = said["as 1.2.0"]
    assert ours[f"wake answered with {what}"]["raises"] == ["DaemonError", "DetrixError"]
    status = ours[f"status after that with {what}"]
    assert (status["state"], status["debug_port_active"]) == ("sleeping", False)


def test_asleep_the_debug_port_is_closed(said):
    assert said["1.2.0"]["status asleep"]["debug_port_active"] is True
    assert said["as 1.2.0"]["status asleep"]["debug_port_active"] is False


def test_a_port_that_is_taken_is_an_error_of_both_kinds(said):
    raised = said["as 1.2.0"]["init with a port taken"]["raises"]
    assert {"ControlPlaneError", "OSError"} < set(raised)
    assert said["as 1.2.0"]["init with a port beyond"]["raises"] == ["ConfigError", "DetrixError"]


def test_an_id_is_one_part_of_the_path(said):
    (request,) = said["as 1.2.0"]["requests of shutdown"]
    assert request[:2] == ["DELETE", "/api/v1/connections/c%2F1%20d%3Fe"]
