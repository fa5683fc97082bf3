"""A client that holds each answer of the daemon against the OpenAPI document."""

from __future__ import annotations

import re

import httpx

from tests.api.validation import complaints
from treetap.api.openapi import document

DOCUMENT = document("1")
_TEMPLATES = [
    (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path)
    # A fixed path comes before one that has a gap there.
    for path in sorted(DOCUMENT["paths"], key=lambda path: path.count("{"))
]


def described_client(url: str) -> httpx.Client:
    """Fails a test whose request is answered otherwise than the document says."""
    return httpx.Client(
        base_url=url, trust_env=False, timeout=60, event_hooks={"response": [_check]}
    )


def _check(answer: httpx.Response) -> None:
    answer.read()
    request = answer.request
    path = next((path for form, path in _TEMPLATES if form.fullmatch(request.url.path)), None)
    assert path is not None, f"no such path in the document: {request.url.path}"
    responses = DOCUMENT["paths"][path][request.method.lower()]["responses"]
    response = responses.get(str(answer.status_code))
    assert response is not None, f"{path} answers {answer.status_code}: {answer.text[:500]}"
    content = response.get("content", {})
    if "application/json" in content:
        schema = content["application/json"]["schema"]
        found = complaints(answer.json(), schema, DOCUMENT)
        assert not found, f"{path}: {found[:3]}"
