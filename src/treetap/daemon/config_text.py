"""``config.toml`` as text: read, merged with a change, written with its comments, shown."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from treetap.config.daemon import KEYS, DaemonConfig
from treetap.config.template import template
from treetap.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treetap.config.settings import Settings

#: What is shown of a secret.
REDACTED = "***"
#: Of a text that somebody sends: ten times the template.
MAX_CHARS = 64 * 1024
#: In one line of it. A key of 30 000 parts takes tomllib a minute, in which the loop does nothing else.
MAX_DOTS = 100


def shown(settings: Settings, config: DaemonConfig, *, has_token: bool) -> str:
    """All settings as TOML; secrets are left out."""
    document = tomlkit.document()
    for name in settings.names():
        value = getattr(settings, name)
        if name == "token":
            value = REDACTED if has_token else ""
        if name != "home":
            document[name] = _plain(value)
    for key in KEYS:
        table, _, name = key.partition(".")
        if table not in document:
            document[table] = tomlkit.table()
        value = config.value(key)
        document[table][name] = _plain(without_password(value) if key == "store.url" else value)
    return tomlkit.dumps(document)


def without_redacted(partial: dict[str, Any], config: DaemonConfig) -> dict[str, Any]:
    """Without what ``shown`` has in a secret's place: who sends that back means no change."""
    if partial.get("token") == REDACTED:
        partial = {name: value for name, value in partial.items() if name != "token"}
    url, kept = config.store.url, partial.get("store")
    if isinstance(kept, dict) and url and kept.get("url") == without_password(url):
        kept = {name: value for name, value in kept.items() if name != "url"}
        partial = {**partial, "store": kept}
    return partial


def write(file: Path, partial: Mapping[str, Any]) -> None:
    """Put ``partial`` into a file, whose other lines stay as they are.

    One that isn't there begins as the template. One that comes to hold a token is for its owner.

    Raises:
        ConfigError: It can't be written (slug ``config-file``).
    """
    # A link of the user's stays one.
    path = Path(os.path.realpath(file))
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        document = tomlkit.parse(path.read_text(encoding="utf-8") if path.exists() else template())
        _merge_into(document, partial)
        if "token" in document:
            mode &= 0o700
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(tomlkit.dumps(document))
        temporary.replace(path)
    except (OSError, ValueError, TOMLKitError) as exc:
        raise ConfigError(
            f"{file} can't be written: {exc}.",
            "Change it by hand, then: treetap daemon reload.",
            slug="config-file",
        ) from exc


def without_password(url: str) -> str:
    """A database's URL as it may be shown."""
    head, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name, colon, _password = user.partition(":")
    return f"{head}{separator}{name}:{REDACTED}@{place}" if at and colon else url


def parsed(text: str) -> dict[str, Any]:
    """What somebody sent as a ``config.toml``, or as some of one.

    Raises:
        ConfigError: It is none, or larger than any that makes sense (slug ``config-file``).
    """
    if len(text) > MAX_CHARS or any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise ConfigError(
            "This is no config.toml: it is larger than any that makes sense.",
            f"It may have {MAX_CHARS} characters, and {MAX_DOTS} dots in a line.",
            slug="config-file",
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(
            f"This is no TOML: {exc}.",
            "Write table and key: [store], then max_age_days = 3.",
            slug="config-file",
        ) from exc


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def has(file: Mapping[str, Any], key: str) -> bool:
    table, _, name = key.partition(".")
    content = file.get(table)
    return isinstance(content, dict) and name in content


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two files as one; tables are merged, ``above`` wins."""
    found = dict(below)
    for name, value in above.items():
        old = found.get(name)
        is_table = isinstance(value, dict) and isinstance(old, dict)
        found[name] = {**old, **value} if is_table else value  # type: ignore[dict-item]
    return found


def without(overlay: Mapping[str, Any], partial: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``overlay`` isn't in ``partial``."""
    found: dict[str, Any] = {}
    for name, value in overlay.items():
        if name not in partial:
            found[name] = value
        elif isinstance(value, dict) and isinstance(partial[name], dict):
            found[name] = {k: v for k, v in value.items() if k not in partial[name]}
    return found


def _merge_into(document: Any, partial: Mapping[str, Any]) -> None:
    for name, value in partial.items():
        if isinstance(value, dict):
            if name not in document:
                document[name] = tomlkit.table()
            for key, each in value.items():
                document[name][key] = each
        else:
            # A new one comes above the first table, where it belongs: tomlkit sees to that.
            document[name] = value
