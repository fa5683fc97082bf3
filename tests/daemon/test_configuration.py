from __future__ import annotations

import stat

import pytest

from treetap.config.template import template
from treetap.daemon.config_text import without_password
from treetap.daemon.configuration import Change, Configuration
from treetap.errors import ConfigError


@pytest.fixture
def configuration(home):
    return Configuration(home, environ={})


def lines(home) -> list[str]:
    """What of the file is no comment."""
    text = (home / "config.toml").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def refusal(function, *args, **kwargs) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        function(*args, **kwargs)
    return caught.value


def test_a_change_holds_at_once_and_stays_in_the_file(configuration, home):
    change = configuration.update("[rate_limit]\nburst = 3", persist=True)
    assert change == Change(applied=("rate_limit.burst",))
    assert configuration.current.rate_limit.burst == 3
    assert Configuration(home, environ={}).current.rate_limit.burst == 3
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600


def test_a_change_that_is_not_kept_ends_with_a_reload(configuration, home):
    configuration.update("[rate_limit]\nburst = 3", persist=False)
    configuration.update("[stream]\nheartbeat_s = 4", persist=False)
    assert configuration.current.rate_limit.burst == 3
    assert not (home / "config.toml").exists()
    assert configuration.reload().applied == ("rate_limit.burst", "stream.heartbeat_s")
    assert configuration.current.rate_limit.burst == 200


def test_what_is_kept_later_is_no_longer_a_passing_change(configuration):
    configuration.update("[rate_limit]\nburst = 3\nper_second = 4", persist=False)
    configuration.update("[rate_limit]\nburst = 5", persist=True)
    assert configuration.current.rate_limit[1:3] == (4, 5)
    configuration.reload()
    assert configuration.current.rate_limit[1:3] == (100, 5)


def test_what_needs_a_restart_is_told_and_stays_as_it_was(configuration, home):
    change = configuration.update("[daemon]\nport = 1234\nlog_level = 'error'", persist=True)
    assert change == Change(applied=("daemon.log_level",), waiting=("daemon.port",))
    assert configuration.current.daemon.port == 8090
    assert configuration.reload().waiting == ("daemon.port",)
    assert Configuration(home, environ={}).current.daemon.port == 1234


def test_comments_and_order_of_the_file_stay(configuration, home):
    text = "# mine\nname = 'shop'  # of it\n\n[store]\n# days\nmax_age_days = 3\n"
    (home / "config.toml").write_text(text)
    configuration.update("redact = ['pin']\n[store]\nmax_age_days = 4", persist=True)
    changed = (home / "config.toml").read_text()
    assert changed == (
        "# mine\nname = 'shop'  # of it\nredact = [\"pin\"]\n\n[store]\n# days\nmax_age_days = 4\n"
    )


def test_the_first_change_writes_the_whole_template(configuration, home):
    configuration.update("name = 'shop'\n[rate_limit]\nburst = 3", persist=True)
    assert (home / "config.toml").read_text().startswith(template()[:200])
    assert "burst = 3" in lines(home)
    again = Configuration(home, environ={})
    assert (again.settings.name, again.current.rate_limit.burst) == ("shop", 3)


def test_a_link_to_the_file_stays_one(configuration, home, tmp_path):
    real = tmp_path / "real.toml"
    real.write_text("")
    real.chmod(0o640)
    (home / "config.toml").symlink_to(real)
    configuration.update("[rate_limit]\nburst = 3", persist=True)
    assert (home / "config.toml").is_symlink()
    assert "burst = 3" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_file_that_comes_to_hold_the_token_is_for_its_owner(configuration, home):
    (home / "config.toml").write_text("")
    (home / "config.toml").chmod(0o644)
    configuration.update("[rate_limit]\nburst = 3", persist=True)
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o644
    configuration.update("token = 'sesame'", persist=True)
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("toml", "slug"),
    [
        ("[rate_limit", "config-file"),
        ("a = 1\na = 2", "config-file"),
        ("[rate_limit]\nburst = 0", "config-value"),
        ("[rate_limit]\nbrust = 1", "config-unknown"),
        ("[shop]\nx = 1", "config-unknown"),
        ("shop = 1", "config-unknown"),
        ("home = '/tmp'", "config-unknown"),
        ("name = 'a'" + " " * 70_000, "config-file"),
        ("a = " + "[" * 20_000, "config-file"),
        ("a" + ".a" * 30_000 + " = 1", "config-file"),
        ("control_port = 'x'", "config-value"),
        ("rate_limit = 1", "config-unknown"),
    ],
)
def test_a_bad_change_changes_nothing(configuration, home, toml, slug):
    assert refusal(configuration.update, toml, persist=True).slug == slug
    assert not (home / "config.toml").exists()
    assert configuration.current == Configuration(home, environ={}).current
    errors, _warnings = configuration.problems(toml)
    assert len(errors) == 1
    assert f"[{slug}]" in errors[0]


def test_a_file_that_has_gone_bad_changes_nothing(configuration, home):
    configuration.update("[rate_limit]\nburst = 3", persist=True)
    (home / "config.toml").write_text("[rate_limit]\nburst = 'x'")
    assert refusal(configuration.reload).slug == "config-value"
    (home / "config.toml").write_bytes(b"\xff")
    assert refusal(configuration.reload).slug == "config-file"
    assert configuration.current.rate_limit.burst == 3


def test_a_file_that_can_t_be_written_is_told(configuration, home):
    (home / "config.toml").mkdir()
    assert refusal(configuration.update, "name = 'a'", persist=True).slug == "config-file"


def test_what_the_environment_gives_wins_and_is_told(home):
    configuration = Configuration(home, environ={"TREETAP_RATE_LIMIT_BURST": "9"})
    change = configuration.update("[rate_limit]\nburst = 3", persist=True)
    assert configuration.current.rate_limit.burst == 9
    assert change.applied == ()
    assert "TREETAP_RATE_LIMIT_BURST" in change.warnings[0]


def test_to_listen_beyond_this_machine_without_a_token_is_worth_a_word(configuration, home):
    _errors, warnings = configuration.problems("[daemon]\nhost = '0.0.0.0'")
    assert "no token" in warnings[0]
    assert configuration.problems("token = 'a'\n[daemon]\nhost = '0.0.0.0'") == ([], [])


def test_what_is_shown_has_no_secret_and_can_be_read_again(home):
    configuration = Configuration(home, {"token": "sesame"}, {})
    configuration.update("[store]\nurl = 'postgresql://u:pass@h/d'", persist=True)
    again = Configuration(home, environ={})
    for shown in (configuration.text(), again.text()):
        assert "sesame" not in shown
        assert "pass@" not in shown
        assert again.problems(shown)[0] == []
    assert again.current.store.url == "postgresql://u:pass@h/d"


def test_what_is_shown_may_be_sent_back(home):
    (home / "config.toml").write_text("token = 'sesame'\n[store]\nurl = 'postgresql://u:p@h/d'")
    configuration = Configuration(home, environ={})
    configuration.update(configuration.text(), persist=True)
    again = Configuration(home, environ={})
    assert (again.token, again.current.store.url) == ("sesame", "postgresql://u:p@h/d")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p@q@h:5/d", "postgresql://u:***@h:5/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("", ""),
    ],
)
def test_a_database_s_url_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown
