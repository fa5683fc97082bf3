"""``treetap daemon start|stop|restart|status|run``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import exitcode, screen, session
from treetap.config.daemon import resolve_daemon
from treetap.config.sources import whole_file
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from treetap.config.settings import Settings

EPILOG = """\b
Examples:
  treetap daemon start
  treetap daemon status --json
  treetap daemon restart
"""

STOP_TIMEOUT_S = 30.0


Host = Annotated[
    str, typer.Option(metavar="HOST", help="Address to listen on. [default: that of daemon_url]")
]
Port = Annotated[
    int | None,
    typer.Option(metavar="PORT", help="0 for any free one. [default: that of daemon_url]"),
]


def start(host: Host = "", port: Port = None) -> None:
    """Start the daemon in the background.

    Says so if it runs already. Nodes and commands find it by its home, whatever its port.
    """
    settings = session.settings()
    running = session.home_daemon(settings)
    if running is not None:
        print(f"The daemon runs already: {_line(running.status(), running.url)}")
        running.close()
        return
    client = session.own_daemon(settings, host=host, port=port)
    print(f"The daemon runs: {_line(client.status(), client.url)}")
    client.close()


def stop() -> None:
    """Stop the daemon; nodes stay as they are and come back to the next one."""
    if not stopped(session.settings()):
        print("No daemon runs.")
        return
    print("The daemon has stopped.")


def restart(host: Host = "", port: Port = None) -> None:
    """Stop the daemon if it runs, and start it; one that works is not stopped for a bad config.toml."""
    settings = session.settings()
    file = whole_file(f"{settings.home}/config.toml")
    resolve_daemon(file=file, daemon_url=settings.daemon_url)
    stopped(settings)
    client = session.own_daemon(settings, host=host, port=port)
    print(f"The daemon runs: {_line(client.status(), client.url)}")
    client.close()


def status(
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything, as one JSON object.")
    ] = False,
) -> None:
    """Show whether a daemon runs, and what it holds; exit code 3 if none does."""
    client = session.running_daemon(session.settings())
    if client is None:
        if as_json:
            screen.print_json({"running": False})
        else:
            print("No daemon runs.")
        raise typer.Exit(exitcode.NO_DAEMON)
    found = client.status()
    if as_json:
        screen.print_json({"running": True, "url": client.url, **found})
    else:
        print(_line(found, client.url))
        for label, text in facts(found):
            print(f"  {label:<10}{text}")
    client.close()


def run(host: Host = "", port: Port = None) -> None:
    """Run the daemon in the foreground, until ctrl-c."""
    from treetap.app.run import run as serve
    from treetap.app.settings import parse_arguments

    arguments = ["run", "--home", str(session.settings().home)]
    arguments += ["--host", host] if host else []
    arguments += ["--port", str(port)] if port is not None else []
    serve(parse_arguments(arguments))


def reload() -> None:
    """Have the daemon read config.toml and its token again.

    Says what holds now, and what only from its next start on.
    """
    client = session.required_daemon(session.settings())
    try:
        change = client.reload_config()
    finally:
        client.close()
    for line in change["warnings"]:
        print(screen.plain(line))
    if change["applied"]:
        print(f"Changed: {', '.join(change['applied'])}.")
    if change["after_restart"]:
        print(
            f"After a restart: {', '.join(change['after_restart'])}. Run: treetap daemon restart."
        )
    if not change["applied"] and not change["after_restart"]:
        print("Nothing has changed.")


def stopped(settings: Settings) -> bool:
    """Stop the daemon and wait for its end; ``False`` if none ran.

    Raises:
        DaemonError: It didn't end in time (slug ``daemon-stop``).
    """
    from treetap.node.identity import process_start_ns

    client = session.home_daemon(settings)
    if client is None:
        return False
    pid = int(client.status()["pid"])
    try:
        client.shutdown()
    finally:
        client.close()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while process_start_ns(pid):  # 0 for a zombie, too
        if time.monotonic() > deadline:
            raise DaemonError(
                f"The daemon (pid {pid}) doesn't end.",
                f"See {settings.home}/daemon.log; end it by hand: kill {pid}.",
                slug="daemon-stop",
            )
        time.sleep(0.01)
    return True


def _line(found: dict[str, Any], url: str) -> str:
    uptime = screen.duration_text(float(found.get("uptime_s") or 0))
    return f"pid {found.get('pid')}, {url}, treetap {found.get('version')}, up {uptime}"


def facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What a daemon's status says, as labelled texts."""
    link, store = found.get("link") or {}, found.get("store") or {}
    return [
        ("nodes", str(found.get("nodes", 0))),
        ("probes", str(found.get("probes", 0))),
        ("values", f"{found.get('rows', 0)} received, {found.get('lost_rows', 0)} lost on the way"),
        ("store", _store_text(store)),
        ("link", f"{link.get('unix')}, {link.get('host')}:{link.get('port')}"),
    ]


def _store_text(store: dict[str, Any]) -> str:
    size_mib = float(store.get("size_bytes") or 0) / 2**20
    days = float(store.get("max_age_s") or 0) / 86400
    kept = f", kept for {days:g} days" if days else ""
    return f"{store.get('events', 0)} events, {size_mib:.1f} MiB{kept}, {store.get('url', '')}"
