from __future__ import annotations

import pytest

from treetap.config.daemon import KEYS, DaemonConfig, examine, resolve_daemon, variable_of
from treetap.errors import ConfigError

#: For each key a value that isn't its default, as a file has it.
OTHERS = {
    "daemon.host": "0.0.0.0",
    "daemon.port": 1234,
    "daemon.allowed_hosts": ["tap.internal"],
    "daemon.allowed_origins": ["http://localhost:3000"],
    "daemon.open_paths": ["/health", "/metrics"],
    "daemon.log_level": "debug",
    "store.url": "sqlite:////tmp/a.db",
    "store.max_age_days": 0.5,
    "store.max_size_mib": 10,
    "rate_limit.enabled": False,
    "rate_limit.per_second": 2.5,
    "rate_limit.burst": 7,
    "rate_limit.exempt_loopback": False,
    "link.handshake_timeout_s": 1,
    "link.max_unsent_mib": 1.5,
    "stream.heartbeat_s": 3,
}


def refusal(file=None, environ=None, arguments=None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolve_daemon(arguments, environ or {}, file)
    return caught.value


def tables(values):
    file = {}
    for key, value in values.items():
        table, _, name = key.partition(".")
        file.setdefault(table, {})[name] = value
    return file


def plain(value):
    return list(value) if isinstance(value, tuple) else value


def as_text(value) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def test_every_key_can_be_set_by_the_file_the_environment_and_the_command_line():
    assert set(OTHERS) >= set(KEYS) - {key for key in KEYS if key not in OTHERS}
    of_file = resolve_daemon({}, {}, tables(OTHERS))
    of_environment = resolve_daemon(
        {}, {variable_of(key): as_text(value) for key, value in OTHERS.items()}, {}
    )
    of_arguments = resolve_daemon(OTHERS, {}, {})
    for key, value in OTHERS.items():
        assert plain(of_file.value(key)) == value != plain(DaemonConfig().value(key)), key
        assert plain(of_environment.value(key)) == plain(of_arguments.value(key)) == value, key
        assert of_file.origin(key) == "config.toml"
        assert of_environment.origin(key) == variable_of(key)
        assert of_arguments.origin(key) == "command line"


def test_every_field_is_a_key_and_the_other_way_round():
    fields = {
        f"{table}.{name}"
        for table in DaemonConfig._fields
        if table != "origins"
        for name in getattr(DaemonConfig(), table)._fields
    }
    assert fields == set(KEYS)


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default():
    environ = {"TREETAP_STORE_DAYS": "3"}
    file = {"store": {"max_age_days": 2}}
    assert resolve_daemon({"store.max_age_days": 4}, environ, file).store.max_age_days == 4
    assert resolve_daemon({}, environ, file).store.max_age_days == 3
    assert resolve_daemon({"store.max_age_days": None}, {}, file).store.max_age_days == 2
    assert resolve_daemon({}, {}, {}).store.max_age_days == 7
    assert resolve_daemon({}, {}, {}).origin("store.max_age_days") == "default"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:1111", ("127.0.0.1", 1111)),
        ("http://localhost", ("localhost", 8090)),
        ("http://[::1]:99", ("::1", 99)),
        ("https://127.0.0.1:99", ("127.0.0.1", 8090)),
        ("http://tap.example:99", ("127.0.0.1", 8090)),
        ("", ("127.0.0.1", 8090)),
    ],
)
def test_it_listens_where_clients_look_for_it_if_that_is_here(url, place):
    config = resolve_daemon({}, {}, {}, daemon_url=url)
    assert (config.daemon.host, config.daemon.port) == place
    own = resolve_daemon({}, {}, {"daemon": {"port": 5}}, daemon_url=url)
    assert own.daemon.port == 5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("daemon.host", "http://a"),
        ("daemon.port", 65536),
        ("daemon.port", "x"),
        ("daemon.port", True),
        ("daemon.allowed_hosts", 5),
        ("daemon.allowed_origins", ["localhost:3000"]),
        ("daemon.allowed_origins", ["http://localhost:3000/"]),
        ("daemon.allowed_origins", ["http://localhost:3000/page"]),
        ("daemon.allowed_origins", "*"),
        ("daemon.allowed_origins", "null"),
        ("daemon.open_paths", ["metrics"]),
        ("daemon.open_paths", "/a?b"),
        ("daemon.log_level", "loud"),
        ("store.max_age_days", -1),
        ("store.max_size_mib", "many"),
        ("rate_limit.enabled", 2),
        ("rate_limit.per_second", 0),
        ("rate_limit.per_second", float("nan")),
        ("rate_limit.burst", 0),
        ("rate_limit.burst", 1.5),
        ("link.handshake_timeout_s", 0),
        ("stream.heartbeat_s", "inf"),
        ("store.url", []),
    ],
)
def test_a_bad_value_names_the_key_and_where_it_came_from(key, value):
    error = refusal(tables({key: value}))
    assert error.slug == "config-value"
    assert key in error.what
    assert "config.toml" in error.hint


def test_a_password_in_a_database_s_url_is_not_repeated():
    assert "sesame" not in refusal({"store": {"url": "postgresql://a:sesame@b/\n"}}).line


def test_a_misspelled_key_or_table_is_told_with_the_nearest():
    error = refusal({"rate_limit": {"per_secnd": 3}})
    assert (error.slug, error.hint) == ("config-unknown", "Did you mean rate_limit.per_second?")
    assert refusal({"sotre": {"url": ""}}).hint == "Did you mean store?"
    assert "rate_limit" in refusal({"zzz": {}}).hint


def test_everything_that_is_wrong_is_told_and_has_its_default():
    config, problems = examine(
        {}, {"TREETAP_STORE_MIB": "x"}, {"rate_limit": {"burst": -1, "x": 1}, "y": {}}
    )
    assert len(problems) == 4
    assert config.rate_limit.burst == DaemonConfig().rate_limit.burst
