"""Errors: one body for all of them, with the status that Detrix's docs promise."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.api.test_guard import as_stranger
from tests.detrix.conformance import BETTER, SAME, Row
from tests.detrix.observing import LINKED, line_of, observing, serving

CONFORMANCE = [
    Row(
        "Limits and guards",
        "the body of an error",
        BETTER,
        "Detrix's five keys, and `slug` and `hint`. It is JSON everywhere, also where Detrix has plain text "
        "(415, 422) or nothing (401, 404, 405).",
        "test_every_error_has_the_one_body",
    ),
    Row(
        "Limits and guards",
        "the status of an error",
        BETTER,
        "400, 404, 409 with the code of Detrix's table, where Detrix answers 500 and 9001 to nearly everything.",
        "test_a_metric_that_can_t_be_has_its_status_and_code",
    ),
    Row(
        "Limits and guards",
        "415, 400, 422 of a body",
        SAME,
        test="test_a_body_that_can_t_be_read_has_detrix_s_status",
    ),
]

KEYS = ["error", "errorCode", "errorType", "category", "retryable", "slug", "hint"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("errors") / "home") as found:
        yield found


@pytest.fixture(scope="module")
def observed(served):
    with observing(served, LINKED) as found:
        yield found


@pytest.fixture(scope="module")
def plain(served):
    """A client that takes any answer."""
    with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as http:
        yield http


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/v1/nowhere", 404, "METRIC_NOT_FOUND"),
        ("PATCH", "/api/v1/metrics", 405, "CONFIG_INVALID"),
        ("GET", "/api/v1/metrics/99999999999999999999", 400, "CONFIG_INVALID"),
        ("GET", "/api/v1/metrics?limit=-1", 400, "CONFIG_INVALID"),
        ("GET", "/api/v1/metrics?enabled=perhaps", 400, "CONFIG_INVALID"),
        ("DELETE", "/api/v1/metrics/7", 404, "METRIC_NOT_FOUND"),
        ("POST", "/api/v1/metrics/7/disable", 404, "METRIC_NOT_FOUND"),
        ("GET", "/api/v1/connections/nobody", 404, "METRIC_NOT_FOUND"),
        ("DELETE", "/api/v1/connections/nobody", 404, "METRIC_NOT_FOUND"),
    ],
)
def test_every_error_has_the_one_body(plain, method, path, status, kind):
    error = error_of(plain.request(method, path), status)
    assert error["errorType"] == kind
    assert (error["category"], error["retryable"]) == ("terminal", False)


def test_who_may_not_speak_is_told_so_in_the_same_body(plain):
    foreign = {"Host": "evil.example"}
    error = error_of(plain.get("/api/v1/metrics", headers=foreign), 403)
    assert (error["errorCode"], error["category"]) == (6001, "security")
    page = {"Origin": "https://evil.example"}
    assert error_of(plain.post("/api/v1/sleep", headers=page), 403)["errorCode"] == 6001


@pytest.mark.parametrize(
    ("content", "declared", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", None, 415),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "application/json; charset=utf-8", 422),
        (b'{"name": 7}', "application/json", 422),
    ],
)
def test_a_body_that_can_t_be_read_has_detrix_s_status(plain, content, declared, status):
    headers = {"Content-Type": declared} if declared else {}
    for path in ("/api/v1/metrics", "/api/v1/connections"):
        answer = plain.post(path, content=content, headers=headers)
        # JSON of another kind is found as early as its nesting.
        expected = {400, 422} if content.startswith(b"[[") else {status}
        assert answer.status_code in expected, answer.text
        assert error_of(answer, answer.status_code)["errorCode"] == 3001


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"connectionId": "nobody"}, 404, 1001),
        ({"name": "7up"}, 400, 1002),
        ({"name": "two__lines"}, 400, 1002),
        ({"name": "system"}, 400, 1002),
        ({"name": "n" * 256}, 400, 1002),
        ({"location": {"file": "", "line": 3}}, 400, 1003),
        ({"location": {"file": "shop.py", "line": 0}}, 400, 1003),
        ({"expressions": ["1 +"]}, 400, 1006),
        ({"expressions": ["x" * 10_001]}, 400, 3001),
        ({"expressions": ["eval(number)"]}, 400, 2001),
        ({"expressions": ["open(label)"], "safetyLevel": "strict"}, 400, 2001),
        ({"expressions": []}, 400, 3001),
        ({"expressions": [f"number + {n}" for n in range(21)]}, 400, 3001),
        ({"mode": "often"}, 400, 3001),
        ({"mode": "sample", "sampleRate": 0}, 422, 3001),
        ({"safetyLevel": "none"}, 400, 3001),
        ({"condition": "number ="}, 400, 1006),
        ({"stackTraceSlice": [1, 2, 3], "captureStackTrace": True}, 400, 3001),
        ({"enabled": None}, 422, 3001),
        ({"location": "@shop.py#3"}, 422, 3001),
    ],
)
def test_a_metric_that_can_t_be_has_its_status_and_code(observed, plain, change, status, code):
    asked = {
        "name": "good",
        "connectionId": observed.connection,
        "location": {"file": "program.py", "line": line_of("# observed")},
        "expressions": ["number"],
        "enabled": True,
        **change,
    }
    answer = plain.post("/api/v1/metrics", json=asked)
    assert error_of(answer, status)["errorCode"] == code
    # Detrix leaves the row behind.
    assert plain.get("/api/v1/metrics").json()["total"] == 0


def test_another_user_is_told_so_in_the_same_body(served):
    status, answer = as_stranger(served.running, path="/api/v1/metrics")
    assert status == 401
    error = json.loads(answer[answer.index("{") :])
    assert list(error) == KEYS
    assert (error["errorCode"], error["category"]) == (6001, "security")


def error_of(answer: httpx.Response, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()
    assert list(error) == KEYS
    assert error["error"]
    return error
