"""Finds the daemon of a home, and starts one where there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from treetap import proc
from treetap.errors import DaemonError, LinkError
from treetap.link import http

#: How long a daemon may take to start, in seconds: a second, or many on a machine that is busy.
START_TIMEOUT_S = 30.0
#: For a daemon that is there to say so: one on a machine that is busy has a right to be slow.
_HEALTH_TIMEOUT_S = 5.0
#: Its exit code when another runs already (``treetap.app.__main__``).
_RUNNING = 3


def find_daemon(home: str | Path) -> str | None:
    """The URL of the daemon that serves this home; ``None`` if there is none.

    Raises:
        DaemonError: There is one, which doesn't answer in 5 s (slug ``daemon-silent``).
    """
    found = _running(home)
    return None if found is None else found[0]


def ensure_daemon(home: str | Path, *, host: str | None = None, port: int | None = None) -> str:
    """The URL of the daemon of this home, which is started if it doesn't run.

    Two callers at once end with one daemon: the second to start finds the home locked, and
    both wait for the first.

    Args:
        home: Directory of the daemon.
        host: Address to bind, if one is started; ``None`` for the configured one.
        port: Of the API, likewise; 0 for any.

    Raises:
        DaemonError: It could not start (slug of its own reason), is not up in 30 s (slug
            ``daemon-slow``), or runs and doesn't answer (``daemon-silent``).
    """
    url = find_daemon(home)
    if url is not None:
        return url
    deadline_s = time.monotonic() + START_TIMEOUT_S
    pid = start_daemon(home, host=host, port=port)
    again_s = float("inf")
    while time.monotonic() < deadline_s:
        found = None
        with suppress(DaemonError):  # one that has just started may be slow for once
            found = _running(home)
        if found is not None:
            if found[1] != pid:
                _give_up(pid)
            return found[0]
        code = exit_code(pid)
        if code == _RUNNING:
            # Somebody else's is starting; or it is about to end, and nobody is left to wait for.
            again_s = time.monotonic() + 1.0
        elif code is not None:
            raise _failed(Path(home), code)
        elif time.monotonic() > again_s:
            pid, again_s = start_daemon(home, host=host, port=port), float("inf")
        time.sleep(0.02)
    raise DaemonError(
        f"The daemon is not up after {START_TIMEOUT_S:g} s.",
        f"Its log is {Path(home) / 'daemon.log'}.",
        slug="daemon-slow",
    )


def _running(home: str | Path) -> tuple[str, int] | None:
    """URL and process id of the daemon of this home; raises ``DaemonError`` if it is silent."""
    path = Path(home) / "run" / "daemon.json"
    try:
        content = json.loads(path.read_bytes())
        url, pid = str(content["url"]), int(content["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        answer = http.request(f"{url}/health", timeout_s=_HEALTH_TIMEOUT_S)
        # Its file may have outlived it, and another daemon may have its port.
        return (url, pid) if json.loads(answer.body)["treetap"]["pid"] == pid else None
    except LinkError as exc:
        if getattr(exc.__cause__, "slug", "") == http.TOO_SLOW and _is_writer(pid, path):
            raise DaemonError(
                f"The daemon of {home} (pid {pid}) runs, and doesn't answer.",
                f"It may be stopped (kill -CONT {pid}), or the machine be very busy. "
                f"To end it by hand: kill {pid}.",
                slug="daemon-silent",
            ) from exc
        return None
    except (ValueError, KeyError, TypeError):
        return None


def _is_writer(pid: int, path: Path) -> bool:
    """Whether this is the process that wrote the file, and not one that has its number since."""
    start_s = proc.start_ns(proc.stat(pid)) / 1e9
    try:
        age_s = time.time() - path.stat().st_mtime
    except OSError:
        return False
    return bool(start_s) and time.clock_gettime(time.CLOCK_BOOTTIME) - start_s >= age_s


def _give_up(pid: int) -> None:
    """End a daemon of ours that came too late: it must not take over when the other one ends.

    A child that was waited for may have left its pid to a stranger: that one is not touched.
    """
    try:
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
    except (ChildProcessError, ProcessLookupError):
        pass


def start_daemon(home: str | Path, *, host: str | None = None, port: int | None = None) -> int:
    """Start a daemon that outlives us: a session of its own, nothing of ours inherited.

    Returns:
        Its process id.
    """
    home = Path(home).absolute()
    (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "treetap.app", "run", "--home", str(home)]
    if host is not None:
        command += ["--host", host]
    if port is not None:
        command += ["--port", str(port)]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    descriptor = os.open(_start_log(home), flags, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd="/",
            start_new_session=True,
            close_fds=True,
            env=_environment(),
        )
    finally:
        os.close(descriptor)
    # Popen would complain that it still runs. It shall.
    process.returncode = 0
    return process.pid


def exit_code(pid: int) -> int | None:
    """The exit code of a child of ours; ``None`` if it runs, or was waited for by others."""
    try:
        ended, code = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(code) if ended else None


def _environment() -> dict[str, str]:
    """Ours, but for what would make the daemon a node of the tree that it was started from."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("TREETAP_TREE", "TREETAP_PARENT", "PYTHONBREAKPOINT")
    }


def _start_log(home: Path) -> Path:
    return home / "run" / "daemon.err"


def _failed(home: Path, code: int) -> DaemonError:
    try:
        said = _start_log(home).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        said = ""
    last = said.splitlines()[-1] if said else ""
    what, slug = last, "daemon-start"
    # It says its errors on one line, which ends in "[slug]".
    if last.endswith("]") and "[" in last:
        what, _, name = last[:-1].rpartition(" [")
        slug = name
    return DaemonError(
        f"The daemon could not start (exit code {code}). {what}".rstrip(),
        f"Its log is {home / 'daemon.log'}.",
        slug=slug,
    )
