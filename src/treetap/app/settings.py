"""What the daemon is told at its start."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from treetap.config import resolve
from treetap.daemon.link_session import LINK_LIMITS, LinkLimits
from treetap.errors import ConfigError
from treetap.link import auth
from treetap.store.retention import Retention

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY_S = 24 * 3600.0


class DaemonSettings(NamedTuple):
    """Attributes:
    home: Directory of everything the daemon keeps.
    host: Address that the API and the TCP link bind.
    port: Of the API; 0 for any.
    store_url: Of the database.
    retention: How long and how much of it is kept.
    token: Shared with other users' nodes and tools; ``""`` if there is none.
    token_complaint: What is wrong with the token's file.
    hosts: Names under which the API may be reached, beside loopback's.
    trust_loopback: Trust a loopback peer whose user can't be known.
    link_limits: What a node's link may do.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 8090
    store_url: str = ""
    retention: Retention = Retention()
    token: str = ""
    token_complaint: str = ""
    hosts: tuple[str, ...] = ()
    trust_loopback: bool = True
    link_limits: LinkLimits = LINK_LIMITS

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
    config = resolve({"home": given.home} if given.home else {})
    home = Path(config.home)
    host, port = _place(config.daemon_url)
    host = given.host or host
    token, complaint = config.token, ""
    if not token:
        token, complaint = auth.read_token(str(home / "token"))
    max_age_days = _number("TREETAP_STORE_DAYS", given.store_days, 7)
    max_mib = _number("TREETAP_STORE_MIB", given.store_mib, 1024)
    store_url = given.store or os.environ.get("TREETAP_STORE", "")
    return DaemonSettings(
        home=home,
        host=host,
        port=port if given.port is None else given.port,
        store_url=store_url or f"sqlite:///{home / 'treetap.db'}",
        retention=Retention(max_age_days * _DAY_S, int(max_mib * 1024 * 1024)),
        token=token,
        token_complaint=complaint,
        hosts=(host, *given.allow_host),
        trust_loopback=config.trust_loopback,
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
        "--allow-host", metavar="NAME", action="append", default=[], help="a name it is reached by"
    )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:
        raise argparse.ArgumentTypeError(f"{port} is no port")
    return port


def _place(daemon_url: str) -> tuple[str, int]:
    """Where clients look for it, if that can be on this machine."""
    parts = urlsplit(daemon_url)
    if parts.scheme == "http" and parts.hostname and auth.is_loopback(parts.hostname):
        return parts.hostname, parts.port or 8090
    return "127.0.0.1", 8090


def _number(variable: str, given: str | None, default: float) -> float:
    text = given if given is not None else os.environ.get(variable, "")
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1e9:
        raise ConfigError(
            f"{text!r} is no number that can be used for {variable.lower().removeprefix('treetap_')}.",
            f"It came from {'the command line' if given is not None else variable}. "
            "Give a number of 0 or more; 0 is no limit.",
        )
    return number
