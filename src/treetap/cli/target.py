"""``treetap target add|list|remove``: processes without treetap, through their debug adapters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treetap.cli import exitcode, screen, session, spec

if TYPE_CHECKING:
    from collections.abc import Mapping

ADD_EPILOG = """\b
Examples:
  python -m debugpy --listen 5678 shop.py &
  treetap target add 5678 --name shop
  treetap target add db.internal:2345 --language go --workspace /srv/db
"""
LIST_EPILOG = """\b
Examples:
  treetap target list
  treetap target list --json | jq -r .tree
"""
REMOVE_EPILOG = """\b
Examples:
  treetap target remove shop-0123456789ab
"""

_STATE_STYLES = {
    "connected": "green",
    "connecting": "yellow",
    "failed": "red",
    "disconnected": "dim",
}
_HEADERS = ("TARGET", "ADDRESS", "LANGUAGE", "STATE", "PID>", "TREE", "WHY")


def add(
    address: Annotated[
        str, typer.Argument(metavar="[HOST:]PORT", help="Where its debug adapter listens.")
    ],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Of the program. [default: LANGUAGE-PORT]")
    ] = "",
    language: Annotated[
        str, typer.Option(metavar="LANGUAGE", help="python, go or rust.")
    ] = "python",
    workspace: Annotated[
        str, typer.Option(metavar="DIR", help="Directory of its sources, as the program sees it.")
    ] = "",
    pid: Annotated[int, typer.Option(metavar="PID", help="Its process id, if it is known.")] = 0,
    safe: Annotated[
        bool, typer.Option("--safe", help="Take nothing that could hold it up: no snapshots.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The target as one JSON object.")] = False,
) -> None:
    """Observe a process that a debug adapter serves: debugpy, delve or lldb-dap.

    It is a node like any other then, and runs on when it is let go. One that can't be attached to
    is tried again for a while; the exit code is 1.
    """
    host, port = _place(address)
    client = session.started_daemon(session.settings())
    with client:
        target = client.add_target(
            host,
            port,
            name or f"{language}-{port}",
            language=language,
            workspace_root=str(Path(workspace).absolute()) if workspace else None,
            pid=pid,
            is_safe_mode=safe,
        )
    if as_json:
        screen.print_json(target)
    else:
        print(screen.plain(f"{target['id']} is {target['state']}{_because(target)}"))
    if target["state"] == "failed":
        raise typer.Exit(exitcode.FAILURE)


def list_(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a target and line.")
    ] = False,
) -> None:
    """List the targets: where they are, and whether they are observed at this moment."""
    with session.required_daemon(session.settings()) as client:
        targets = client.targets()
    if as_json:
        for target in targets:
            screen.print_json(target)
    elif targets:
        screen.print_table(_HEADERS, [_row(target) for target in targets])
    else:
        screen.complain("No target. Add one: treetap target add [HOST:]PORT.")


def remove(
    target: Annotated[
        list[str] | None, typer.Argument(metavar="TARGET", help="Its id, or its name.")
    ] = None,
    over: Annotated[
        bool, typer.Option("--over", help="Forget those that are disconnected or failed.")
    ] = False,
) -> None:
    """Let targets go; their programs run on."""
    if over == bool(target):
        raise spec.UsageError("Name the targets, or say --over.")
    with session.required_daemon(session.settings()) as client:
        if over:
            print(f"{client.forget_targets()} forgotten")
            return
        known = client.targets()
        for name in target or ():
            for found in [each["id"] for each in known if each["name"] == name] or [name]:
                client.let_target_go(found)
                print(f"{screen.plain(found)} let go")


def _place(address: str) -> tuple[str, int]:
    """Host and port of ``5678``, ``host:5678`` or ``[::1]:5678``."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise spec.UsageError(f"{address!r} has no port from 1 to 65535; write 5678, or HOST:5678.")
    return host.strip("[]") or "127.0.0.1", int(port)


def _row(target: Mapping[str, Any]) -> tuple[Any, ...]:
    from rich.text import Text

    host, state = target["host"], target["state"]
    shown = f"[{host}]" if ":" in host else host
    return (
        screen.plain(target["id"]),
        screen.plain(f"{shown}:{target['port']}"),
        target["language"],
        Text(state, style=_STATE_STYLES.get(state, "")),
        str(target["pid"] or ""),
        target["tree"],
        screen.plain(_because(target).removeprefix(": ")),
    )


def _because(target: Mapping[str, Any]) -> str:
    error = target["error"]
    return f": {error['what']} {' '.join(error['hint'].split())}".rstrip() if error else ""
