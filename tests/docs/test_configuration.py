"""``docs/configuration.md`` has every setting, with its default, its meaning and its variable."""

from __future__ import annotations

from pathlib import Path

from treetap.config.daemon import KEYS, DaemonConfig, variable_of
from treetap.config.settings import SETTINGS
from treetap.config.template import meanings, toml_value

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def rows() -> list[str]:
    return [line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") > 3]


def test_every_setting_has_its_row_and_no_other_has():
    of_all = [
        f"| `{name}` | `{toml_value(default)}` | {meanings()[name]} |"
        for name, (_check, default) in SETTINGS.items()
    ]
    of_daemon = []
    for key, about in KEYS.items():
        restart = "" if about.is_hot else " *Restart.*"
        default = toml_value(DaemonConfig().value(key))
        name = key.partition(".")[2]
        of_daemon.append(
            f"| `{name}` | `{default}` | {about.meaning}{restart} | `{variable_of(key)}` |"
        )
    assert rows() == of_all + of_daemon


def test_every_table_has_its_heading():
    tables = [name for name in DaemonConfig._fields if name != "origins"]
    assert [line for line in PAGE.splitlines() if line.startswith("### ")] == [
        f"### [{table}]" for table in tables
    ]
