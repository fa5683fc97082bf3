"""What ``init`` was given, and the environment, become treetap's settings, by Detrix's rules.

The order is treetap's: argument, ``TREETAP_*``, ``DETRIX_*``, ``config.toml``, default. In detrix-py an
argument's default wins over the environment, and an argument that equals its default loses to it;
here *given* means given.
"""

from __future__ import annotations

import os
from pathlib import Path

from treetap import errors
from treetap.compat.detrix import config
from treetap.compat.detrix.errors import ConfigError
from treetap.config import checks
from treetap.config.settings import DEFAULT_DAEMON_URL, Settings, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final


class DefaultText(str):
    """A parameter's default: equal to what detrix-py has there, and told from an argument."""

    __slots__ = ()


class DefaultInteger(int):
    """Likewise."""


class DefaultNumber(float):
    """Likewise."""


NAME: Final = DefaultText("")
CONTROL_HOST: Final = DefaultText("127.0.0.1")
DAEMON_URL: Final = DefaultText(DEFAULT_DAEMON_URL)
PORT: Final = DefaultInteger(0)
HEALTH_CHECK_TIMEOUT: Final = DefaultNumber(2.0)
REGISTER_TIMEOUT: Final = DefaultNumber(5.0)
UNREGISTER_TIMEOUT: Final = DefaultNumber(2.0)
START_STATE: Final = DefaultText("sleeping")
DEBUGGER: Final = DefaultText("debugpy")

_DEFAULTS = (DefaultText, DefaultInteger, DefaultNumber)
_TIMEOUTS = ("health_check_timeout", "register_timeout", "unregister_timeout")
_PORTS = ("control_port", "debug_port")
_LONGEST_S = 3600.0


class Start:
    """What a node starts with.

    Attributes:
        settings: Resolved. Of a URL that is none they have the default.
        daemon_url: As it was written; it is looked at by a wake.
        detrix_home: Where the token file is, if that was said.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        given = {name: value for name, value in given.items() if _is_given(value)}
        self.detrix_home: str | None = given.pop("detrix_home", None)
        try:
            self._resolve(given)
        except errors.ConfigError as exc:
            raise ConfigError(exc.line) from exc

    def _resolve(self, given: dict[str, Any]) -> None:
        url = given.pop("daemon_url", None) or _from_environment("daemon_url")
        arguments: dict[str, Any] = {**given, **_own_rules(given)}
        if url is not None and not isinstance(url, str):
            raise ConfigError(f"daemon_url must be text, not {url!r}")
        if url is not None:
            arguments["daemon_url"] = url if _is_url(url) else DEFAULT_DAEMON_URL
        settings = resolve(arguments)
        if settings.origin("daemon_url") == "default":
            # As an argument it is a daemon that shall be there: a wake without it fails.
            settings = settings.replace(daemon_url=DEFAULT_DAEMON_URL)
        if settings.origin("debugger") == "default":
            settings = settings.replace(debugger="debugpy")
        self.daemon_url: str = settings.daemon_url if url is None else url
        self.settings: Settings = _named(settings, given.get("name"))


def _named(settings: Settings, given: str | None) -> Settings:
    """With the name as it was written, blanks and all; or with Detrix's for who has none."""
    name = given or _from_environment("name") or settings.name
    values = {each: getattr(settings, each) for each in settings.names()}
    origins = {each: settings.origin(each) for each in settings.names()}
    return Settings({**values, "name": config.generate_connection_name(name)}, origins)


def _own_rules(given: dict[str, Any]) -> dict[str, Any]:
    """What Detrix understands otherwise than treetap."""
    found: dict[str, Any] = {}
    for name in _TIMEOUTS:
        if name in given:
            found[name] = _timeout(given[name])
        else:
            text = _from_environment(name)
            if text is not None:
                found[name] = _timeout_of(name, text)
    for name in _PORTS:
        text = None if name in given else _from_environment(name)
        if text is not None:
            found[name] = _port_of(name, text)
    if _from_environment("verify_ssl") is not None:
        found["verify_ssl"] = config.is_verifying(os.environ)
    bundle = _from_environment("ca_bundle")
    if bundle is not None and not Path(bundle).is_file():
        raise ConfigError(f"CA bundle not found: {bundle}")
    if _from_environment("workspace_root") is not None:
        # The daemon is told it as it is: it may be a path of the daemon's machine.
        found["workspace_root"] = ""
    return found


def _timeout(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise ConfigError(f"Timeout must be a number of seconds, got {given!r}")
    if not given > 0:
        raise ConfigError(f"Timeout must be positive, got {given}")
    return min(float(given), _LONGEST_S)


def _timeout_of(name: str, text: str) -> float:
    try:
        return _timeout(float(text))
    except (ValueError, ConfigError) as exc:
        raise ConfigError(f"Invalid DETRIX_{name.upper()}: {text!r}") from exc


def _port_of(name: str, text: str) -> int:
    try:
        return checks.port(text)
    except ValueError as exc:
        raise ConfigError(f"Invalid DETRIX_{name.upper()}: {text!r}") from exc


def _from_environment(name: str) -> str | None:
    """What ``DETRIX_*`` says; ``None`` if nothing, or if ``TREETAP_*`` says something."""
    if os.environ.get(f"TREETAP_{name.upper()}", "").strip():
        return None
    return os.environ.get(f"DETRIX_{name.upper()}") or None


def _is_given(value: Any) -> bool:
    return value is not None and not isinstance(value, _DEFAULTS) and value != ""


def _is_url(text: str) -> bool:
    try:
        checks.url(text)
    except ValueError:
        return False
    return True
