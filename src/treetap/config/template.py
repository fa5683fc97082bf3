"""A ``config.toml`` that has every setting, with its meaning and its default, as comments.

Commented out, so that a later version's default isn't pinned by a file that nobody has touched.
"""

from __future__ import annotations

from typing import Any

from treetap.config.daemon import KEYS, DaemonConfig, variable_of
from treetap.config.settings import SETTINGS, Settings

#: The home is where the file is found: it can't say where that is.
_NOT_IN_THE_FILE = ("home",)

_HEAD = """\
# treetap's settings: config.toml in its home (~/.treetap, or TREETAP_HOME).
#
# Every setting is here with its default; take the "# " away in front of the ones that you change.
# The environment wins over this file: TREETAP_<NAME> here, and for a table's keys the variable that is
# named there. `treetap doctor` shows what holds, and where it came from.
"""
_DAEMON = """\

# ---------------------------------------------------------------------------------------------
# From here on, the daemon's own. It reads the file as it starts, and when it is told to:
# `treetap daemon reload`. What is marked "restart" holds from the next start on.
"""


def template() -> str:
    """The text of the file; valid TOML, also with every setting uncommented."""
    parts = [_HEAD]
    meaning_of = meanings()
    for name, (_check, default) in SETTINGS.items():
        if name not in _NOT_IN_THE_FILE:
            parts.append(_setting(name, default, meaning_of.get(name, "")))
    parts.append(_DAEMON)
    table = ""
    for key, about in KEYS.items():
        if key.partition(".")[0] != table:
            table = key.partition(".")[0]
            parts.append(f"\n[{table}]\n")
        when = "" if about.is_hot else ", restart"
        meaning = f"{about.meaning} ({variable_of(key)}{when})"
        parts.append(_setting(key.partition(".")[2], DaemonConfig().value(key), meaning))
    return "".join(parts)


def _setting(name: str, default: Any, meaning: str) -> str:
    return f"\n{_comment(meaning)}# {name} = {toml_value(default)}\n"


def _comment(text: str) -> str:
    lines, line = [], "#"
    for word in text.split():
        if len(line) + 1 + len(word) > 100:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return "\n".join([*lines, line]) + "\n"


def toml_value(value: Any) -> str:
    """A value of a setting as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}" if value == int(value) else repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def meanings() -> dict[str, str]:
    """What each setting means, from the one place where that is written: ``Settings``."""
    found: dict[str, str] = {}
    name = ""
    for line in (Settings.__doc__ or "").partition("Attributes:")[2].splitlines():
        indent = len(line) - len(line.lstrip())
        # 3.13 takes the indentation of a docstring away, which is the class's own.
        first, colon, rest = line.strip().partition(": ")
        if colon and first in SETTINGS and indent < 12:
            name = first
            found[name] = rest
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return {name: text.replace("``", "") for name, text in found.items()}
