"""What the daemon is told at its start."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from treetap.config import resolve
from treetap.daemon.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import Sequence


class DaemonSettings(NamedTuple):
    """Attributes:
    home: Directory of everything the daemon keeps.
    configuration: Its settings; some can change while it runs.
    """

    home: Path
    configuration: Configuration

    @property
    def host(self) -> str:
        """Address that the API and the TCP link bind."""
        return self.configuration.current.daemon.host

    @property
    def port(self) -> int:
        """Of the API; 0 for any."""
        return self.configuration.current.daemon.port

    @property
    def store_url(self) -> str:
        """Of the database."""
        return self.configuration.current.store.url or f"sqlite:///{self.home / 'treetap.db'}"

    @property
    def run_dir(self) -> Path:
        return self.home / "run"

    @property
    def log_path(self) -> Path:
        return self.home / "daemon.log"


def parse_arguments(arguments: Sequence[str]) -> DaemonSettings:
    """Settings from the command line, the environment and ``config.toml``, in this order.

    Raises:
        ConfigError: One can't be used.
        SystemExit: The command line can't be read, or asked for help.
    """
    given = _parser().parse_args(arguments)
    # The home first: it is where the file is.
    home = Path(resolve({"home": given.home} if given.home else {}).home)
    return DaemonSettings(
        home,
        Configuration(
            home,
            {
                "daemon.host": given.host,
                "daemon.port": given.port,
                "daemon.allowed_hosts": given.allow_host or None,
                "store.url": given.store,
                "store.max_age_days": given.store_days,
                "store.max_size_mib": given.store_mib,
            },
        ),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m treetap.app", description=__doc__)
    run = parser.add_subparsers(required=True).add_parser("run", help="run in the foreground")
    run.add_argument("--home", help="directory of everything it keeps")
    run.add_argument("--host", help="address to bind")
    run.add_argument("--port", type=_port, help="port of the API; 0 for any")
    run.add_argument("--store", metavar="URL", help="database (TREETAP_STORE)")
    run.add_argument("--store-days", metavar="N", help="events are kept so long; 0: for ever")
    run.add_argument("--store-mib", metavar="N", help="so much is kept; 0: without limit")
    run.add_argument(
        "--allow-host", metavar="NAME", action="append", help="a name it is reached by"
    )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:
        raise argparse.ArgumentTypeError(f"{port} is no port")
    return port
