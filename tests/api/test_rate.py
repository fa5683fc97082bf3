"""Rate limits: the arithmetic on a clock of the test's, the answers over real sockets."""

from __future__ import annotations

import random

import httpx
import pytest

from tests.api.test_guard import ask, authority
from tests.running_daemon import running_daemon
from treetap.api.rate import MAX_PEERS, Buckets, peer_of
from treetap.config.daemon import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_is_answered_and_then_as_many_a_second_as_it_says():
    clock = Clock()
    buckets, limit = Buckets(clock), RateLimit(per_second=10, burst=5)
    assert [buckets.take("a", limit) for _ in range(5)] == [0] * 5
    assert buckets.take("a", limit) == pytest.approx(0.1, rel=0.01)
    clock.now_s += 1
    # A second of silence fills the bucket, and no more than that.
    assert [buckets.take("a", limit) > 0 for _ in range(7)] == [False] * 5 + [True] * 2


@pytest.mark.parametrize("seed", range(20))
def test_in_no_stretch_of_time_more_is_answered_than_the_limit_says(seed):
    draw = random.Random(seed)
    clock = Clock()
    limit = RateLimit(per_second=10 ** draw.uniform(-2, 3), burst=draw.randint(1, 50))
    buckets = Buckets(clock)
    answered = []
    for _ in range(150):
        clock.now_s += draw.choice([0, 0, 0, draw.random() / limit.per_second, draw.random()])
        if not buckets.take("a", limit):
            answered.append(clock.now_s)
    assert answered
    for first, start_s in enumerate(answered):
        for last in range(first, len(answered)):
            allowed = limit.burst + (answered[last] - start_s) * limit.per_second
            assert last - first + 1 <= allowed + 1e-3


@pytest.mark.parametrize("seed", range(20))
def test_who_waits_as_long_as_told_is_answered(seed):
    draw = random.Random(seed)
    clock = Clock()
    limit = RateLimit(per_second=10 ** draw.uniform(-2, 3), burst=draw.randint(1, 50))
    buckets = Buckets(clock)
    for _ in range(3 * limit.burst):
        wait_s = buckets.take("a", limit)
        if wait_s:
            clock.now_s += wait_s
            assert not buckets.take("a", limit)


def test_peers_don_t_take_each_other_s_and_a_refused_request_takes_none():
    clock = Clock()
    buckets, limit = Buckets(clock), RateLimit(per_second=1, burst=1)
    assert not buckets.take("a", limit)
    assert [buckets.take("a", limit) for _ in range(100)] == [pytest.approx(1)] * 100
    assert not buckets.take("b", limit)


def test_no_number_of_peers_fills_the_memory():
    buckets, limit = Buckets(Clock()), RateLimit()
    for number in range(MAX_PEERS + 500):
        buckets.take(str(number), limit)
    assert len(buckets) == MAX_PEERS


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
    ],
)
def test_a_peer_is_an_address_and_of_ipv6_its_network(host, peer):
    assert peer_of(host) == peer


@pytest.fixture
def narrow(home):
    """Three requests, then one in a quarter of an hour; for this machine too."""
    with running_daemon(
        home,
        rate_limit__burst=3,
        rate_limit__per_second=0.001,
        rate_limit__exempt_loopback=False,
    ) as running:
        yield running


def test_one_too_many_is_told_when_to_come_back(narrow):
    with httpx.Client(base_url=narrow.url, trust_env=False, timeout=60) as http:
        assert [http.get("/api/v2/probes").status_code for _ in range(3)] == [200] * 3
        answer = http.get("/api/v2/probes")
        assert answer.status_code == 429
        assert 900 < int(answer.headers["retry-after"]) <= 1000
        assert answer.json()["error"]["slug"] == "request-rate"
        # Whatever it asks for, and whoever it says it is.
        assert http.get("/health").status_code == 429
        assert http.get("/health", headers={"x-forwarded-for": "10.0.0.1"}).status_code == 429
        assert http.get("/api/v1/metrics").status_code == 429


def test_a_web_socket_counts_too(narrow):
    own = f"Host: {authority(narrow)}"
    assert [ask(narrow, own) for _ in range(3)] == [200] * 3
    upgrade = (
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    lines = (own, *upgrade)
    assert ask(narrow, *lines, path="/ws", connection="Upgrade") in (403, 429)


def test_this_machine_is_exempt_unless_asked_for(home):
    with (
        running_daemon(home, rate_limit__burst=1, rate_limit__per_second=0.001) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=60) as http,
    ):
        assert {http.get("/api/v2/probes").status_code for _ in range(20)} == {200}
        toml = "[rate_limit]\nexempt_loopback = false"
        changed = http.patch("/api/v2/config", json={"toml": toml}).json()
        assert changed["applied"] == ["rate_limit.exempt_loopback"]
        assert [http.get("/health").status_code for _ in range(2)] == [200, 429]


def test_it_can_be_turned_off(home):
    with running_daemon(
        home,
        rate_limit__enabled=False,
        rate_limit__burst=1,
        rate_limit__per_second=0.001,
        rate_limit__exempt_loopback=False,
    ) as running:
        assert [ask(running, f"Host: {authority(running)}") for _ in range(3)] == [200] * 3
