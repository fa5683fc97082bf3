"""The table of commands."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from treetap.cli import (
    answer,
    daemon,
    demo,
    doctor,
    dump,
    events,
    exitcode,
    init_config,
    mcp,
    probe,
    probe_add,
    ps,
    run_command,
    status,
    stop,
    tail,
    target,
    wake,
)

_ORDER = [
    "run",
    "ps",
    "dump",
    "answer",
    "stop",
    "probe",
    "target",
    "tail",
    "events",
    "mcp",
    "wake",
    "sleep",
    "status",
    "doctor",
    "init-config",
    "daemon",
    "demo",
]


class InOrder(TyperGroup):
    """Lists the commands in the order in which one needs them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_ORDER.index)


_CODES = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in exitcode.MEANINGS.items())

EPILOG = f"""\b
Examples:
  treetap run -- python -m http.server 8000
  treetap ps
  treetap probe add 'http.server:SimpleHTTPRequestHandler.do_GET' self.path
  treetap tail
  treetap sleep
  treetap demo

\b
Exit codes:
{_CODES}
"""

_PLAIN = {"rich_markup_mode": None, "no_args_is_help": True}

app = typer.Typer(
    name="treetap",
    cls=InOrder,
    help="See inside live Python process trees: values from any line of a running program.",
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    **_PLAIN,  # type: ignore[arg-type]
)
probes = typer.Typer(help="Put probes on lines of running programs, and look after them.", **_PLAIN)  # type: ignore[arg-type]
targets = typer.Typer(
    help="Observe processes without treetap, through their debug adapters.",
    **_PLAIN,  # type: ignore[arg-type]
)
daemons = typer.Typer(
    help="Look after the daemon, which collects, stores and serves.",
    epilog=daemon.EPILOG,
    **_PLAIN,  # type: ignore[arg-type]
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"treetap {version('treetap')}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


app.command(
    epilog=run_command.EPILOG,
    cls=run_command.RunCommand,
    context_settings={"allow_interspersed_args": False},
)(run_command.run)
app.command(epilog=ps.EPILOG)(ps.ps)
app.command(epilog=answer.EPILOG)(answer.answer)
app.command(epilog=dump.EPILOG)(dump.dump)
app.command(epilog=stop.EPILOG)(stop.stop)
app.add_typer(probes, name="probe")
app.add_typer(targets, name="target")
app.command(epilog=tail.EPILOG)(tail.tail)
app.command(epilog=events.EPILOG)(events.events)
app.command(epilog=mcp.EPILOG)(mcp.mcp)
app.command(epilog=wake.WAKE_EPILOG)(wake.wake)
app.command(epilog=wake.SLEEP_EPILOG)(wake.sleep)
app.command(epilog=status.EPILOG)(status.status)
app.command(epilog=doctor.EPILOG)(doctor.doctor)
app.command("init-config", epilog=init_config.EPILOG)(init_config.init_config)
app.add_typer(daemons, name="daemon")
app.command(epilog=demo.EPILOG)(demo.demo)

probes.command(epilog=probe_add.EPILOG)(probe_add.add)
probes.command("list", epilog=probe.LIST_EPILOG)(probe.list_)
probes.command(epilog=probe.SHOW_EPILOG)(probe.show)
probes.command(epilog=probe.REMOVE_EPILOG)(probe.remove)
probes.command(epilog=probe.SWITCH_EPILOG)(probe.enable)
probes.command(epilog=probe.SWITCH_EPILOG)(probe.disable)

targets.command(epilog=target.ADD_EPILOG)(target.add)
targets.command("list", epilog=target.LIST_EPILOG)(target.list_)
targets.command(epilog=target.REMOVE_EPILOG)(target.remove)

daemons.command()(daemon.start)
daemons.command()(daemon.stop)
daemons.command()(daemon.restart)
daemons.command()(daemon.status)
daemons.command()(daemon.reload)
daemons.command()(daemon.run)
