"""``/api/v1/config``: over the one configuration that the daemon has."""

from __future__ import annotations

import pytest

from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.described import described_client
from tests.running_daemon import running_daemon

CONFIGURATION = "Configuration"
CONFORMANCE = [
    Row(
        CONFIGURATION,
        "`GET /api/v1/config`",
        SAME,
        "Its keys are treetap's own.",
        "test_the_configuration_is_shown_without_secrets",
    ),
    Row(
        CONFIGURATION,
        "`PUT /api/v1/config`",
        BETTER,
        "Secrets are left out of the answer; what holds only from the next start on is told in "
        "`warnings`; bad TOML is 400, not 500.",
        "test_a_change_holds_and_is_kept_if_asked",
    ),
    Row(
        CONFIGURATION,
        "`POST /api/v1/config/reload`",
        BETTER,
        "The daemon's own file only, whatever the request names.",
        "test_the_file_is_read_again",
    ),
    Row(
        CONFIGURATION,
        "`POST /api/v1/config/validate`",
        SAME,
        test="test_a_text_is_checked_without_a_change",
    ),
]


@pytest.fixture
def running(home):
    (home / "config.toml").write_text('token = "sesame"\n[store]\nmax_age_days = 3\n')
    with running_daemon(home, token="sesame") as found:
        yield found


@pytest.fixture
def http(running):
    with described_client(running.url) as client:
        yield client


def test_the_configuration_is_shown_without_secrets(http):
    shown = http.get("/api/v1/config", params={"path": "ignored"}).json()
    assert set(shown) == {"configToml", "version"}
    assert shown["version"].startswith("runtime-")
    assert "max_age_days = 3" in shown["configToml"]
    assert "sesame" not in shown["configToml"]


def test_a_change_holds_and_is_kept_if_asked(http, running, home):
    def change(toml, **fields):
        return http.put("/api/v1/config", json={"configToml": toml, **fields})

    answer = change("[rate_limit]\nburst = 7\n", persist=False).json()
    assert set(answer) == {"configToml", "version", "persisted", "configPath", "warnings"}
    assert (answer["persisted"], answer["configPath"]) == (False, str(home / "config.toml"))
    assert running.daemon.configuration.current.rate_limit.burst == 7
    assert "burst" not in (home / "config.toml").read_text()
    answer = change("[link]\nmax_unsent_mib = 64\n[store]\nmax_size_mib = 5\n").json()
    assert answer["persisted"]
    assert "max_size_mib = 5" in (home / "config.toml").read_text()
    assert "sesame" not in answer["configToml"]
    for toml in ("no toml", "[store]\nmax_age_days = 'x'\n", "[nothing]\nx = 1\n"):
        refused = change(toml)
        assert (refused.status_code, refused.json()["category"]) == (400, "terminal"), toml
    running.flush()
    told = http.get("/api/v1/system_events?eventTypes=config_updated,config_validation_failed")
    assert [each["eventType"] for each in told.json()] == [
        *["config_validation_failed"] * 3,
        *["config_updated"] * 2,
    ]


def test_the_file_is_read_again(http, running, home):
    (home / "config.toml").write_text('token = "sesame"\n[rate_limit]\nburst = 9\n')
    done = http.post("/api/v1/config/reload").json()
    assert done == {
        "success": True,
        "metricsLoaded": 0,
        "errors": [],
        "warnings": done["warnings"],
        "metadata": None,
    }
    assert running.daemon.configuration.current.rate_limit.burst == 9
    other = http.post("/api/v1/config/reload", json={"configPath": "/etc/passwd"}).json()
    assert (other["success"], len(other["errors"])) == (False, 1)
    own = {"configPath": str(home / "config.toml")}
    assert http.post("/api/v1/config/reload", json=own).json()["success"]
    (home / "config.toml").write_text("no toml")
    broken = http.post("/api/v1/config/reload")
    assert (broken.status_code, broken.json()["success"]) == (200, False)
    assert running.daemon.configuration.current.rate_limit.burst == 9


def test_a_text_is_checked_without_a_change(http, running):
    def check(toml):
        return http.post("/api/v1/config/validate", json={"configToml": toml}).json()

    assert check("[rate_limit]\nburst = 9\n")["valid"]
    wrong = check("[rate_limit]\nburst = 'many'\n")
    assert (wrong["valid"], len(wrong["errors"]), wrong["metadata"]) == (False, 1, None)
    assert http.post("/api/v1/config/validate", json={}).status_code == 422
