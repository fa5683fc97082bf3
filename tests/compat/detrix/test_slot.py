from __future__ import annotations

#: What each program begins with; ``seen`` is what it says in the end.
BEGIN = """
import json, os, sys, threading
import treetap
import treetap.compat.detrix as detrix
url, seen = os.environ["URL"], {}
"""
END = "\nprint(json.dumps(seen))\n"


def test_it_is_the_nodes_and_the_node_is_its(run, foreign_daemon):
    seen = run(
        f"""{BEGIN}
detrix.init(name="shop", daemon_url=url)
seen["ours"] = treetap.status()["debugger"]
treetap.wake()
seen["awake"] = detrix.status()
detrix.sleep()
seen["asleep"] = treetap.status()["state"]
try:
    treetap.init()
except treetap.ConfigError as exc:
    seen["second"] = exc.slug
treetap.shutdown()
detrix.init(name="again")
seen["again"] = detrix.status()["name"]
detrix.shutdown()
{END}""",
        URL=foreign_daemon.url,
    )
    assert (seen["ours"], seen["asleep"], seen["again"]) == ("debugpy", "sleeping", "again")
    assert seen["second"] == "config-already-initialized"
    awake = seen["awake"]
    assert (awake["state"], awake["connection_id"], awake["name"]) == ("awake", "c-1", "shop")
    assert awake["debug_port_active"]
    registered, unregistered = foreign_daemon.requests
    assert registered[3]["port"] == awake["debug_port"]
    assert unregistered[:2] == ("DELETE", "/api/v1/connections/c-1")


def test_a_wake_before_init_takes_the_environments_settings(run, foreign_daemon):
    seen = run(
        f"""{BEGIN}
seen["woken"] = detrix.wake()["status"]
detrix.init(name="shop")
seen["init"] = detrix.status()["name"]
while detrix.status()["state"] != "awake":
    threading.Event().wait(0.01)  # it was before; and so it is again, under its own name
try:
    detrix.init(name="again")
except detrix.ConfigError as exc:
    seen["again"] = str(exc)
detrix.shutdown()
{END}""",
        URL=foreign_daemon.url,
        DETRIX_DAEMON_URL=foreign_daemon.url,
    )
    assert seen["woken"] == "awake"
    assert seen["init"] == "shop"
    assert "already initialized" in seen["again"]
    names = [asked[3]["name"] for asked in foreign_daemon.requests if asked[0] == "POST"]
    assert names[0].startswith("detrix-client-")
    assert names[1:] == ["shop"]


def test_the_token_goes_to_the_daemon_that_the_program_named(run, foreign_daemon, tmp_path):
    (tmp_path / "detrix").mkdir()
    token = tmp_path / "detrix" / "auth-token"
    token.write_text("first\n")
    token.chmod(0o600)
    run(
        f"""{BEGIN}
import urllib.request
from pathlib import Path
def ask(**body):
    port = detrix.status()["control_port"]
    request = urllib.request.Request(f"http://127.0.0.1:{{port}}/detrix/wake", json.dumps(body).encode())
    urllib.request.urlopen(request, timeout=60).close()
detrix.init(name="shop", daemon_url=url + "/")
detrix.wake(); detrix.sleep()
Path("detrix/auth-token").write_text("second")
ask(); detrix.sleep()
detrix.shutdown()
detrix.init(name="shop", daemon_url="http://127.0.0.1:1")
detrix.wake(url); detrix.sleep()
detrix.wake(); detrix.sleep()
detrix.shutdown()
detrix.init(name="shop", daemon_url="http://127.0.0.1:1")
ask(daemon_url=url); detrix.sleep()
detrix.shutdown()
{END}""",
        URL=foreign_daemon.url,
    )
    sent = [asked[2] for asked in foreign_daemon.requests if asked[0] == "POST"]
    first, second = "Bearer first", "Bearer second"
    assert sent == [first, second, second, second, None]


def test_in_a_forked_child_it_is_a_client_of_its_own_that_ends(run, foreign_daemon):
    seen = run(
        f"""{BEGIN}
detrix.init(name="shop", daemon_url=url)
detrix.wake()
reading, writing = os.pipe()
pid = os.fork()
if not pid:
    try:
        found = detrix.status()
        found["woken"] = detrix.wake()["status"]
        found["port"] = detrix.status()["debug_port"]
        detrix.shutdown()
        os.write(writing, json.dumps(found).encode())
    finally:
        os._exit(0)
os.close(writing)
with open(reading) as pipe:
    seen["child"] = json.load(pipe)
os.waitpid(pid, 0)
seen["parent"] = detrix.status()
detrix.shutdown()
{END}""",
        URL=foreign_daemon.url,
    )
    child, parent = seen["child"], seen["parent"]
    assert (child["state"], child["connection_id"], child["debug_port_active"]) == (
        "sleeping",
        None,
        False,
    )
    assert child["woken"] == "awake"
    assert (parent["state"], parent["connection_id"]) == ("awake", "c-1")
    assert len({child["port"], parent["debug_port"]}) == 2
    assert len({child["control_port"], parent["control_port"]}) == 2


def test_a_fork_while_another_thread_shuts_down_leaves_a_child_that_can(run):
    seen = run(
        f"""{BEGIN}
from treetap.compat.detrix import _slot
detrix.init(name="shop")
is_held, is_over = threading.Event(), threading.Event()
def hold():
    with _slot._turn.lock:
        is_held.set()
        is_over.wait()
holder = threading.Thread(target=hold)
holder.start()
is_held.wait()
pid = os.fork()
if not pid:
    detrix.shutdown()
    os._exit(7)
seen["exit"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
is_over.set()
holder.join()
detrix.shutdown()
{END}""",
        URL="",
    )
    assert seen["exit"] == 7
