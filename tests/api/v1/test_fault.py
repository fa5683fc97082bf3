from __future__ import annotations

import pytest

from treetap.api.v1.fault import FAULTS, fault_body, fault_of, is_detrix
from treetap.errors import DaemonError, TreetapError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/metrics", True),
        ("/api/v1/", True),
        ("/api/v2/probes", False),
        ("/health", False),
        ("/api/v1x", False),
        ("/", False),
    ],
)
def test_which_paths_have_detrix_s_shape(path, expected):
    assert is_detrix(path) is expected


@pytest.mark.parametrize(
    ("slug", "status", "code"),
    [
        ("metric-unknown", 404, 1001),
        ("location-no-code", 400, 1003),
        ("expression-syntax", 400, 1006),
        ("expression-unsafe", 400, 2001),
        ("dap-unreachable", 502, 5002),
        ("store-unusable", 503, 5001),
        ("of-nobody", 418, 3001),
    ],
)
def test_an_error_is_told_by_its_slug_or_its_first_word(slug, status, code):
    fault = fault_of(TreetapError("no", slug=slug), 418)
    assert (fault.status, fault.code) == (status, code)


def test_the_body_has_detrix_s_keys_and_the_way_out():
    assert fault_body(DaemonError("Too slow.", "Wait.", slug="request-slow")) == {
        "error": "Too slow.",
        "errorCode": 5003,
        "errorType": "IO_ERROR",
        "category": "retryable",
        "retryable": True,
        "slug": "request-slow",
        "hint": "Wait.",
    }


def test_a_code_has_one_category():
    of_codes: dict[int, set[str]] = {}
    for fault in FAULTS.values():
        of_codes.setdefault(fault.code, set()).add(fault.category)
    assert {code for code, categories in of_codes.items() if len(categories) > 1} <= {6001}
