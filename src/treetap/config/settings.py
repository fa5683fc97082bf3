"""The settings of a node, and of what looks for it.

Precedence: argument, ``TREETAP_*``, ``DETRIX_*``, ``config.toml`` in the home, default. *Unset* is
a sentinel: an argument that equals the default is an argument all the same.
"""

from __future__ import annotations

import os

from treetap.config import checks, sources
from treetap.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final


class _Unset:
    """The type of ``UNSET``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


#: An argument that wasn't given.
UNSET: Final = _Unset()

DEFAULT_DAEMON_URL = "http://127.0.0.1:8090"

#: ``{name: (check, default)}``; the docstring of ``Settings`` says what each means.
SETTINGS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "name": (checks.text, ""),
    "control_host": (checks.host, "127.0.0.1"),
    "control_port": (checks.port, 0),
    "advertise_host": (checks.host, ""),
    "debug_port": (checks.port, 0),
    "daemon_url": (checks.url, DEFAULT_DAEMON_URL),
    "token": (checks.text, ""),
    "home": (checks.directory, "~/.treetap"),
    "health_check_timeout": (checks.seconds, 2.0),
    "register_timeout": (checks.seconds, 5.0),
    "unregister_timeout": (checks.seconds, 2.0),
    "verify_ssl": (checks.switch, True),
    "ca_bundle": (checks.existing_file, ""),
    "workspace_root": (checks.existing_directory, ""),
    "start_state": (checks.one_of("sleeping", "warm", "awake"), "sleeping"),
    "debugger": (checks.one_of("probes", "debugpy"), "probes"),
    "trust_loopback": (checks.switch, True),
    "redact": (checks.names, ()),
    "follow_children": (checks.switch, True),
    "pause_timeout_s": (checks.limit, 0.0),
    "debug": (checks.switch, False),
    "max_hold_s": (checks.limit, 0.0),
}


class Settings:
    """Resolved settings; frozen.

    Attributes:
        name: Of the program, for people; ``""`` means the name of what runs.
        control_host: Address that the control plane binds.
        control_port: Its port; 0 for any free one.
        advertise_host: Name by which others reach this host; ``""`` for ``control_host``.
        debug_port: Port of a debugger of the kind ``debugpy``; 0 for any.
        daemon_url: Of the daemon, without a trailing slash.
        token: Shared with the daemon and other users' tools; ``""`` to look into the home.
        home: Directory of the runtime files, the token and ``config.toml``; absolute.
        health_check_timeout: Seconds to wait for a daemon's ``/health``.
        register_timeout: Seconds to wait for the link and its handshake.
        unregister_timeout: Seconds that saying goodbye may take.
        verify_ssl: Check the certificate of an ``https`` daemon.
        ca_bundle: File of certificates to check it with; ``""`` for the system's.
        workspace_root: What ``files/read`` may read; ``""`` for the working directory.
        start_state: ``sleeping``, ``warm`` (engine loaded) or ``awake``.
        debugger: ``probes`` or ``debugpy``.
        trust_loopback: Trust a loopback peer whose user can't be known.
        redact: Further names whose values are never captured.
        follow_children: Let Python programs that this one starts become nodes of its tree.
        debug: ``breakpoint()`` opens a prompt on the tree's one terminal, and SIGUSR1 has a dump of
            the tree written to standard error. ``treetap run`` sets it for its tree.
        max_hold_s: How long a supervisor that is to end a process waits for who is at a prompt
            there; 0 for as long as it takes.
        pause_timeout_s: Seconds that a process waits for its prompt; 0 for as long as it takes.
    """

    __slots__ = ("_origins", "_values")

    def __init__(self, values: dict[str, Any], origins: dict[str, str]) -> None:
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_origins", origins)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"settings are frozen; {name!r} can't be set")

    def __repr__(self) -> str:
        shown = {name: value for name, value in self._values.items() if name != "token"}
        return f"Settings({shown})"

    def origin(self, name: str) -> str:
        """``argument``, the variable's name, ``config.toml`` or ``default``."""
        return str(self._origins[name])

    def names(self) -> tuple[str, ...]:
        """All settings, in the order in which they are documented."""
        return tuple(self._values)

    @property
    def run_dir(self) -> str:
        """Directory of the runtime files (mode 0700 once somebody made it)."""
        return f"{self.home}/run"

    def replace(self, **arguments: Any) -> Settings:
        """A copy with some settings given anew, as arguments.

        Raises:
            ConfigError: As ``resolve``.
        """
        values, origins = dict(self._values), dict(self._origins)
        for name, given in arguments.items():
            values[name] = _checked(name, given, "argument")
            origins[name] = "argument"
        return Settings(values, origins)


def resolve(
    arguments: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    file: Mapping[str, Any] | None = None,
) -> Settings:
    """All settings, each from the first source that has it.

    Args:
        arguments: By name; a value of ``UNSET`` or ``None`` wasn't given.
        environ: Environment; that of the process if not given.
        file: To be taken for what ``config.toml`` of the home holds.

    Raises:
        ConfigError: A value can't be used; says which, why and where it came from (slug
            ``config-value``); an argument is no setting (``config-unknown``); ``config.toml``
            is no TOML (``config-file``).
    """
    given = {k: v for k, v in (arguments or {}).items() if v is not UNSET and v is not None}
    environ = os.environ if environ is None else environ
    for name in given:
        if name not in SETTINGS:
            raise ConfigError(
                f"There is no setting {name!r}.",
                f"The settings are: {', '.join(SETTINGS)}.",
                slug="config-unknown",
            )
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    # The home first: it is where the file is.
    values["home"], origins["home"] = _resolve("home", given, environ, {})
    if file is None:
        file = sources.from_file(f"{values['home']}/config.toml")
    for name in SETTINGS:
        if name != "home":
            values[name], origins[name] = _resolve(name, given, environ, file)
    return Settings({name: values[name] for name in SETTINGS}, origins)


def _resolve(
    name: str, arguments: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Any]
) -> tuple[Any, str]:
    if name in arguments:
        return _checked(name, arguments[name], "argument"), "argument"
    found = sources.from_environment(name, environ)
    if found is not None:
        return _checked(name, *found), found[1]
    if name in file:
        return _checked(name, file[name], "config.toml"), "config.toml"
    _check, default = SETTINGS[name]
    return (checks.directory(default) if name == "home" else default), "default"


def _checked(name: str, given: Any, origin: str) -> Any:
    check, _default = SETTINGS[name]
    try:
        # An empty text unsets a setting whose default is empty: there is no other way to say so.
        return given if given == "" == SETTINGS[name][1] else check(given)
    except (ValueError, TypeError) as exc:
        shown = "what was given" if name == "token" else repr(given)
        raise ConfigError(
            f"The setting {name} can't be {shown[:200]}: {exc}.",
            f"It came from: {_where(name, origin)}.",
            slug="config-value",
        ) from exc


def _where(name: str, origin: str) -> str:
    if origin == "argument":
        return f"the argument {name}"
    if origin == "config.toml":
        return "config.toml in the home"
    return f"the environment variable {origin}"
