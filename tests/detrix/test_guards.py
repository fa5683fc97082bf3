"""What Detrix's daemon leaves open to any web page, and what it allows to none."""

from __future__ import annotations

import httpx
import pytest
from websockets.sync.client import connect

from tests.detrix.conformance import BETTER, Row
from tests.running_daemon import running_daemon

GUARDS = "Limits and guards"
CONFORMANCE = [
    Row(
        GUARDS,
        "`Origin` and `Host` of a request",
        BETTER,
        "Detrix's routes without a body (`sleep`, `enable`, `cleanup`) can be called by any page in a "
        "browser. Here a page of another site is refused, and so is a name that isn't the daemon's.",
        "test_a_page_of_another_site_can_change_nothing",
    ),
    Row(
        GUARDS,
        "CORS",
        BETTER,
        "For the sites in `allowed_origins`, with their ports; Detrix's list has none, so that no "
        "page of a development server matches. Nobody is allowed at first.",
        "test_a_page_of_a_named_site_can_use_the_api",
    ),
]
SITE = "http://localhost:3000"


@pytest.fixture
def running(home):
    (home / "config.toml").write_text(f'[daemon]\nallowed_origins = ["{SITE}"]\n')
    with running_daemon(home) as found:
        yield found


def ask(running, method: str, origin: str, **headers: str) -> httpx.Response:
    return httpx.request(
        method,
        f"{running.url}/api/v1/sleep",
        headers={"origin": origin, **headers},
        trust_env=False,
        timeout=30,
    )


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost", f"{SITE}0", "null"])
def test_a_page_of_another_site_can_change_nothing(running, origin):
    asking = {"access-control-request-method": "POST"}
    for answer in (ask(running, "POST", origin), ask(running, "OPTIONS", origin, **asking)):
        assert answer.status_code == 403
        assert answer.json()["slug"] == "request-origin"
        assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_a_named_site_can_use_the_api(running):
    asking = {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization, content-type",
    }
    allowed = ask(running, "OPTIONS", SITE, **asking)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == SITE
    assert allowed.headers["access-control-max-age"] == "3600"
    answer = ask(running, "POST", SITE)
    assert (answer.status_code, answer.json()["status"]) == (200, "sleeping")
    assert answer.headers["access-control-allow-origin"] == SITE
    # An error can be read by the page as well.
    missing = httpx.get(
        f"{running.url}/api/v1/nothing", headers={"origin": SITE}, trust_env=False, timeout=30
    )
    assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (404, SITE)
    socket = f"{running.url.replace('http', 'ws', 1)}/ws"
    with connect(socket, origin=SITE, proxy=None, open_timeout=30):
        pass


def test_a_site_that_is_taken_off_the_list_is_refused_at_once(running):
    assert ask(running, "POST", SITE).status_code == 200
    taken_off = {"configToml": "[daemon]\nallowed_origins = []\n", "persist": False}
    answer = httpx.put(f"{running.url}/api/v1/config", json=taken_off, trust_env=False, timeout=30)
    assert answer.status_code == 200
    refused = ask(running, "POST", SITE)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
