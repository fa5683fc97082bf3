from __future__ import annotations

import pytest

from treetap.app.settings import parse_arguments
from treetap.errors import ConfigError


def test_what_isn_t_said_has_its_default(home, monkeypatch):
    for name in ("TREETAP_DAEMON_URL", "DETRIX_DAEMON_URL", "TREETAP_STORE", "TREETAP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    settings = parse_arguments(["run"])
    assert settings.home == home
    assert (settings.host, settings.port) == ("127.0.0.1", 8090)
    assert settings.store_url == f"sqlite:///{home}/treetap.db"
    assert settings.configuration.retention == (7 * 24 * 3600, 1024**3)
    assert settings.configuration.token == ""
    assert settings.configuration.settings.trust_loopback


def test_the_command_line_wins(home, tmp_path, monkeypatch):
    monkeypatch.setenv("TREETAP_DAEMON_URL", "http://127.0.0.1:1111")
    monkeypatch.setenv("TREETAP_STORE", "sqlite:////a")
    monkeypatch.setenv("TREETAP_STORE_DAYS", "3")
    assert parse_arguments(["run"]).port == 1111
    assert parse_arguments(["run"]).store_url == "sqlite:////a"
    assert parse_arguments(["run"]).configuration.retention.max_age_s == 3 * 24 * 3600
    settings = parse_arguments(
        [
            "run",
            "--home",
            str(tmp_path / "b"),
            "--host",
            "localhost",
            "--port",
            "0",
            "--store",
            "sqlite:////b",
            "--store-days",
            "0.5",
            "--store-mib",
            "10",
            "--allow-host",
            "tap.internal",
        ]
    )
    assert settings.home == tmp_path / "b"
    assert (settings.host, settings.port, settings.store_url) == ("localhost", 0, "sqlite:////b")
    assert settings.configuration.retention == (12 * 3600, 10 * 1024 * 1024)
    assert settings.configuration.hosts == ("localhost", "tap.internal")


def test_a_daemon_elsewhere_is_not_where_ours_listens(home, monkeypatch):
    monkeypatch.setenv("TREETAP_DAEMON_URL", "https://tap.example:4443")
    settings = parse_arguments(["run"])
    assert (settings.host, settings.port) == ("127.0.0.1", 8090)


def test_the_token_is_read_from_the_home_and_a_readable_file_is_complained_of(home):
    (home / "token").write_text("sesame\n")
    (home / "token").chmod(0o644)
    settings = parse_arguments(["run"])
    assert settings.configuration.token == "sesame"
    assert "chmod 600" in settings.configuration.token_complaint
    (home / "token").chmod(0o600)
    assert parse_arguments(["run"]).configuration.token_complaint == ""


@pytest.mark.parametrize("given", ["-1", "many", "nan", "1e99"])
def test_a_bad_number_is_told_with_its_origin(home, monkeypatch, given):
    with pytest.raises(ConfigError, match=r"store\.max_age_days") as caught:
        parse_arguments(["run", f"--store-days={given}"])
    assert "command line" in caught.value.hint
    monkeypatch.setenv("TREETAP_STORE_DAYS", given)
    with pytest.raises(ConfigError) as caught:
        parse_arguments(["run"])
    assert "TREETAP_STORE_DAYS" in caught.value.hint


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_bad_port_ends_with_the_usage(home, port, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["run", f"--port={port}"])
    assert caught.value.code == 2
    assert "--port" in capsys.readouterr().err
