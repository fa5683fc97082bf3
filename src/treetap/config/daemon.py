"""The daemon's own settings: the tables of ``config.toml``, resolved into one frozen value.

Precedence: command line, environment, ``config.toml`` in the home, default. What stands above the
file's first table is everybody's (``settings``); the tables are the daemon's alone. ``template``
writes a file that has all of them.
"""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from treetap.config import checks
from treetap.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Serving(NamedTuple):
    """``[daemon]``: where and to whom it speaks."""

    host: str = "127.0.0.1"
    port: int = 8090
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    open_paths: tuple[str, ...] = ("/health",)
    log_level: str = "info"


class Storing(NamedTuple):
    """``[store]``: where it keeps events, and how many."""

    url: str = ""
    max_age_days: float = 7.0
    max_size_mib: float = 1024.0


class RateLimit(NamedTuple):
    """``[rate_limit]``: how many requests one peer may send."""

    enabled: bool = True
    per_second: float = 100.0
    burst: int = 200
    exempt_loopback: bool = True


class Linking(NamedTuple):
    """``[link]``: what the link of a node may do."""

    handshake_timeout_s: float = 5.0
    max_unsent_mib: float = 32.0


class Streaming(NamedTuple):
    """``[stream]``: of ``/api/v2/events/stream``."""

    heartbeat_s: float = 15.0


class DaemonConfig(NamedTuple):
    """All tables; ``origins`` says of ``table.key`` where its value came from."""

    daemon: Serving = Serving()
    store: Storing = Storing()
    rate_limit: RateLimit = RateLimit()
    link: Linking = Linking()
    stream: Streaming = Streaming()
    origins: Mapping[str, str] = {}

    def value(self, key: str) -> Any:
        """Of ``table.key``."""
        table, _, name = key.partition(".")
        return getattr(getattr(self, table), name)

    def origin(self, key: str) -> str:
        """``command line``, the variable's name, ``config.toml`` or ``default``."""
        return self.origins.get(key, "default")


class Key(NamedTuple):
    """What is known of a key.

    Attributes:
        check: Makes a value of what was written, or raises.
        meaning: For people; the text of the template.
        is_hot: A running daemon takes a new value with ``reload``; else it needs a restart.
        variable: Of the environment; ``TREETAP_<TABLE>_<KEY>`` if not given.
    """

    check: Callable[[Any], Any]
    meaning: str
    is_hot: bool = True
    variable: str = ""


#: ``{"table.key": Key}``, in the order in which the template has them.
KEYS: dict[str, Key] = {
    "daemon.host": Key(
        checks.host,
        "Address that the API and the nodes' TCP link listen on; that of daemon_url if not given.",
        is_hot=False,
    ),
    "daemon.port": Key(
        checks.port,
        "Of the API; 0 for any free one; that of daemon_url if not given.",
        is_hot=False,
    ),
    "daemon.allowed_hosts": Key(
        checks.names,
        "Names under which the API may be reached, beside loopback's: what a request may have as Host.",
    ),
    "daemon.allowed_origins": Key(
        checks.origins,
        "Sites whose web pages may use the API in your browser, as http://localhost:3000: all of it, as you may.",
    ),
    "daemon.open_paths": Key(
        checks.paths,
        "Paths that everybody who reaches the port may read, without a token: exactly these.",
    ),
    "daemon.log_level": Key(
        checks.one_of("debug", "info", "warning", "error"), "What daemon.log in the home has."
    ),
    "store.url": Key(
        checks.database,
        "The database: sqlite:////absolute/path.db, or with the extra postgresql: postgresql://user@host/name; treetap.db in the home if empty.",
        is_hot=False,
        variable="TREETAP_STORE",
    ),
    "store.max_age_days": Key(
        checks.number(0, 1e6),
        "Events are kept so long; 0 for ever.",
        variable="TREETAP_STORE_DAYS",
    ),
    "store.max_size_mib": Key(
        checks.number(0, 1e9),
        "So much is kept, the newest; 0 without limit.",
        variable="TREETAP_STORE_MIB",
    ),
    "rate_limit.enabled": Key(
        checks.switch, "Answer 429 to a peer (an address) that sends too many requests."
    ),
    "rate_limit.per_second": Key(
        checks.number(0.001, 1e6), "Requests of one peer, on average. Each stream counts once."
    ),
    "rate_limit.burst": Key(
        checks.whole(1, 1_000_000), "How many of them may come at once, after a silence."
    ),
    "rate_limit.exempt_loopback": Key(
        checks.switch, "Not for peers on this machine. Behind a proxy on this machine: false."
    ),
    "link.handshake_timeout_s": Key(
        checks.seconds, "A node has to show who it is within so many seconds.", is_hot=False
    ),
    "link.max_unsent_mib": Key(
        checks.number(0.001, 4096),
        "What may wait for a node that reads nothing, before its link ends.",
        is_hot=False,
    ),
    "stream.heartbeat_s": Key(
        checks.seconds, "A comment goes out after so long a silence; new streams heed a change."
    ),
}


