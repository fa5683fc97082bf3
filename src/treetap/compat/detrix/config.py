"""What detrix-py calls its configuration: names, paths, and the environment."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AUTH_TOKEN_FILENAME",
    "generate_connection_name",
    "get_detrix_home",
    "get_env_config",
    "get_free_port",
    "get_token_file_path",
]

OLDEST, NEWEST = "1.0.0", "1.2.0"

AUTH_TOKEN_FILENAME = "auth-token"
#: Of 1.0.0, and of the daemon that an agent's bridge starts; each is read where the other isn't there.
OLD_TOKEN_FILENAME = "mcp-token"

_FALSE = ("false", "0", "no", "off")
#: ``{key of get_env_config: variable}``.
_VARIABLES = {
    "name": "DETRIX_NAME",
    "control_host": "DETRIX_CONTROL_HOST",
    "advertise_host": "DETRIX_HOST",
    "control_port": "DETRIX_CONTROL_PORT",
    "debug_port": "DETRIX_DEBUG_PORT",
    "daemon_url": "DETRIX_DAEMON_URL",
    "token": "DETRIX_TOKEN",
    "workspace_root": "DETRIX_WORKSPACE_ROOT",
    "health_check_timeout": "DETRIX_HEALTH_CHECK_TIMEOUT",
    "register_timeout": "DETRIX_REGISTER_TIMEOUT",
    "unregister_timeout": "DETRIX_UNREGISTER_TIMEOUT",
    "ca_bundle": "DETRIX_CA_BUNDLE",
}


def version() -> str:
    """Which detrix-py this is, where they can't both be: the newest, or what ``TREETAP_DETRIX_PY`` says."""
    return OLDEST if os.environ.get("TREETAP_DETRIX_PY") == OLDEST else NEWEST


def get_detrix_home(override: str | None = None) -> Path:
    """Where the token file is: ``override``, ``DETRIX_HOME`` or ``~/detrix``."""
    given = override or os.environ.get("DETRIX_HOME")
    return Path(given).expanduser() if given else Path.home() / "detrix"


def get_token_file_path(detrix_home: Path | None = None) -> Path:
    """The token file of a home."""
    name = AUTH_TOKEN_FILENAME if version() == NEWEST else OLD_TOKEN_FILENAME
    return (detrix_home or get_detrix_home()) / name


def get_free_port() -> int:
    """A port of the loopback address that nobody has just now; somebody may, the moment after."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def generate_connection_name(name: str) -> str:
    """``name``, or one with the pid if that is empty. In 1.0.0 each has the pid."""
    if name and version() == NEWEST:
        return name
    return f"{name or 'detrix-client'}-{os.getpid()}"


def get_env_config() -> dict[str, str | bool | None]:
    """What the environment says; ``None`` for what it doesn't."""
    found: dict[str, str | bool | None] = {
        key: os.environ.get(variable) for key, variable in _VARIABLES.items()
    }
    found["verify_ssl"] = is_verifying(os.environ)
    return found


def is_verifying(environ: Mapping[str, str]) -> bool:
    """``DETRIX_VERIFY_SSL``: all but four words means yes."""
    return environ.get("DETRIX_VERIFY_SSL", "").lower() not in _FALSE
