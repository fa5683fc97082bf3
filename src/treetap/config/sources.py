"""Where settings come from, beside arguments: the environment and ``config.toml``."""

from __future__ import annotations

import os

from treetap.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Settings whose name in Detrix isn't ours.
_DETRIX_NAMES = {"advertise_host": "DETRIX_HOST"}

#: What Detrix hasn't got, and so can't have set.
_OURS = (
    "start_state",
    "debugger",
    "trust_loopback",
    "redact",
    "follow_children",
    "pause_timeout_s",
    "debug",
    "max_hold_s",
)


def from_environment(name: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """``(text, variable)`` of the setting ``name``, or ``None``; an empty variable is unset."""
    variables = [f"TREETAP_{name.upper()}"]
    if name not in _OURS:
        variables.append(_DETRIX_NAMES.get(name, f"DETRIX_{name.upper()}"))
    for variable in variables:
        if environ.get(variable, "").strip():
            return environ[variable], variable
    return None


def from_file(path: str) -> dict[str, Any]:
    """The top-level values of a ``config.toml``; empty if there is none. Tables are left out.

    Raises:
        ConfigError: As ``whole_file``.
    """
    return {name: value for name, value in whole_file(path).items() if not isinstance(value, dict)}


def whole_file(path: str) -> dict[str, Any]:
    """Everything in a ``config.toml``, its tables too, which are the daemon's.

    Raises:
        ConfigError: It can't be read, or is no TOML (slug ``config-file``).
    """
    if not os.path.exists(path):
        return {}
    # 13 ms of import, paid only by those who have the file.
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"{path} can't be read.", f"{exc}\nMend it, or move it away.", slug="config-file"
        ) from exc
