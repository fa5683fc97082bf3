from __future__ import annotations

import pytest

from treetap.config.settings import DEFAULT_DAEMON_URL, SETTINGS, UNSET, Settings, resolve
from treetap.errors import ConfigError


@pytest.fixture
def nowhere(tmp_path):
    """An environment with an empty home."""
    return {"TREETAP_HOME": str(tmp_path)}


def refusal(arguments=None, environ=None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolve(arguments, environ)
    return caught.value


def test_defaults_are_detrix_defaults(nowhere):
    settings = resolve({}, nowhere)
    assert settings.control_host == "127.0.0.1"
    assert settings.control_port == settings.debug_port == 0
    assert settings.daemon_url == DEFAULT_DAEMON_URL == "http://127.0.0.1:8090"
    assert (settings.health_check_timeout, settings.register_timeout) == (2.0, 5.0)
    assert settings.unregister_timeout == 2.0
    assert settings.verify_ssl is True
    assert settings.origin("control_port") == "default"


def test_home_is_dot_treetap_in_the_users_home():
    assert resolve({}, {}).home.endswith("/.treetap")


def test_an_argument_wins_over_treetap_over_detrix_over_file_over_default(nowhere, tmp_path):
    (tmp_path / "config.toml").write_text('name = "of-file"\n')
    environ = dict(nowhere)
    seen = []
    seen.append(resolve({}, environ))
    environ["DETRIX_NAME"] = "of-detrix"
    seen.append(resolve({}, environ))
    environ["TREETAP_NAME"] = "of-treetap"
    seen.append(resolve({}, environ))
    seen.append(resolve({"name": "of-argument"}, environ))
    assert [(each.name, each.origin("name")) for each in seen] == [
        ("of-file", "config.toml"),
        ("of-detrix", "DETRIX_NAME"),
        ("of-treetap", "TREETAP_NAME"),
        ("of-argument", "argument"),
    ]


def test_an_argument_that_equals_the_default_is_an_argument_all_the_same(nowhere):
    environ = {**nowhere, "TREETAP_CONTROL_PORT": "9000", "DETRIX_CONTROL_HOST": "0.0.0.0"}
    settings = resolve({"control_port": 0, "control_host": "127.0.0.1"}, environ)
    assert settings.control_port == 0
    assert settings.control_host == "127.0.0.1"
    assert settings.origin("control_port") == "argument"


def test_unset_and_none_are_not_given(nowhere):
    environ = {**nowhere, "TREETAP_NAME": "shop"}
    assert resolve({"name": UNSET}, environ).name == "shop"
    assert resolve({"name": None}, environ).name == "shop"


def test_an_empty_variable_is_unset(nowhere):
    settings = resolve({}, {**nowhere, "TREETAP_CONTROL_PORT": " ", "DETRIX_CONTROL_PORT": "81"})
    assert (settings.control_port, settings.origin("control_port")) == (81, "DETRIX_CONTROL_PORT")


def test_detrix_calls_the_advertised_host_host(nowhere):
    settings = resolve({}, {**nowhere, "DETRIX_HOST": "shop.example"})
    assert settings.advertise_host == "shop.example"
    assert settings.origin("advertise_host") == "DETRIX_HOST"


def test_a_detrix_variable_for_a_setting_of_ours_means_nothing(nowhere):
    assert resolve({}, {**nowhere, "DETRIX_START_STATE": "awake"}).start_state == "sleeping"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("control_port", "80x"),
        ("control_port", "65536"),
        ("control_port", "-1"),
        ("debug_port", "1e3"),
        ("daemon_url", "ftp://127.0.0.1"),
        ("daemon_url", "127.0.0.1:8090"),
        ("health_check_timeout", "0"),
        ("register_timeout", "nan"),
        ("unregister_timeout", "inf"),
        ("verify_ssl", "perhaps"),
        ("ca_bundle", "/there/is/no/such/file"),
        ("workspace_root", "/there/is/no/such/directory"),
        ("start_state", "dozing"),
        ("debugger", "gdb"),
        ("control_host", "http://127.0.0.1"),
        ("trust_loopback", "2"),
    ],
)
def test_a_bad_value_names_the_setting_and_where_it_came_from(nowhere, name, text):
    variable = f"TREETAP_{name.upper()}"
    error = refusal({}, {**nowhere, variable: text})
    assert error.slug == "config-value"
    assert name in error.what
    assert text in error.what
    assert variable in error.hint


def test_a_bad_argument_and_a_bad_file_say_so(nowhere, tmp_path):
    assert "the argument control_port" in refusal({"control_port": "x"}, nowhere).hint
    (tmp_path / "config.toml").write_text('control_port = "x"\n')
    assert "config.toml" in refusal({}, nowhere).hint


def test_true_is_no_port(nowhere):
    assert refusal({"control_port": True}, nowhere).slug == "config-value"


def test_a_bad_token_is_not_shown(nowhere):
    assert "sec\nret" not in str(refusal({"token": "sec\nret"}, nowhere))


def test_an_argument_that_is_no_setting_is_refused(nowhere):
    error = refusal({"control_prot": 1}, nowhere)
    assert error.slug == "config-unknown"
    assert "control_port" in error.hint


def test_a_file_that_is_no_toml_is_refused(nowhere, tmp_path):
    (tmp_path / "config.toml").write_text("name = shop\n")
    error = refusal({}, nowhere)
    assert error.slug == "config-file"
    assert str(tmp_path) in error.what


def test_tables_and_unknown_names_in_the_file_are_somebody_elses(nowhere, tmp_path):
    (tmp_path / "config.toml").write_text('colour = "red"\nname = "shop"\n[daemon]\nname = "d"\n')
    assert resolve({}, nowhere).name == "shop"


def test_settings_are_frozen_and_know_only_settings(nowhere):
    settings = resolve({}, nowhere)
    with pytest.raises(AttributeError, match="frozen"):
        settings.name = "other"
    with pytest.raises(AttributeError, match="no setting"):
        settings.colour
    assert settings.names() == tuple(SETTINGS)


def test_the_text_of_settings_does_not_show_the_token(nowhere):
    assert "hush" not in repr(resolve({"token": "hush"}, nowhere))


def test_replacing_gives_a_copy_with_its_origin(nowhere):
    settings = resolve({}, nowhere)
    changed = settings.replace(control_port=81)
    assert isinstance(changed, Settings)
    assert (changed.control_port, changed.origin("control_port")) == (81, "argument")
    assert settings.control_port == 0


def test_the_runtime_directory_is_in_the_home(nowhere, tmp_path):
    assert resolve({}, nowhere).run_dir == f"{tmp_path}/run"


def test_redacted_names_come_as_a_list_or_as_text(nowhere):
    assert resolve({"redact": ["a", "b"]}, nowhere).redact == ("a", "b")
    assert resolve({}, {**nowhere, "TREETAP_REDACT": "a, b,"}).redact == ("a", "b")