def variable_of(key: str) -> str:
    """The environment variable of ``table.key``."""
    return KEYS[key].variable or f"TREETAP_{key.replace('.', '_').upper()}"


def resolve_daemon(
    arguments: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Mapping[str, Any] | None = None,
    *,
    daemon_url: str = "",
) -> DaemonConfig:
    """The daemon's settings, each from the first source that has it.

    Args:
        arguments: By ``table.key``; ``None`` wasn't given.
        environ: Environment; that of the process if not given.
        file: What ``config.toml`` holds, as ``tomllib`` reads it.
        daemon_url: Where clients look for it: the default of host and port, if that can be here.

    Raises:
        ConfigError: A value can't be used (slug ``config-value``), or the file has a table or
            a key that is none (``config-unknown``).
    """
    config, problems = examine(arguments, environ, file, daemon_url=daemon_url)
    if problems:
        raise problems[0]
    return config


def examine(
    arguments: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Mapping[str, Any] | None = None,
    *,
    daemon_url: str = "",
) -> tuple[DaemonConfig, list[ConfigError]]:
    """As ``resolve_daemon``, with everything that is wrong; that has its default."""
    environ = os.environ if environ is None else environ
    tables, problems = _tables(file or {})
    values: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
    origins: dict[str, str] = {}
    for key, about in KEYS.items():
        given, origin = _given(key, arguments or {}, environ, tables)
        if not origin:
            continue
        table, _, name = key.partition(".")
        try:
            values[table][name] = about.check(given)
            origins[key] = origin
        except (ValueError, TypeError) as exc:
            problems.append(_bad_value(key, given, origin, exc))
    for name, value in _place(daemon_url).items():
        if f"daemon.{name}" not in origins:
            values["daemon"][name] = value
            origins[f"daemon.{name}"] = "daemon_url"
    made = {name: kind(**values[name]) for name, kind in _TABLES.items()}
    return DaemonConfig(**made, origins=origins), problems


_TABLES: dict[str, Any] = {
    name: type(default)
    for name, default in DaemonConfig._field_defaults.items()
    if name != "origins"
}


def _tables(file: Mapping[str, Any]) -> tuple[dict[str, Any], list[ConfigError]]:
    """``{"table.key": value}`` of a file; and what it has that is no setting."""
    found: dict[str, Any] = {}
    problems = []
    for table, content in file.items():
        if not isinstance(content, dict):
            continue
        if table not in _TABLES:
            problems.append(_unknown(f"[{table}]", table, list(_TABLES)))
            continue
        for name, value in content.items():
            key = f"{table}.{name}"
            if key in KEYS:
                found[key] = value
            else:
                problems.append(_unknown(key, key, list(KEYS)))
    return found, problems


def _given(
    key: str, arguments: Mapping[str, Any], environ: Mapping[str, str], tables: Mapping[str, Any]
) -> tuple[Any, str]:
    if arguments.get(key) is not None:
        return arguments[key], "command line"
    variable = variable_of(key)
    if environ.get(variable, "").strip():
        return environ[variable], variable
    if key in tables:
        return tables[key], "config.toml"
    return None, ""


def _place(daemon_url: str) -> dict[str, Any]:
    """Where clients look for the daemon, if that can be on this machine."""
    parts = urlsplit(daemon_url)
    host = parts.hostname or ""
    if parts.scheme == "http" and (host in ("localhost", "::1") or host.startswith("127.")):
        return {"host": host, "port": parts.port or 8090}
    return {}


def _bad_value(key: str, given: Any, origin: str, cause: Exception) -> ConfigError:
    return ConfigError(
        f"The setting {key} can't be {_shown(key, given)[:200]}: {cause}.",
        f"It came from: {_where(key, origin)}.",
        slug="config-value",
    )


def _shown(key: str, given: Any) -> str:
    # A URL of a database may have a password in it.
    return "what was given" if key == "store.url" else repr(given)


def _where(key: str, origin: str) -> str:
    if origin == "command line":
        return f"the command line ({key})"
    if origin == "config.toml":
        return "config.toml in the home"
    return f"the environment variable {origin}"


def _unknown(shown: str, name: str, known: list[str]) -> ConfigError:
    near = difflib.get_close_matches(name, known, 1)
    return ConfigError(
        f"There is no setting {shown} in config.toml.",
        f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}.",
        slug="config-unknown",
    )
