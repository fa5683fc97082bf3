"""What ``treetap doctor`` says of the daemon: its file, who may speak to it, how it runs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treetap.cli import session
from treetap.cli.finding import BAD, NOTE, OK, Finding
from treetap.errors import TreetapError
from treetap.link import auth
from treetap.link.address import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treetap.config.daemon import DaemonConfig
    from treetap.config.settings import Settings

#: What is asked for by name, and who needs it.
_EXTRAS = {
    "debugpy": "debugger = \"debugpy\" needs it: pip install 'treetap[debugpy]'",
    "mcp": "treetap mcp and /mcp need it: pip install 'treetap[mcp]'",
}


def daemon_config(settings: Settings) -> tuple[DaemonConfig, list[str]]:
    """What a daemon that starts now would have; and what is wrong with the file, each a line."""
    from treetap.config.daemon import examine
    from treetap.config.settings import SETTINGS
    from treetap.config.sources import whole_file

    file = whole_file(f"{settings.home}/config.toml")
    config, problems = examine({}, None, file, daemon_url=settings.daemon_url)
    unknown = [
        f"there is no setting {name}"
        for name, value in file.items()
        if not isinstance(value, dict) and (name not in SETTINGS or name == "home")
    ]
    return config, [*unknown, *(problem.what.rstrip(".") for problem in problems)]


def examine_daemon(
    settings: Settings, config: DaemonConfig, problems: list[str]
) -> Iterator[Finding]:
    """Everything about it, in the order in which it is shown."""
    yield _file(settings, problems)
    yield _extras()
    yield _access(settings, config)
    yield from _running(settings, config, is_file_good=not problems)


def _file(settings: Settings, problems: list[str]) -> Finding:
    path = Path(settings.home) / "config.toml"
    if not path.exists():
        return Finding("config", OK, "none, all is default; to have one: treetap init-config")
    if problems:
        return Finding("config", BAD, f"{path}: {'; '.join(problems)}; no daemon starts with it")
    if settings.origin("token") == "config.toml" and path.stat().st_mode & 0o077:
        return Finding(
            "config", BAD, f"{path} has the token and is readable by others; chmod 600 {path}"
        )
    return Finding("config", OK, str(path))


def _extras() -> Finding:
    missing = [f"no {name} ({why})" for name, why in _EXTRAS.items() if find_spec(name) is None]
    if missing:
        return Finding("extras", NOTE, "; ".join(missing))
    return Finding("extras", OK, ", ".join(_EXTRAS))


def _access(settings: Settings, config: DaemonConfig) -> Finding:
    """Who may speak to a daemon that starts now."""
    host = config.daemon.host
    token = settings.token or auth.read_token(f"{settings.home}/token")[0]
    if is_loopback(host):
        others = "other users with the token" if token else "nobody else, for there is no token"
        return Finding("access", OK, f"from this machine alone: this user, and {others}")
    if not token:
        return Finding(
            "access",
            NOTE,
            f"it listens on {host}, but there is no token: nobody on another machine can use it",
        )
    limit = config.rate_limit
    limited = (
        f"{limit.per_second:g} requests a second, {limit.burst} at once"
        if limit.enabled
        else "without a limit"
    )
    return Finding("access", OK, f"it listens on {host}, for who has the token; a peer: {limited}")


def _running(settings: Settings, config: DaemonConfig, *, is_file_good: bool) -> Iterator[Finding]:
    try:
        client = session.running_daemon(settings)
        if client is None:
            yield Finding("daemon", OK, "none runs; it is started when needed")
            return
        with client:
            found, runs_with = client.status(), client.config()["settings"]
    except TreetapError as exc:
        yield Finding("daemon", BAD, exc.line)
        return
    where = f"pid {found.get('pid')}, {client.url}, treetap {found.get('version')}"
    differs = [each["key"] for each in runs_with if _differs(each, config)]
    if not is_file_good or not differs:
        yield Finding("daemon", OK, where)
        return
    needs_restart = any(each["needs_restart"] for each in runs_with if each["key"] in differs)
    way_out = "treetap daemon restart" if needs_restart else "treetap daemon reload"
    text = f"{where}; runs with another {', '.join(differs)} than is set now: {way_out}"
    yield Finding("daemon", NOTE, text)


def _differs(setting: dict[str, Any], config: DaemonConfig) -> bool:
    # The command line's is its own; and a password in a URL is not shown.
    if setting["origin"] == "command line" or setting["key"] == "store.url":
        return False
    value = config.value(setting["key"])
    return bool(setting["value"] != (list(value) if isinstance(value, tuple) else value))
