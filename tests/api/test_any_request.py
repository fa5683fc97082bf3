"""No request makes the daemon fail, and what is wrong with one is told as the document says.

schemathesis makes requests of the OpenAPI document, right ones and wrong ones, the same in each run;
some parts are exchanged for what is there, so that they get further than "there is no such probe".
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.api.validation import complaints
from tests.conftest import wait_until
from tests.running_daemon import RunningDaemon, identity, running_daemon
from treetap.api.openapi import document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENT = document("1")
#: One ends the daemon, the other never ends.
LEFT_OUT = {"/api/v2/shutdown", "/api/v2/events/stream"}
TAKES_AWAY = {"/api/v2/targets/forget", "/api/v1/sleep", "/api/v1/connections/cleanup"}
#: Requests of an operation, right ones and as many wrong ones.
EXAMPLES = 6
#: Neither takes anything that could be wrong.
SMALL = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class There(NamedTuple):
    """A daemon with some of everything, and what of it may be named in a request."""

    running: RunningDaemon
    named: dict[str, list[Any]]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[tuple[RunningDaemon, Path, int]]:
    """A daemon with a node; a source file; a port on which nobody listens, and nobody can."""
    home = tmp_path_factory.mktemp("home")
    source = home / "shop.py"
    source.write_text(
        "def total(order):\n    price = order.price\n    print(price)\n    return price\n"
    )
    with running_daemon(home) as running, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        link = running.connect(identity())
        yield running, source, closed.getsockname()[1]
        link.close()


@pytest.fixture
def there(place) -> There:
    """Some of everything, whatever the tests before have taken away."""
    running, source, port = place
    client = running.client
    for probe in client.probes():
        client.remove_probe(probe["id"])
    orders = client.add_probe(
        location=f"{source}:2", expressions=["price"], name="orders", group="shop"
    )["id"]
    more = client.add_probe(location=f"{source}:3", expressions=["a"], snapshot=True)["id"]
    with contextlib.closing(running.connect(identity(5))) as link:
        link.send(["batch", orders, 0, [[1, 5], [2, "x"]]])
        wait_until(lambda: client.events(probe="orders")["events"])
    with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as http:
        connection = http.get("/api/v1/connections").json()[0]["connectionId"]
    named = {
        "probe": ["orders", orders, more],
        "metric": [orders[1:], more[1:]],
        "metricId": [int(orders[1:])],
        "metricName": ["orders"],
        "connection": [connection],
        "connectionId": [connection],
        "group": ["shop", "default"],
        "tree": [identity().tree],
        "node": [identity().id],
        "location": [f"{source}:2", {"file": str(source), "line": 3}],
        "filePath": [str(source), str(source.parent)],
        "findVariable": ["price"],
        "diff": [DIFF.format(source)],
        "toml": TOMLS,
        "configToml": TOMLS,
        "expression": ["price + 1", "eval(x)", "a.password"],
        "expressions": [["price"], ["price", "order"]],
        "language": ["python", "go", "rust"],
        "name": ["orders", "a_name", "another-name"],
        "enabled": [True],
        "safetyLevel": ["strict", "trusted"],
        "mode": ["sample", "throttle", "stream"],
        "workspace_root": [str(source.parent)],
        "workspaceRoot": [str(source.parent)],
        "hostname": ["here"],
        "method": ["tools/list", "initialize", "tools/call"],
        "id": [1],
        # Nothing is sent to anywhere else.
        "host": ["127.0.0.1"],
        "port": [port],
        "controlPlaneUrl": [None],
    }
    return There(running, named)


TOMLS = [
    "[store]\nmax_age_days = 3",
    "[rate_limit]\nburst = 0",
    "[shop]",
    "a = [",
    "[daemon]\nlog_level = 'debug'\nport = 1",
]
DIFF = """\
--- a{0}
+++ b{0}
@@ -1,2 +1,3 @@
 def total(order):
+    print(order.price)
     price = order.price
