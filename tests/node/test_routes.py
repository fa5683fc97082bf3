from __future__ import annotations

import os
import sys

import pytest

from tests.node.conftest import Caller
from treetap.node.routes import DETRIX_STATUS

JSON_HEADERS = {"Content-Type": "application/json"}


def test_health_needs_nothing(call):
    assert call("GET", "/treetap/health") == (200, {"status": "ok", "service": "treetap-node"})
    assert call("GET", "/detrix/health") == (200, {"status": "ok", "service": "detrix-client"})


def test_status_is_the_nodes_status(call, node):
    code, status = call("GET", "/treetap/status?x=1")
    assert code == 200
    assert status == node.status()
    assert status["state"] == "sleeping"


def test_detrix_status_has_detrix_names_and_no_others(call, node):
    code, status = call("GET", "/detrix/status")
    assert (code, tuple(status)) == (200, DETRIX_STATUS)
    node.life.warm_up()
    assert call("GET", "/detrix/status")[1]["state"] == "sleeping"
    assert call("GET", "/treetap/status")[1]["state"] == "warm"


def test_info_names_the_process(call, node):
    code, info = call("GET", "/detrix/info")
    assert (code, info) == (
        200,
        {
            "name": "shop",
            "pid": os.getpid(),
            "python_version": sys.version.replace("\n", " "),
            "python_executable": sys.executable,
            "go_version": None,
            "rust_version": None,
        },
    )
    assert call("GET", "/treetap/info")[1]["tree"] == node.identity.tree


def test_discover_tells_daemon_and_control_plane(call, node):
    assert call("GET", "/detrix/discover") == (
        200,
        {
            "daemon_url": node.settings.daemon_url,
            "name": "shop",
            "control_plane_url": f"http://127.0.0.1:{node.status()['control_port']}",
        },
    )


def test_without_a_routable_host_no_control_plane_is_told(make_node):
    call = Caller(make_node(control_host="0.0.0.0"))
    assert "control_plane_url" not in call("GET", "/detrix/discover")[1]


def test_an_advertised_host_is_told(make_node):
    call = Caller(make_node(advertise_host="shop.example"))
    url = call("GET", "/detrix/discover")[1]["control_plane_url"]
    assert url.startswith("http://shop.example:")


@pytest.mark.parametrize("prefix", ["/treetap", "/detrix"])
def test_wake_and_sleep(make_node, daemon, prefix):
    node = make_node(daemon_url=daemon.url)
    call = Caller(node)
    awake = {
        "debug_port": 0, "connection_id": node.identity.id, "daemon_url": daemon.url
    }  # fmt: skip
    assert call("POST", f"{prefix}/wake") == (200, {"status": "awake", **awake})
    assert call("POST", f"{prefix}/wake", {}) == (200, {"status": "already_awake", **awake})
    assert call("GET", f"{prefix}/status")[1]["state"] == "awake"
    assert call("POST", f"{prefix}/sleep") == (200, {"status": "sleeping"})
    assert call("POST", f"{prefix}/sleep") == (200, {"status": "already_sleeping"})


def test_a_daemon_that_is_away_is_503_in_both_words(make_node):
    call = Caller(make_node(daemon_url="http://127.0.0.1:1"))
    code, body = call("POST", "/detrix/wake", headers=JSON_HEADERS)
    assert code == 503
    assert body == {"error": "Cannot connect to daemon at http://127.0.0.1:1"}
    code, body = call("POST", "/treetap/wake")
    assert code == 503
    assert body["error"]["slug"] == "daemon-unreachable"
    assert set(body["error"]) == {"slug", "what", "hint"}


def test_a_file_of_the_workspace_is_read(make_node, tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    call = Caller(make_node(workspace_root=str(tmp_path)))
    for prefix in ("/treetap", "/detrix"):
        assert call("POST", f"{prefix}/files/read", {"path": "a.py"}, raw=True) == (200, b"x = 1\n")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"path": "/etc/passwd"}, 403, "Path not within workspace"),
        ({"path": "a", "workspace_root": "/"}, 403, "Workspace root escapes trust boundary"),
        ({}, 400, "Missing 'path' in request body"),
        (["path"], 400, "Missing 'path' in request body"),
        (None, 400, "Missing 'path' in request body"),
        ({"path": 7}, 400, "Invalid 'path' value"),
    ],
)
def test_files_are_refused_in_detrix_words(make_node, tmp_path, body, code, message):
    call = Caller(make_node(workspace_root=str(tmp_path)))
    assert call("POST", "/detrix/files/read", body) == (code, {"error": message})


def test_a_missing_file_is_an_empty_404_in_detrix(make_node, tmp_path):
    call = Caller(make_node(workspace_root=str(tmp_path)))
    assert call("POST", "/detrix/files/read", {"path": "none"}, raw=True) == (404, b"")
    code, body = call("POST", "/treetap/files/read", {"path": "none"})
    assert (code, body["error"]["slug"]) == (404, "files-missing")


def test_unknown_paths_and_methods(call):
    assert call("GET", "/detrix/nope") == (404, {"error": "Not found"})
    assert call("POST", "/detrix/nope") == (404, {"error": "Not found"})
    assert call("GET", "/")[0] == 404
    code, body = call("GET", "/treetap/nope")
    assert (code, body["error"]["slug"]) == (404, "control-plane-route")
    assert "/treetap/wake" in body["error"]["hint"]
    assert call("GET", "/treetap/wake")[1]["error"]["slug"] == "control-plane-method"
    assert call("DELETE", "/treetap/status")[0] == 405


def test_a_body_that_is_no_json_is_told_to_ours_and_none_to_detrix(call):
    code, body = call("POST", "/treetap/wake", b"{")
    assert (code, body["error"]["slug"]) == (400, "control-plane-body")
    assert call("POST", "/treetap/wake", {"daemon_url": 7})[0] == 400
    assert call("POST", "/detrix/wake", b"{")[0] == 503  # no daemon is there to wake to
    assert call("POST", "/detrix/wake", [1])[0] == 503


def test_a_fault_of_ours_is_a_500_and_kept(make_node, daemon):
    def fail(_node):
        raise ZeroDivisionError("engine")

    node = make_node(factory=fail, daemon_url=daemon.url)
    code, body = Caller(node)("POST", "/treetap/wake")
    assert (code, body["error"]["slug"]) == (500, "control-plane")
    assert node.status()["state"] == "sleeping"
    assert "ZeroDivisionError" in node.status()["faults"][0]["what"]
