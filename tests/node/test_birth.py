from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

import treetap
from tests.conftest import wait_until
from tests.link.fake_daemon import FakeDaemon
from tests.node.fake_probe_set import FakeProbeSet
from tests.node.traces import descriptors, wait_for_earlier_nodes
from treetap.model.location import Location
from treetap.model.probe import Probe, Target
from treetap.node import adoption, api, birth, identity, launch, waking
from treetap.node.registry import live_nodes
from treetap.wire.message import probe_to_dict

PROBE = Probe(id="p1", location=Location(file="shop.py", line=3), expressions=("x",))
TREE = "12-ab"


@pytest.fixture(autouse=True)
def in_a_tree(home, monkeypatch):
    monkeypatch.setenv("TREETAP_TREE", TREE)
    monkeypatch.setenv("TREETAP_PARENT", "13-cd")
    yield
    treetap.shutdown()


def write_standing(home, **changes):
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    content = {
        "revision": 3, "url": "http://127.0.0.1:1", "link": {}, "awake_trees": [TREE],
        "probes": [probe_to_dict(PROBE)], **changes,
    }  # fmt: skip
    path = home / "run" / "standing.json"
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path


def begin():
    return birth.begin(lambda _node: FakeProbeSet())


def test_outside_a_tree_nothing_happens(monkeypatch):
    monkeypatch.delenv("TREETAP_TREE")
    assert begin() is None
    monkeypatch.setenv("TREETAP_TREE", "../../etc")
    assert begin() is None


def test_a_process_of_a_tree_is_a_node_asleep():
    node = begin()
    assert api.slot.node is node
    status = node.status()
    assert (status["state"], status["tree"], status["parent"]) == ("sleeping", TREE, "13-cd")
    assert begin() is None


def test_a_child_does_not_fight_for_the_roots_port(monkeypatch):
    monkeypatch.setenv("TREETAP_CONTROL_PORT", "1")
    assert begin().status()["control_port"] > 1


def test_in_an_awake_tree_the_process_is_soon_awake_and_waits_for_nobody(home, monkeypatch):
    monkeypatch.setattr(adoption, "PATIENCE_S", 1.0)  # so that a busy machine can look in time
    write_standing(home)
    node = begin()
    assert node.state == "waking"
    wait_until(lambda: node.state == "awake")
    assert [probe.id for probe in node.life.probe_set.wanted] == ["p1"]


# A probe for what is loaded already is armed at once; the control plane is opened when that is done, and
# the program has had a moment.


@pytest.fixture
def hurried(home, monkeypatch):
    """A node that is born with a probe to be armed at once, and leaves the program all the time."""
    monkeypatch.setattr(adoption, "_SHIPPING_DELAY_S", 50)
    near = PROBE._replace(location=Location(file="decoder.py", line=3))

    def hurried():
        write_standing(home, probes=[probe_to_dict(near)])
        node = begin()
        assert node.state == "waking" or not adoption._SHIPPING_DELAY_S
        assert [probe.id for probe in node.life.probe_set.wanted] == ["p1"]
        return node

    return hurried


def test_a_node_born_in_a_hurry_is_found_a_moment_later(hurried, home, monkeypatch):
    monkeypatch.setattr(adoption, "_SHIPPING_DELAY_S", 0)
    node = hurried()
    wait_until(lambda: node.state == "awake")
    (found,) = live_nodes(str(home))
    assert found.control_port == node.status()["control_port"]


def test_who_asks_it_sooner_is_answered(hurried, home):
    node = hurried()
    assert live_nodes(str(home)) == []
    port = node.status()["control_port"]
    assert port > 0
    assert [found.control_port for found in live_nodes(str(home))] == [port]
    assert node.control_url() == f"http://127.0.0.1:{port}"
    node.life.settle()  # it waits for a second at most, which may go with importing
    wait_until(lambda: node.state == "awake")
    assert node.status()["control_port"] == port


@pytest.mark.parametrize("end", ["shutdown", "finish"])
def test_one_that_ends_sooner_was_never_there(hurried, home, monkeypatch, end):
    monkeypatch.setenv("TREETAP_DEBUG", "1")
    wait_for_earlier_nodes()
    before = descriptors()
    node = hurried()
    if end == "finish":
        node.finish(5)
        assert live_nodes(str(home)) == []
    treetap.shutdown()
    assert live_nodes(str(home)) == []
    assert node.status()["control_port"] == 0
    # That the daemon isn't there may be found out meanwhile.
    places = {fault["where"] for fault in node.status()["faults"]}
    assert places <= {"reaching the daemon"}
    wait_until(lambda: descriptors() == before)


