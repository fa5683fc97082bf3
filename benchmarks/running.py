"""A daemon of this benchmark's own, and a program that it observes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks.worker import CORE, ROOT, WorkerError
from treetap.client import DaemonClient

if TYPE_CHECKING:
    from types import TracebackType

_numbers = count(1)
_START = """
import os
from benchmarks.clock import pin
if os.environ.get("BENCHMARK_CORE"):
    pin(int(os.environ["BENCHMARK_CORE"]))
import sys
from treetap.app.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


class RunningDaemon:
    """A daemon in a home of its own, from entry to exit.

    Args:
        directory: Where its home is made.
        core: Core to keep it on; any if not given.
    """

    def __init__(self, directory: Path, core: int | None = None) -> None:
        self.home = directory / f"home-{next(_numbers)}"
        self.home.mkdir(mode=0o700)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TREETAP_HOME": str(self.home)}
        if core is not None:
            environment[CORE] = str(core)
        self._log = (self.home / "output").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, "run", "--home", str(self.home), "--port", "0"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        self.url = self._wait_for_url()
        self.client = DaemonClient(self.url)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    @property
    def variables(self) -> dict[str, str | None]:
        """What a program's environment needs to be a node of this daemon."""
        return {"TREETAP_HOME": str(self.home), "TREETAP_DAEMON_URL": self.url}

    def wait_until_armed(self, probe: str, nodes: int = 1) -> None:
        """Wait until a probe is armed in so many nodes.

        Raises:
            WorkerError: It isn't, after ten seconds.
        """
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            shown = self.client.probe(probe)
            if sum(node["state"] == "armed" for node in shown["nodes"]) >= nodes:
                return
            time.sleep(0.02)
        raise WorkerError(f"{probe} was not armed: {shown}")

    def _wait_for_url(self) -> str:
        deadline = time.monotonic() + 60  # the first compiles all of it
        place = self.home / "run" / "daemon.json"
        while time.monotonic() < deadline:
            try:
                url = str(json.loads(place.read_text(encoding="utf-8"))["url"])
                with DaemonClient(url, timeout_s=1) as client:
                    client.health()
            except Exception:
                if self.process.poll() is not None:
                    break
                time.sleep(0.02)
            else:
                return url
        self.process.kill()
        output = (self.home / "output").read_text(encoding="utf-8", errors="replace")
        raise WorkerError(f"the daemon didn't start: {output}")


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process has used; 0 where that can't be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process; 0 where that can't be read."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def probe_fields(path: str, line: int, expressions: tuple[str, ...], **more: Any) -> dict[str, Any]:
    """A probe for the API, without a budget: the governor isn't what is measured."""
    return {
        "location": f"{path}:{line}",
        "expressions": list(expressions),
        "budget_percent": 0,
        **more,
    }
