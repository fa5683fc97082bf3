"""The examples that are published with detrix-py, unmodified, against our daemon.

They wait a lot, and one of them knows no daemon but one on port 8090: ``sitecustomize`` halves their
sleeps, and leads what goes to that port to the daemon of this test.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.compat.detrix.conftest import PATIENCE
from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.observing import get, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.detrix.observing import Served

CONFORMANCE = [
    Row(
        "Registration",
        "`examples/test_wake.py` of detrix-py 1.0.0 and 1.2.0",
        BETTER,
        "It passes, and its connection is found by its name (Detrix's ids are hex, so that it warns).",
        "test_the_simulated_agent_sees_the_running_program",
    ),
    Row(
        "Registration",
        "`examples/basic_usage.py` of both",
        SAME,
        test="test_the_basic_example_registers_and_leaves",
    ),
]

VERSIONS = ("1.0.0", "1.2.0")

#: Of a first test that asks for a published client, since pip gets it then.
pytestmark = pytest.mark.timeout(600)

#: What the example says of a machine that is too slow for it.
SLOW = (
    "Could not find control plane URL",
    "Status: connecting",
    "Failed to wake client",
)
#: So often is it tried there.
ATTEMPTS = 5

SITE = """\
import os, socket, time

_sleep, _connect = time.sleep, socket.create_connection
_port = int(os.environ["DAEMON_PORT"])


def _to_the_daemon(address, *rest, **more):
    host, port = address
    return _connect((host, _port if port == 8090 else port), *rest, **more)


time.sleep = lambda seconds: _sleep(seconds / 2 if seconds >= 1 else seconds)
socket.create_connection = _to_the_daemon
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("examples") / "home") as found:
        yield found


class Example:
    """An example that runs, in an environment of its own."""

    def __init__(self, python: Path, script: Path, url: str, folder: Path, *words: str) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(SITE)
        # The example starts its program by "uv run python …"; what it finds is this.
        uv = folder / "uv"
        uv.write_text(f'#!/bin/sh\nshift 2\nexec "{python}" "$@"\n')
        uv.chmod(0o755)
        self._process = subprocess.Popen(
            [str(python), "-u", str(script), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                **PATIENCE,
                "PATH": f"{folder}:{os.environ['PATH']}",
                "PYTHONPATH": str(folder),
                "DAEMON_PORT": url.rpartition(":")[2],
                "HOME": str(folder),
            },
        )

    def said(self) -> str:
        """All that it prints, at its end."""
        try:
            text, _ = self._process.communicate(timeout=120)
        finally:
            self._process.kill()
        return text


def test_the_simulated_agent_sees_the_running_program(real_client, real_examples, tmp_path):
    with contextlib.ExitStack() as stack:
        daemons: dict[str, Served] = {}
        said: dict[str, str] = {}
        # Its program may take ten seconds to start, it says; not so on a busy machine.
        for attempt in range(ATTEMPTS):
            missing = [v for v in VERSIONS if v not in said or too_slow(said[v])]
            # Each with a daemon that knows nobody: of an earlier attempt there may be a connection.
            for version in missing:
                home = tmp_path / f"home-{version}-{attempt}"
                daemons[version] = stack.enter_context(serving(home))
            running = {
                version: Example(
                    real_client(version),
                    real_examples(version) / "test_wake.py",
                    daemons[version].url,
                    tmp_path / version,
                    "--daemon-url",
                    daemons[version].url,
                )
                for version in missing
            }
            said |= {version: example.said() for version, example in running.items()}
        for version, text in said.items():
            assert "TEST PASSED - Successfully observed running application!" in text, text
            assert "Status: connected" in text, text
            assert "WARNING" not in text, text
            for metric in ("order_info", "pnl_data", "order_details"):
                assert f"[EVENT] {metric}: " in text
            (connection,) = get(daemons[version].http, "connections")
            assert connection["connectionId"].startswith("trade-bot")
            assert connection["status"] == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_the_basic_example_registers_and_leaves(
    served, real_client, real_examples, tmp_path, version
):
    script = real_examples(version) / "basic_usage.py"
    text = Example(real_client(version), script, served.url, tmp_path).said()
    assert "Connection ID: example-service-" in text, text
    assert "Processed request 4" in text
    assert text.rstrip().endswith("Done!")
    connection = text.partition("Connection ID: ")[2].split()[0]
    assert get(served.http, f"connections/{connection}")["status"] == 1


def too_slow(text: str) -> bool:
    return any(words in text for words in SLOW)
