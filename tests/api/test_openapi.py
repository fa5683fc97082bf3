"""The document against the routes, both ways, and against what they answer."""

from __future__ import annotations

import httpx
import pytest
from starlette.routing import Route

from tests.api.validation import complaints
from tests.conftest import wait_until
from tests.running_daemon import identity, status
from treetap.api.openapi import document
from treetap.daemon.request import _FIELDS, FIXED_FIELDS
from treetap.model.status import ProbeStatus

DOCUMENT = document("1")


def operations() -> set[tuple[str, str]]:
    return {(path, method) for path, of in DOCUMENT["paths"].items() for method in of}


def test_every_route_is_in_the_document_and_the_other_way_round(running):
    routes = running.server.config.app.routes
    found = {
        (route.path, method.lower())
        for route in routes
        if isinstance(route, Route)
        for method in route.methods
        if method != "HEAD"
    }
    assert found == operations()


def test_every_reference_leads_somewhere():
    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"].rpartition("/")[2]
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    assert set(references(DOCUMENT)) == set(DOCUMENT["components"]["schemas"]) - {"ProbeStatus"} | {
        "ProbeStatus"
    }


def test_every_parameter_of_a_path_is_described():
    for path, of in DOCUMENT["paths"].items():
        named = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for operation in of.values():
            described = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert described == named, path


def test_a_probe_s_fields_are_those_that_are_read():
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["NewProbe"]["properties"]) == set(_FIELDS)
    assert set(schemas["ProbeChange"]["properties"]) == set(_FIELDS) - set(FIXED_FIELDS)
    assert set(schemas["ProbeStatus"]["properties"]) == set(ProbeStatus._fields)


@pytest.fixture
def busy(running):
    """A daemon with some of everything."""
    running.client.add_probe(location="a.py:1", expressions=["a"], snapshot=True, name="orders")
    running.client.add_probe(location="a.py:2", expressions=["b"], ttl_s=0)
    link = running.connect(identity())
    link.send(["batch", "p1", 4, [[1, 2, {"$": "snapshot", "locals": [], "stack": []}]]])
    link.send({"type": "status", "revision": 1, "probes": [status("p1", error=["a", "b", "c"])]})
    gone = running.connect(identity(5))
    gone.close()
    wait_until(lambda: running.client.probe("p1")["nodes"])
    wait_until(lambda: len(running.client.nodes()) == 2)
    running.flush()
    yield running
    link.close()


#: Those of other faces are asked by their own tests.
OWN_PATHS = ("/health", "/api/v2/")

