from __future__ import annotations

import re
import tomllib

from treetap.config.daemon import KEYS, DaemonConfig, resolve_daemon, variable_of
from treetap.config.settings import SETTINGS, resolve
from treetap.config.template import template, toml_value


def uncommented() -> str:
    return re.sub(r"(?m)^# (\w+ = )", r"\1", template())


def test_untouched_it_sets_nothing():
    file = tomllib.loads(template())
    assert all(value == {} for value in file.values())


def test_every_setting_is_in_it_with_its_default():
    file = tomllib.loads(uncommented())
    top = {name: value for name, value in file.items() if not isinstance(value, dict)}
    assert set(top) == set(SETTINGS) - {"home"}
    settings = resolve({}, {}, file=top)
    for name in top:
        assert getattr(settings, name) == SETTINGS[name][1], name
    config = resolve_daemon({}, {}, file)
    for key in KEYS:
        assert config.value(key) == DaemonConfig().value(key), key
        assert config.origin(key) == "config.toml"


def test_every_setting_has_a_meaning_and_a_table_s_its_variable():
    text = template()
    for name in [*(set(SETTINGS) - {"home"}), *(key.partition(".")[2] for key in KEYS)]:
        assert re.search(rf"(?m)^# [^=\n]{{5,}}\n# {name} = ", text), name
    words = " ".join(text.replace("\n# ", " ").split())
    for key, about in KEYS.items():
        restart = "" if about.is_hot else ", restart"
        assert f"({variable_of(key)}{restart})" in words, key


def test_a_value_is_written_so_that_it_is_read_again():
    for value in ("", 'a "b" \\ c', 0, 1.5, 1024.0, True, False, [], ["a", "b"]):
        assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value
