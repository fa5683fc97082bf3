"""Who may ask, and how often: what Detrix's settings promise, held."""

from __future__ import annotations

import httpx

from tests.api.test_guard import as_stranger
from tests.detrix.conformance import BETTER, NOT_THERE, Row
from tests.running_daemon import running_daemon

GUARDS = "Limits and guards"
CONFORMANCE = [
    Row(
        GUARDS,
        "`Authorization: Bearer TOKEN`",
        BETTER,
        "Needed by everybody but processes of the daemon's own user on its machine, on every route but "
        "`/health`; Detrix lets everybody in unless it is told not to. 401 has the shape of an error.",
        "test_another_user_needs_the_token",
    ),
    Row(
        GUARDS,
        "`token` in the body of a registration",
        BETTER,
        "Detrix's clients for Go and Rust send it there, and its daemon doesn't look.",
        "test_a_registration_may_bring_its_token_in_its_body",
    ),
    Row(
        GUARDS,
        "rate limits",
        BETTER,
        "`per_second` means a second; Detrix answers one request each 100 s after the first 50. 429 has "
        "the shape of an error, and `Retry-After` is true. Loopback is exempt, unless it is told not to be.",
        "test_a_peer_that_asks_too_often_is_told_when_to_come_back",
    ),
    Row(
        GUARDS,
        'tokens of others (JWT, `mode = "external"`)',
        NOT_THERE,
        "One token a daemon. Who needs accounts puts a proxy that knows them in front.",
    ),
]
REGISTER = "/api/v1/connections"


def test_another_user_needs_the_token(home):
    with running_daemon(home, token="sesame") as running:
        for path in ("/api/v1/metrics", "/status", "/metrics", "/mcp", "/ws"):
            status, answer = as_stranger(running, path=path)
            assert status == 401, path
            assert '"errorType":"UNAUTHORIZED"' in answer
        assert as_stranger(running, "Authorization: Bearer sesame", path="/metrics")[0] == 200
        assert as_stranger(running, path="/health")[0] == 200


def test_a_registration_may_bring_its_token_in_its_body(home):
    with running_daemon(home, token="sesame") as running:
        # Let in, and told what is missing.
        assert as_stranger(running, path=REGISTER, body='{"token": "sesame"}')[0] == 422
        assert as_stranger(running, path=REGISTER, body='{"token": "other"}')[0] == 401


def test_a_peer_that_asks_too_often_is_told_when_to_come_back(home):
    with (
        running_daemon(
            home,
            rate_limit__burst=2,
            rate_limit__per_second=0.001,
            rate_limit__exempt_loopback=False,
        ) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=60) as http,
    ):
        assert [http.get("/api/v1/metrics").status_code for _ in range(2)] == [200, 200]
        refused = http.get("/api/v1/metrics")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 900
        fault = refused.json()
        assert (fault["errorType"], fault["retryable"]) == ("RATE_LIMITED", True)