"""
#: What must be of this machine, whatever else is asked.
ALWAYS = ("host", "port", "controlPlaneUrl")


def season(case: Any, named: dict[str, list[Any]], draw: Any) -> None:
    """Exchange parts of a request for what is there: all that can be, or some; addresses always."""
    share = draw.choice([0.3, 0.3, 1])
    parts = [case.path_parameters, case.query, case.body]
    for part in parts:
        if not isinstance(part, dict):
            continue
        if "jsonrpc" in part and share == 1:
            # Without it nobody waits for an answer.
            part["id"] = 1
        for name in list(part):
            is_right = name in ALWAYS and type(part[name]) in (str, int)
            if name in named and (is_right or draw.random() < share):
                alike = [each for each in named[name] if type(each) is type(part[name])]
                part[name] = draw.choice(alike or named[name])


def faults_of(operation: Any, there: There, http: requests.Session) -> list[str]:
    """What is wrong with the answers to some requests of an operation."""
    found: list[str] = []
    responses = DOCUMENT["paths"][operation.path][operation.method]["responses"]
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    either = right | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(SMALL, max_examples=EXAMPLES)
    @given(case=either, draw=st.randoms(use_true_random=False))
    def ask(case: Any, draw: Any) -> None:
        season(case, there.named, draw)
        answer = case.call(base_url=there.running.url, session=http, timeout=60)
        fault = fault_of(answer, responses)
        if fault:
            found.append(
                f"{operation.label} {case.as_curl_command()}: {answer.status_code} {fault}"
            )

    ask()
    return found


def fault_of(answer: schemathesis.Response, responses: dict[str, Any]) -> str:
    """What is not as described; ``""`` if all is."""
    described = responses.get(str(answer.status_code))
    if described is None:
        return f"is not described: {answer.text[:500]}"
    content = described.get("content", {})
    if not content:
        return answer.text[:500]
    kind = answer.headers["content-type"][0].partition(";")[0]
    if kind not in content:
        return f"is of type {kind}"
    if kind != "application/json":
        return ""
    return "; ".join(complaints(answer.json(), content[kind]["schema"], DOCUMENT))


def operations(*prefixes: str) -> list[Any]:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    found = [result.ok() for result in schema.get_all_operations()]
    wanted = [
        each for each in found if each.path.startswith(prefixes) and each.path not in LEFT_OUT
    ]
    # What takes things away comes last.
    return sorted(wanted, key=lambda each: each.method == "delete" or each.path in TAKES_AWAY)


@pytest.mark.parametrize(
    "prefix", ["/api/v1/", "/api/v2/", "/mcp", "/status", "/metrics", "/health"]
)
def test_every_answer_is_one_that_is_described(there, caplog, prefix):
    faults: list[str] = []
    with requests.Session() as http:
        http.trust_env = False
        for operation in operations(prefix):
            faults += faults_of(operation, there, http)
    assert faults == []
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


#: Bodies that are no JSON, not an object, or more than anybody asked for.
BODIES = {
    "nothing": b"",
    "half": b'{"name": ',
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "a huge number": b'{"port": 1e999, "line": 123456789012345678901234567890}',
    "lone surrogates": b'{"name": "\\ud800", "location": "\\udfff", "toml": "\\ud800"}',
    "nul": b'{"name": "\\u0000", "location": "\\u0000", "configToml": "\\u0000"}',
    "too large": b" " * (5 * 1024 * 1024),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_that_makes_no_sense_is_told_so(there, caplog, kind):
    with httpx.Client(base_url=there.running.url, trust_env=False, timeout=60) as http:
        for path, of in DOCUMENT["paths"].items():
            for method, operation in of.items():
                if "requestBody" not in operation:
                    continue
                url = path.format(tree="1-1", probe="orders", metric="1")
                answer = http.request(
                    method, url, content=BODIES[kind], headers={"content-type": "application/json"}
                )
                assert_told(answer, operation)
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def assert_told(answer: httpx.Response, operation: dict[str, Any]) -> None:
    """Not that it failed; and an error in its shape."""
    about = (
        f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}"
    )
    if answer.status_code == 404 and "request-path" in answer.text:
        # With a "/" in it, it is another path.
        assert "%2f" in str(answer.request.url), about
        return
    assert str(answer.status_code) in operation["responses"], about
    content = operation["responses"][str(answer.status_code)].get("content", {})
    if answer.status_code >= 400:
        assert complaints(answer.json(), content["application/json"]["schema"], DOCUMENT) == [], (
            about
        )


#: Parts of a path and values of a query, as they are sent.
TEXTS = [
    "%00",
    "%ff%fe",
    "%ED%A0%80",
    "..%2f..%2fetc%2fpasswd",
    "-1",
    "0",
    "99999999999999999999999999",
    "1e5",
    "%F0%9F%8C%B3" * 50,
    "a" * 5000,
    "'%20OR%201=1--",
    "%25s%25n",
    "nan",
    "true",
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_path_or_a_query_that_makes_no_sense_is_told_so(there, caplog, text):
    with httpx.Client(base_url=there.running.url, trust_env=False, timeout=60) as http:
        for path, of in DOCUMENT["paths"].items():
            if path in LEFT_OUT:
                continue
            for method, operation in of.items():
                names = [each["name"] for each in operation.get("parameters", ())]
                queries = [f"?{name}={text}" for name in names if f"{{{name}}}" not in path]
                if "{" in path:
                    queries.append("")
                for query in queries:
                    url = path
                    for name in names:
                        url = url.replace(f"{{{name}}}", text)
                    body = {} if "requestBody" in operation else None
                    assert_told(http.request(method, f"{url}{query}", json=body), operation)
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_what_isn_t_there_is_told_in_the_shape_of_its_face(there):
    with httpx.Client(base_url=there.running.url, trust_env=False, timeout=60) as http:
        for path, shape in (
            ("/api/v1/nowhere", "Fault"),
            ("/api/v2/nowhere", "Error"),
            ("/nowhere", "Error"),
            ("/mcp/nowhere", "Fault"),
        ):
            for method in ("GET", "POST", "TRACE", "BREW"):
                answer = http.request(method, path)
                assert answer.status_code in (404, 405), (method, path)
                schema = {"$ref": f"#/components/schemas/{shape}"}
                assert complaints(answer.json(), schema, DOCUMENT) == []
        answer = http.delete("/api/v1/metrics")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        assert json.loads(answer.text)["errorType"]