def test_one_that_is_shut_down_while_it_begins_to_ship_ends_all_the_same(hurried, monkeypatch):
    may_begin, begin_shipping = threading.Event(), waking.Awake.start

    def late(awake, probes):
        assert may_begin.wait(30)
        begin_shipping(awake, probes)

    monkeypatch.setattr(waking.Awake, "start", late)
    node = hurried()
    treetap.shutdown()  # it waits for a moment only
    may_begin.set()
    wait_until(lambda: node.state == "sleeping" and node.thread_count == 0)


def test_one_that_has_no_port_does_without(hurried, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # The root's port is the one that was asked for.
        monkeypatch.setenv("TREETAP_TREE", identity.own_id())
        monkeypatch.setenv("TREETAP_CONTROL_PORT", str(taken.getsockname()[1]))
        monkeypatch.setattr(adoption, "_SHIPPING_DELAY_S", 0)
        monkeypatch.setattr(f"{__name__}.TREE", identity.own_id())
        node = hurried()
        wait_until(lambda: node.state == "awake")
        status = node.status()
        assert "opening the control plane" in [fault["where"] for fault in status["faults"]]
        assert status["control_port"] == 0


def test_the_daemon_is_reached_by_the_link_that_is_written_there(home, tmp_path):
    with FakeDaemon(tmp_path, probes=[probe_to_dict(PROBE)]) as daemon:
        write_standing(home, link=daemon.link, url=daemon.url)
        node = begin()
        wait_until(lambda: node.status()["link"] == "connected")
        assert daemon.requests == []
        node.life.probe_set.hit("p1", 1, 2)
        wait_until(daemon.rows)
        daemon.cut_links()
        wait_until(lambda: len(daemon.links) == 2)
        assert daemon.requests  # the daemon may have moved: its URL was asked


def test_a_tree_that_sleeps_stays_asleep(home):
    write_standing(home, awake_trees=["99-zz"])
    assert begin().state == "sleeping"


def test_only_the_probes_for_this_node_are_armed(home):
    fields = [
        probe_to_dict(PROBE._replace(id=name, target=target))
        for name, target in {
            "all": Target(), "tree": Target(tree=TREE), "other-tree": Target(tree="99-zz"),
            "pid": Target(pid=os.getpid()), "other-pid": Target(pid=1), "name": Target(name="nobody"),
        }.items()
    ]  # fmt: skip
    write_standing(home, probes=fields)
    node = begin()
    wait_until(lambda: node.state == "awake")
    assert {probe.id for probe in node.life.probe_set.wanted} == {"all", "tree", "pid"}


@pytest.mark.parametrize(
    "content",
    ["", "{", f'"{TREE}"', f'["{TREE}"]', f'{{"awake_trees": ["{TREE}"], "probes": 7}}', "\xff"],
)
def test_a_broken_file_leaves_the_process_asleep(home, content):
    path = write_standing(home)
    path.write_text(content, encoding="latin-1")
    assert begin().state == "sleeping"


def test_a_file_that_others_could_write_is_not_believed(home):
    write_standing(home).chmod(0o666)
    assert begin().state == "sleeping"


def test_a_link_in_place_of_the_file_is_not_followed(home, tmp_path):
    path = write_standing(home)
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    assert begin().state == "sleeping"


# The hook itself, in fresh interpreters.


@pytest.fixture
def run(home, tmp_path):
    """Runs a program in a tree; it must say nothing on stderr."""

    def run(code, *, options=(), environ=(), before=(), cwd=tmp_path):
        base = {k: v for k, v in os.environ.items() if not k.startswith("TREETAP_")}
        base["PYTHONPATH"] = os.pathsep.join(map(str, before))
        changed = {**launch.environment(base, home=str(home), tree=TREE), **dict(environ)}
        done = subprocess.run(
            [sys.executable, *options, "-c", textwrap.dedent(code)],
            env=changed, cwd=cwd, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.stderr == ""
        assert done.returncode == 0
        return done.stdout.strip()

    return run


def test_a_fresh_python_is_a_node_before_its_first_line(run):
    assert (
        run("import treetap; s = treetap.status(); print(s['state'], s['tree'])")
        == f"sleeping {TREE}"
    )


def test_the_path_is_as_if_we_were_not_there(run, tmp_path):
    shown = "import sys; print(sys.path)"
    bare = subprocess.run(
        [sys.executable, "-c", shown], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert run(shown) == bare.stdout.strip()


def test_where_there_is_no_other_sitecustomize_there_is_none_at_all(run):
    # Debian's Python has one of its own; then that one is there, as without us.
    shown = "import sys; m = sys.modules.get('sitecustomize'); print(m and m.__file__)"
    bare = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert run(shown) == bare.stdout.strip()


def test_another_sitecustomize_runs_as_if_ours_were_not_there(run, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys; sys.seen = (__name__, __file__)\n")
    code = "import sys, sitecustomize; print(sys.seen, sitecustomize.__file__)"
    path = str(folder / "sitecustomize.py")
    assert run(code, before=[folder]) == f"('sitecustomize', '{path}') {path}"


def test_a_sitecustomize_that_fails_fails_as_it_would_without_us(home, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("raise RuntimeError('theirs')\n")
    bare = {k: v for k, v in os.environ.items() if not k.startswith("TREETAP_")}
    bare["PYTHONPATH"] = str(folder)
    shown = []
    for environ in (bare, launch.environment(bare, home=str(home), tree=TREE)):
        done = subprocess.run(
            [sys.executable, "-c", "print('on')"], env=environ, capture_output=True, text=True
        )
        assert done.stdout == "on\n"
        shown.append(done.stderr)
    assert shown[0] == shown[1]
    assert "theirs" in shown[0]


def test_a_python_without_treetap_and_msgspec_is_a_node_all_the_same(run, home, tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        write_standing(home, link=daemon.link, url=daemon.url, probes=[])
        code = """
            import sys, time
            sys.modules['msgspec'] = None
            import treetap
            from treetap.wire import codec
            deadline = time.monotonic() + 20
            def found():
                status = treetap.status()
                return status["state"], status["link"]
            # The link's thread may connect before the other one has said that the node is awake.
            while found() != ("awake", "connected") and time.monotonic() < deadline:
                time.sleep(0.01)
            print(*found())
            """
        # -S leaves the installed packages out; the hook is then imported by hand.
        hook = f"import sys; sys.path.insert(0, {launch.startup_directory()!r})\ntry: import sitecustomize\nexcept ImportError: pass\n"
        found = run(hook + textwrap.dedent(code), options=["-S"])
        assert found == "awake connected"


def test_a_hook_that_fails_is_silent(run, home):
    (home / "run").write_text("in the way")
    assert run("print('on')") == "on"
    assert run("print('on')", environ={"TREETAP_CONTROL_HOST": "http://bad"}) == "on"
    assert run("print('on')", environ={"TREETAP_HOME": "/proc/nowhere"}) == "on"


def test_a_program_that_replaces_itself_keeps_its_parent(run):
    code = """
        import os, sys, treetap
        show = "import treetap; s = treetap.status(); print(s['id'], s['parent'])"
        print(treetap.status()["id"], treetap.status()["parent"], flush=True)
        os.execv(sys.executable, [sys.executable, "-c", show])
        """
    first, second = run(code, environ={"TREETAP_PARENT": "13-cd"}).splitlines()
    assert first == second
    assert first.endswith(" 13-cd")


def test_what_a_node_starts_has_it_as_its_parent(run):
    code = """
        import subprocess, sys, treetap
        show = "import treetap; print(treetap.status()['parent'])"
        child = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True)
        print(child.stdout.strip() == treetap.status()["id"], child.stderr)
        """
    assert run(code) == "True"


def test_a_signal_that_comes_before_the_control_plane_is_answered_by_it(home, tmp_path):
    near = PROBE._replace(location=Location(file="shop.py", line=3))
    write_standing(home, probes=[probe_to_dict(near)])
    (tmp_path / "shop.py").write_text(
        "import os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
        "deadline = time.monotonic() + 30\n"
        f"lock = {str(home / 'run' / 'dump.lock')!r}\n"
        "while not (os.path.exists(lock) and os.path.getsize(lock)) and time.monotonic() < deadline:\n"
        "    time.sleep(0.01)\n"
    )
    base = {k: v for k, v in os.environ.items() if not k.startswith("TREETAP_")}
    done = subprocess.run(
        [sys.executable, "shop.py"], cwd=tmp_path, capture_output=True, text=True, timeout=50,
        env=launch.environment(base, home=str(home), tree=TREE, debug=True),
    )  # fmt: skip
    assert done.returncode == 0
    assert re.search(r"shop\.py:[2-6]", done.stderr)


def test_an_isolated_python_is_left_alone(run):
    assert run("import sys; print('treetap' in sys.modules)", options=["-I"]) == "False"


def test_the_root_has_its_own_id_as_its_tree():
    node = None
    os.environ["TREETAP_TREE"] = identity.own_id()
    node = begin()
    assert node.status()["tree"] == node.status()["id"]
    assert node.status()["parent"] == ""
