"""Expressions and files are looked at before a metric is made; a diff makes them."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import wait_until
from tests.detrix.conformance import BETTER, Row
from tests.detrix.described import described_client
from tests.running_daemon import identity, running_daemon, status
from treetap.daemon.tree import process_start_ns

FILES = "Expressions and files"
CONFORMANCE = [
    Row(
        FILES,
        "`POST /api/v1/validate_expression`",
        BETTER,
        "The reason is always among `violations` (Detrix has a secret's among `warnings` only), and what "
        "the rules are is what a metric takes: `name.upper()` and `a + b` are, `shipping` is no secret.",
        "test_an_expression_is_checked_without_a_metric",
    ),
    Row(
        FILES,
        "`POST /api/v1/inspect_file`",
        BETTER,
        "Names of the module and of functions around it are known too, and whether the line holds code. "
        "A missing file or line is 404, not 500.",
        "test_a_file_is_inspected_in_three_ways",
    ),
    Row(
        FILES,
        "`POST /api/v1/enable_from_diff`",
        BETTER,
        "Detrix has it as a tool only. A diff that isn't applied works as well: what it would print is "
        "observed at the line that follows.",
        "test_a_diff_makes_metrics_of_its_prints",
    ),
]

SHOP = "def total(order):\n    price = order.price\n    return price\n"
DIFF = """\
--- a/shop.py
+++ b/shop.py
@@ -1,3 +1,6 @@
 def total(order):
     price = order.price
+    print("price", price)
+    print("here")
+    print(order)
     return price
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_daemon(tmp_path_factory.mktemp("sources")) as found:
        yield found


@pytest.fixture(scope="module")
def http(running):
    with described_client(running.url) as client:
        yield client


def test_an_expression_is_checked_without_a_metric(http):
    def verdict(expression, **fields):
        asked = {"expression": expression, "language": "python", **fields}
        return http.post("/api/v1/validate_expression", json=asked).json()

    assert verdict("name.upper()") == {
        "isSafe": True,
        "expression": "name.upper()",
        "metadata": None,
        "language": "python",
        "violations": [],
        "warnings": [],
    }
    secret = verdict("user.password", safetyLevel="strict")
    assert not secret["isSafe"]
    assert "password" in secret["violations"][0]
    assert "password" in secret["warnings"][0]
    assert verdict("shipping.mapping")["isSafe"]
    assert not verdict("eval('1')")["isSafe"]
    for level in ("trusted", "moderate"):
        assert verdict("order.save()", safetyLevel=level)["warnings"]
    assert verdict("o.Total", language="golang")["language"] == "go"
    unknown = verdict("a", language="cobol")
    assert (unknown["isSafe"], len(unknown["violations"])) == (False, 1)


@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        ({"expression": "a", "language": "python", "safetyLevel": "loose"}, 400, 3001),
        ({"expression": "a"}, 422, 3001),
        ({"expression": 1, "language": "python"}, 422, 3001),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(http, body, code, error):
    answer = http.post("/api/v1/validate_expression", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (code, error)


def test_a_file_is_inspected_in_three_ways(http, tmp_path):
    path = tmp_path / "shop.py"
    path.write_text(SHOP)

    def look(**fields):
        return http.post("/api/v1/inspect_file", json={"filePath": str(path), **fields}).json()

    context = [
        {"lineNumber": number, "code": code, "isTarget": False}
        for number, code in enumerate(SHOP.splitlines(), 1)
    ]
    assert look() == {
        "filePath": str(path),
        "language": "Python",
        "contextLines": context,
        "totalLines": 3,
    }
    at_line = look(line=3)
    assert at_line["codeAtLine"] == "    return price"
    assert at_line["availableVariables"] == ["order", "price"]
    assert (at_line["targetLine"], at_line["holdsCode"]) == (3, True)
    assert [each["isTarget"] for each in at_line["contextLines"]] == [False, False, True]
    found = look(findVariable="price")
    assert found["variableDefinitions"] == [
        {"line": 2, "scope": "total", "code": "price = order.price"}
    ]
    assert found["suggestedLines"] == [3]
    assert look(findVariable="prise")["similarVariables"] == ["price"]


@pytest.mark.parametrize(
    ("fields", "code", "error"),
    [
        ({"filePath": "/nowhere/shop.py"}, 404, 4306),
        ({"filePath": "shop.py"}, 400, 4305),
        ({"filePath": "/dev/zero"}, 400, 4301),
        ({"filePath": __file__, "line": 100_000}, 404, 4308),
        ({"filePath": __file__, "line": 0}, 404, 4308),
        ({"line": 1}, 422, 3001),
    ],
)
def test_what_is_not_there_is_told_with_its_own_code(http, fields, code, error):
    answer = http.post("/api/v1/inspect_file", json=fields)
    assert (answer.status_code, answer.json()["errorCode"]) == (code, error)


def test_a_diff_makes_metrics_of_its_prints(http, running):
    assert http.post("/api/v1/enable_from_diff", json={"diff": DIFF}).status_code == 400
    link = running.connect(identity())
    try:
        wait_until(lambda: running.client.nodes())
        dry = http.post("/api/v1/enable_from_diff", json={"diff": DIFF, "dryRun": True}).json()
        assert [each["status"] for each in dry["metrics"]] == [
            "found",
            "skipped",
            "found",
        ]
        assert running.client.probes() == []
        # It says that it has armed what it gets.
        link.send({"type": "status", "revision": 1, "probes": [status("p1")]})
        made = http.post(
            "/api/v1/enable_from_diff", json={"diff": DIFF, "group": "diff", "ttlSeconds": 60}
        ).json()
    finally:
        link.close()
    assert (made["created"], made["skipped"], made["failed"]) == (2, 1, 0)
    first, second, third = made["metrics"]
    assert (third["name"], third["expressions"]) == ("shop_py_5", ["order"])
    assert first["location"] == {"file": "shop.py", "line": 3}
    assert (first["name"], first["expressions"]) == ("shop_py_3", ["price"])
    assert (first["confidence"], first["code"]) == ("high", 'print("price", price)')
    assert second["error"] == "It prints no value, only text."
    probe = running.client.probe("shop_py_3")
    assert (probe["location"], probe["group"], probe["ttl_s"]) == ("shop.py:3", "diff", 60)
    assert http.get(f"/api/v1/metrics/{first['metricId']}").json()["group"] == "diff"
    bad = http.post("/api/v1/enable_from_diff", json={"diff": "no", "connectionId": "nobody"})
    assert bad.status_code == 404


def test_a_diff_is_read_beside_the_program_s_own_directory(http, running, tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    (tmp_path / "shop.py").write_text(SHOP)
    # It has no prints yet: the line that would follow is observed.
    program = subprocess.Popen(["sleep", "120"], cwd=folder)
    link = running.connect(identity(program.pid, start_ns=process_start_ns(program.pid)))
    try:
        name = wait_until(
            lambda: next(
                (
                    each["connectionId"]
                    for each in http.get("/api/v1/connections").json()
                    if each["pid"] == program.pid
                ),
                None,
            )
        )
        body = {"diff": DIFF, "connectionId": name, "dryRun": True}
        found = http.post("/api/v1/enable_from_diff", json=body).json()
    finally:
        link.close()
        program.kill()
        program.wait()
    assert found["warnings"] == []
    first, _, third = found["metrics"]
    assert first["location"] == third["location"] == {"file": "shop.py", "line": 3}
    assert [first["name"], third["name"]] == ["shop_py_3", "shop_py_3_2"]
