from __future__ import annotations

import inspect
import os

import pytest

from treetap.compat import detrix
from treetap.compat.detrix._settings import Start
from treetap.compat.detrix.errors import ConfigError

pytestmark = pytest.mark.usefixtures("bare_environment")

DEFAULTS = {name: each.default for name, each in inspect.signature(detrix.init).parameters.items()}


def start(**given):
    return Start({**DEFAULTS, **given})


def test_a_default_is_no_argument(bare_environment):
    bare_environment.setenv("DETRIX_CONTROL_HOST", "localhost")
    bare_environment.setenv("DETRIX_CONTROL_PORT", "0")
    bare_environment.setenv("DETRIX_REGISTER_TIMEOUT", "7")
    bare_environment.setenv("DETRIX_DAEMON_URL", "http://elsewhere:1")
    settings = start().settings
    assert (settings.control_host, settings.register_timeout) == ("localhost", 7.0)
    assert settings.daemon_url == "http://elsewhere:1"


def test_an_argument_that_equals_the_default_is_one(bare_environment):
    bare_environment.setenv("DETRIX_CONTROL_HOST", "localhost")
    bare_environment.setenv("DETRIX_CONTROL_PORT", "9")
    bare_environment.setenv("DETRIX_REGISTER_TIMEOUT", "7")
    bare_environment.setenv("DETRIX_DAEMON_URL", "http://elsewhere:1")
    given = start(
        control_host="127.0.0.1",
        control_port=0,
        register_timeout=5.0,
        daemon_url="http://127.0.0.1:8090",
    ).settings
    assert (given.control_host, given.control_port) == ("127.0.0.1", 0)
    assert (given.register_timeout, given.daemon_url) == (5.0, "http://127.0.0.1:8090")


def test_our_own_variables_come_before_detrixs(bare_environment):
    bare_environment.setenv("DETRIX_CONTROL_PORT", "nonsense")
    bare_environment.setenv("TREETAP_CONTROL_PORT", "9")
    bare_environment.setenv("DETRIX_NAME", "theirs")
    bare_environment.setenv("TREETAP_NAME", "ours")
    settings = start().settings
    assert (settings.control_port, settings.name) == (9, "ours")


def test_debugpy_is_the_debugger_unless_somebody_says_otherwise(bare_environment):
    assert start().settings.debugger == "debugpy"
    assert start(debugger="probes").settings.debugger == "probes"
    bare_environment.setenv("TREETAP_DEBUGGER", "probes")
    assert start().settings.debugger == "probes"


@pytest.mark.parametrize("name", ["shop", "  ", " a b ", "服务"])
def test_a_name_is_kept_as_it_is(bare_environment, name):
    assert start(name=name).settings.name == name
    bare_environment.setenv("DETRIX_NAME", name)
    assert start().settings.name == name


def test_a_name_has_its_pid_behind_it_as_1_0_0_has(bare_environment):
    bare_environment.setenv("TREETAP_DETRIX_PY", "1.0.0")
    assert start(name="shop").settings.name == f"shop-{os.getpid()}"
    assert start().settings.name == f"detrix-client-{os.getpid()}"


def test_what_is_no_url_is_kept_for_the_wake_to_refuse():
    started = start(daemon_url="nonsense")
    assert started.daemon_url == "nonsense"


def test_the_workspace_root_may_be_a_path_of_another_machine(bare_environment):
    bare_environment.setenv("DETRIX_WORKSPACE_ROOT", "/nowhere/at/all")
    assert start().settings.workspace_root == ""


def test_all_but_four_words_mean_that_certificates_are_checked(bare_environment):
    for word, is_checked in {
        "false": False,
        "OFF": False,
        "0": False,
        "no": False,
        "x": True,
    }.items():
        bare_environment.setenv("DETRIX_VERIFY_SSL", word)
        assert start().settings.verify_ssl is is_checked


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"health_check_timeout": 0}, "Timeout must be positive, got 0"),
        ({"register_timeout": -1.5}, "Timeout must be positive, got -1.5"),
        ({"unregister_timeout": float("nan")}, "Timeout must be positive, got nan"),
        ({"unregister_timeout": "soon"}, "Timeout must be a number"),
        ({"control_port": 70000}, "control_port can't be 70000"),
        ({"name": "a\nb"}, "control characters"),
        ({"name": 5}, "name"),
        ({"daemon_url": 5}, "daemon_url must be text"),
        ({"start_state": "hot"}, "start_state can't be 'hot'"),
    ],
)
def test_a_bad_argument_is_a_config_error(given, message):
    with pytest.raises(ConfigError, match=message):
        start(**given)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DETRIX_CONTROL_PORT", "x"),
        ("DETRIX_DEBUG_PORT", "65536"),
        ("DETRIX_REGISTER_TIMEOUT", "0"),
        ("DETRIX_HEALTH_CHECK_TIMEOUT", "nan"),
    ],
)
def test_a_bad_variable_is_named_as_there(bare_environment, variable, text):
    bare_environment.setenv(variable, text)
    with pytest.raises(ConfigError, match=f"^Invalid {variable}: '{text}'$"):
        start()


def test_more_than_an_hour_is_an_hour():
    assert start(register_timeout=float("inf")).settings.register_timeout == 3600