REQUESTS = [
    ("get", "/health", "/health", None),
    ("get", "/api/v2/status", "/api/v2/status", None),
    ("get", "/api/v2/nodes", "/api/v2/nodes", None),
    ("get", "/api/v2/trees", "/api/v2/trees", None),
    ("put", "/api/v2/trees/{tree}", "/api/v2/trees/1-1", {"awake": True}),
    ("put", "/api/v2/trees/{tree}", "/api/v2/trees/1-1", {}),
    ("get", "/api/v2/probes", "/api/v2/probes", None),
    ("post", "/api/v2/probes", "/api/v2/probes", {"location": "a.py:1", "expressions": ["a"]}),
    ("post", "/api/v2/probes", "/api/v2/probes", {"location": "nowhere"}),
    (
        "post",
        "/api/v2/probes",
        "/api/v2/probes",
        {"location": "a.py:1", "expressions": ["a"], "name": "orders"},
    ),
    ("get", "/api/v2/probes/{probe}", "/api/v2/probes/p1", None),
    ("get", "/api/v2/probes/{probe}", "/api/v2/probes/orders", None),
    ("get", "/api/v2/probes/{probe}", "/api/v2/probes/p99", None),
    ("patch", "/api/v2/probes/{probe}", "/api/v2/probes/p1", {"max_hits": 5}),
    ("patch", "/api/v2/probes/{probe}", "/api/v2/probes/p1", {"location": "b.py:1"}),
    ("patch", "/api/v2/probes/{probe}", "/api/v2/probes/p1", {"max_hits": "5"}),
    ("post", "/api/v2/probes/{probe}/disable", "/api/v2/probes/p1/disable", None),
    ("post", "/api/v2/probes/{probe}/enable", "/api/v2/probes/p1/enable", None),
    ("post", "/api/v2/probes/{probe}/enable", "/api/v2/probes/p99/enable", None),
    ("delete", "/api/v2/probes/{probe}", "/api/v2/probes/p2", None),
    ("delete", "/api/v2/probes/{probe}", "/api/v2/probes/p99", None),
    ("get", "/api/v2/events", "/api/v2/events", None),
    ("get", "/api/v2/events", "/api/v2/events?limit=1", None),
    ("get", "/api/v2/events", "/api/v2/events?limit=0", None),
    ("get", "/api/v2/events", "/api/v2/events?where=zz", None),
    ("get", "/api/v2/events/stream", "/api/v2/events/stream?probe=p99", None),
    ("post", "/api/v2/targets", "/api/v2/targets", {"host": "127.0.0.1", "port": 1, "name": "a"}),
    ("post", "/api/v2/targets", "/api/v2/targets", {"host": "127.0.0.1", "port": 0, "name": "a"}),
    ("post", "/api/v2/targets", "/api/v2/targets", {"host": "127.0.0.1", "port": 1}),
    ("get", "/api/v2/targets", "/api/v2/targets", None),
    ("get", "/api/v2/targets/{target}", "/api/v2/targets/nobody", None),
    ("delete", "/api/v2/targets/{target}", "/api/v2/targets/nobody", None),
    ("post", "/api/v2/targets/forget", "/api/v2/targets/forget", None),
    ("get", "/api/v2/config", "/api/v2/config", None),
    ("patch", "/api/v2/config", "/api/v2/config", {"toml": "[store]\nurl='sqlite:///x'"}),
    ("patch", "/api/v2/config", "/api/v2/config", {"toml": "[store]\nurl=1", "is_kept": False}),
    ("patch", "/api/v2/config", "/api/v2/config", {"toml": "", "is_kept": "no"}),
    ("post", "/api/v2/config/check", "/api/v2/config/check", {"toml": "[shop]"}),
    ("post", "/api/v2/config/check", "/api/v2/config/check", {"toml": 1}),
    ("post", "/api/v2/config/reload", "/api/v2/config/reload", None),
    ("get", "/api/v2/openapi.json", "/api/v2/openapi.json", None),
    ("post", "/api/v2/shutdown", "/api/v2/shutdown", None),
]


def test_every_route_answers_as_its_description_says(busy):
    asked = set()
    with httpx.Client(base_url=busy.url, trust_env=False, timeout=60) as http:
        for method, path, url, body in REQUESTS:
            answer = http.request(method, url, json=body)
            responses = DOCUMENT["paths"][path][method]["responses"]
            assert str(answer.status_code) in responses, (url, answer.text)
            response = responses[str(answer.status_code)]
            if "content" not in response:
                assert answer.content == b""
            else:
                assert answer.headers["content-type"] == "application/json"
                schema = response["content"]["application/json"]["schema"]
                assert complaints(answer.json(), schema, DOCUMENT) == [], url
            asked.add((path, method))
    own = {(path, method) for path, method in operations() if path.startswith(OWN_PATHS)}
    assert asked == own


def test_the_validation_itself_finds_faults():
    schema = {"$ref": "#/components/schemas/Tree"}
    tree = {"id": "1", "root_pid": 1, "awake": True, "nodes": 0}
    assert complaints(tree, schema, DOCUMENT) == []
    assert complaints({**tree, "nodes": "0"}, schema, DOCUMENT)
    assert complaints({**tree, "more": 0}, schema, DOCUMENT)
    assert complaints({"id": "1"}, schema, DOCUMENT)
