"""``treetap doctor``: what this Python, this user and this terminal allow."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap import interpreter
from treetap.cli import exitcode, live, screen, session
from treetap.cli.doctor_daemon import daemon_config, examine_daemon
from treetap.cli.finding import BAD, NOTE, OK, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treetap.config.daemon import DaemonConfig
    from treetap.config.settings import Settings

EPILOG = """\b
Examples:
  treetap doctor
  treetap doctor --json | jq 'select(.verdict != "ok")'

\b
Exit code 1 if something is bad; what is only worth knowing ("note") doesn't count.
"""

_STYLES = {OK: "green", NOTE: "yellow", BAD: "bold red"}


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a finding and line.")
    ] = False,
) -> None:
    """Say what this Python, user and terminal allow.

    Then every setting with its value, the daemon's too, and where that came from: an environment
    variable, config.toml in the home, or the default.
    """
    settings = session.settings()
    config, problems = daemon_config(settings)
    findings = list(examine(settings, config, problems))
    shown = [*_shown(settings), *_shown_of_daemon(config)]
    if as_json:
        for finding in findings:
            screen.print_json(finding._asdict())
        for name, value, origin in shown:
            screen.print_json({"setting": name, "value": value, "origin": origin})
    else:
        _show(shown, findings)
    if any(finding.verdict == BAD for finding in findings):
        raise typer.Exit(exitcode.FAILURE)


def examine(settings: Settings, config: DaemonConfig, problems: list[str]) -> Iterator[Finding]:
    """Everything, in the order in which it is shown."""
    yield _python()
    yield _engines()
    yield from _monitoring_ids()
    yield from _packages()
    yield _collector()
    yield _processes()
    yield _home(Path(settings.home))
    yield _token(settings)
    yield from examine_daemon(settings, config, problems)
    yield _nodes(settings)
    yield _terminal()
    yield _tapped()


def _python() -> Finding:
    version = ".".join(map(str, interpreter.VERSION))
    refusal = interpreter.refusal()
    where = f"{sys.implementation.name} {version}, {sys.executable}"
    return Finding("python", BAD if refusal else OK, f"{where}: {refusal}" if refusal else where)


def _engines() -> Finding:
    if interpreter.HAS_MONITORING:
        return Finding("engines", OK, "injecting; monitoring for frames that already run")
    return Finding(
        "engines",
        OK,
        "injecting; tracing, time-boxed, for frames that already run (no sys.monitoring here)",
    )


def _monitoring_ids() -> Iterator[Finding]:
    monitoring: Any = getattr(sys, "monitoring", None)
    if monitoring is None:
        return
    names = {tool: monitoring.get_tool(tool) for tool in range(6)}
    taken = ", ".join(f"{tool} {name}" for tool, name in names.items() if name)
    free = " ".join(str(tool) for tool, name in names.items() if not name)
    text = f"free tool ids of a fresh process: {free or 'none'}"
    yield Finding("monitoring", OK if free else BAD, f"{text}; taken: {taken}" if taken else text)


def _packages() -> Iterator[Finding]:
    needed = {
        "msgspec": "an awake node speaks with it: pip install msgspec",
        "httpx": "the commands speak with it: pip install 'treetap[daemon]'",
        "starlette": "the daemon is made of it: pip install 'treetap[daemon]'",
        "sqlalchemy": "the store is made of it: pip install 'treetap[daemon]'",
    }
    missing = [f"{name} ({why})" for name, why in needed.items() if find_spec(name) is None]
    if missing:
        yield Finding("packages", BAD, "missing: " + "; ".join(missing))
    else:
        yield Finding("packages", OK, ", ".join(needed))


def _collector() -> Finding:
    if gc.isenabled():
        return Finding("gc", OK, f"enabled, thresholds {gc.get_threshold()}")
    return Finding("gc", NOTE, "disabled in this process")


def _processes() -> Finding:
    user = f"user {os.geteuid()}"
    if not Path("/proc/self/stat").exists():
        return Finding(
            "/proc", NOTE, f"{user}; no /proc: a peer's user can't be known, loopback is trusted"
        )
    missing = [
        path for path in ("/proc/net/tcp", "/proc/self/stat") if not os.access(path, os.R_OK)
    ]
    if missing:
        return Finding(
            "/proc", NOTE, f"{user}; not readable: {', '.join(missing)}; peers need the token"
        )
    return Finding("/proc", OK, f"{user}; readable: peers of the same user are recognised")


def _home(home: Path) -> Finding:
    place = home if home.exists() else _existing(home)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as exc:
        return Finding(
            "home",
            BAD,
            f"{home} is not writable: {exc.strerror}; set TREETAP_HOME to a directory that is",
        )
    if not home.exists():
        return Finding("home", OK, f"{home} (will be made)")
    owner, mode = home.stat().st_uid, home.stat().st_mode & 0o777
    if owner != os.geteuid():
        return Finding(
            "home",
            BAD,
            f"{home} belongs to user {owner}; set TREETAP_HOME to a directory of your own",
        )
    free_gb = shutil.disk_usage(home).free / 1e9
    return Finding("home", OK, f"{home}, mode {mode:o}, {free_gb:.1f} GB free")


def _existing(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.exists())


def _token(settings: Settings) -> Finding:
    file = Path(settings.home) / "token"
    if settings.token:
        return Finding("token", OK, f"given by {settings.origin('token')}")
    if not file.exists():
        return Finding("token", OK, "none: only processes of this user on this machine may speak")
    if file.stat().st_mode & 0o077:
        return Finding("token", BAD, f"{file} is readable by others; chmod 600 {file}")
    return Finding("token", OK, str(file))


def _nodes(settings: Settings) -> Finding:
    nodes = live.live_nodes(settings)
    states = live.states(settings, nodes)
    silent = [
        str(node.identity.pid)
        for node in nodes
        if states[node.identity.id].get("state") == live.NO_ANSWER
    ]
    if silent:
        return Finding(
            "nodes", NOTE, f"{len(nodes)} live; no answer from {', '.join(silent)} (stopped?)"
        )
    return Finding("nodes", OK, f"{len(nodes)} live")


def _terminal() -> Finding:
    if not sys.stdout.isatty():
        return Finding("terminal", NOTE, "standard output is no terminal: plain lines, no colours")
    size = shutil.get_terminal_size()
    colours = (
        "no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else os.environ.get("TERM", "no TERM")
    )
    verdict = OK if size.columns >= 80 else NOTE
    return Finding("terminal", verdict, f"{size.columns} x {size.lines}, {colours}")


def _tapped() -> Finding:
    tree = os.environ.get("TREETAP_TREE")
    if tree:
        return Finding("tree", NOTE, f"this shell itself runs inside the tapped tree {tree}")
    return Finding("tree", OK, "this shell runs in no tapped tree")


def shown_setting(settings: Settings, name: str) -> str:
    """Its value for people; never the token."""
    value = getattr(settings, name)
    if name == "token":
        return "(set)" if value else ""
    return _text(value)


def _shown(settings: Settings) -> list[tuple[str, str, str]]:
    return [
        (name, shown_setting(settings, name), settings.origin(name)) for name in settings.names()
    ]


def _shown_of_daemon(config: DaemonConfig) -> list[tuple[str, str, str]]:
    from treetap.config.daemon import KEYS

    shown = []
    for key in KEYS:
        value = config.value(key)
        # A database's URL may have a password in it.
        text = "(set)" if key == "store.url" and "@" in value else _text(value)
        shown.append((key, text, config.origin(key)))
    return shown


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _show(shown: list[tuple[str, str, str]], findings: list[Finding]) -> None:
    from rich.text import Text

    screen.print_table(
        ("", "ABOUT", "FOUND"),
        [(Text(f.verdict, style=_STYLES[f.verdict]), f.topic, f.text) for f in findings],
    )
    print()
    screen.print_table(
        ("SETTING", "VALUE", "FROM"),
        shown,
    )
