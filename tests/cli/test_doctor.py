"""What is said of settings, of access and of the daemon, by the command itself."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.running_daemon import running_daemon


def doctor() -> tuple[int, dict[str, tuple[str, str]], dict[str, tuple[object, str]]]:
    """Exit code; ``{topic: (verdict, text)}``; ``{setting: (value, origin)}``."""
    done = subprocess.run(
        [sys.executable, "-m", "treetap.cli", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    findings = {f["topic"]: (f["verdict"], f["text"]) for f in lines if "topic" in f}
    settings = {s["setting"]: (s["value"], s["origin"]) for s in lines if "setting" in s}
    return done.returncode, findings, settings


def test_without_a_file_all_is_default(home):
    _code, findings, settings = doctor()
    assert findings["config"][0] == "ok"
    assert findings["access"] == (
        "ok",
        "from this machine alone: this user, and nobody else, for there is no token",
    )
    assert settings["rate_limit.burst"] == ("200", "default")
    assert settings["control_port"] == ("0", "default")


def test_a_file_that_no_daemon_starts_with_is_bad(home):
    (home / "config.toml").write_text("shop = 1\n[rate_limit]\nbrust = 1\nburst = 'x'\n")
    code, findings, settings = doctor()
    assert code == 1
    verdict, text = findings["config"]
    assert verdict == "bad"
    assert "no setting shop" in text
    assert "rate_limit.brust" in text
    assert "whole number" in text
    assert settings["rate_limit.burst"] == ("200", "default")


def test_a_password_and_the_token_are_not_shown_and_a_readable_file_with_one_is_bad(home):
    file = home / "config.toml"
    file.write_text('token = "sesame"\n[store]\nurl = "postgresql://u:secret@h/d"\n')
    file.chmod(0o644)
    _code, findings, settings = doctor()
    assert findings["config"][0] == "bad"
    assert "chmod 600" in findings["config"][1]
    assert settings["token"] == settings["store.url"] == ("(set)", "config.toml")
    assert "secret" not in str((findings, settings))


def test_to_listen_for_others_without_a_token_is_worth_a_note(home):
    (home / "config.toml").write_text('[daemon]\nhost = "0.0.0.0"\n')
    assert doctor()[1]["access"][0] == "note"
    (home / "token").write_text("sesame")
    (home / "token").chmod(0o600)
    verdict, text = doctor()[1]["access"]
    assert verdict == "ok"
    assert "100 requests a second, 200 at once" in text


def test_a_daemon_that_runs_with_other_settings_than_the_file_s_is_told_of(home):
    with running_daemon(home) as running:
        (home / "config.toml").write_text("[rate_limit]\nburst = 3\n")
        verdict, text = doctor()[1]["daemon"]
        assert verdict == "note"
        assert "another rate_limit.burst than is set now: treetap daemon reload" in text
        running.client.reload_config()
        assert doctor()[1]["daemon"][0] == "ok"
        (home / "config.toml").write_text("[stream]\nheartbeat_s = 3\n[daemon]\nhost = '0.0.0.0'")
        assert "treetap daemon restart" in doctor()[1]["daemon"][1]
