"""When the engine is loaded in a process that starts in an awake tree."""

from __future__ import annotations

import _thread
import importlib
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.conftest import wait_until
from tests.node.fake_probe_set import FakeProbeSet
from treetap.model.location import parse_location
from treetap.model.probe import Probe
from treetap.node import adoption, identity, launch, standing
from treetap.node.adoption import _Wanted
from treetap.wire.message import probe_to_dict


def fields(location, **changes):
    return probe_to_dict(
        Probe(id="p1", location=parse_location(location), expressions=("x",), **changes)
    )


@pytest.fixture
def adopt(make_node, monkeypatch):
    """Has a new node adopt probes, with all the patience there is."""
    monkeypatch.setattr(adoption, "PATIENCE_S", 30)

    def adopt(*locations):
        node = make_node()
        node.life.adopt([fields(each) for each in locations], None, "http://127.0.0.1:1")
        return node

    return adopt


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "sold_out.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield "sold_out"
    sys.modules.pop("sold_out", None)


def test_nothing_is_loaded_until_there_is_need(adopt):
    node = adopt("sold_out.py:1")
    assert node.state == "waking"
    assert node.life.probe_set is None
    assert node.thread_count == 2


def test_importing_what_a_probe_may_be_meant_for_loads_before_the_modules_code(adopt, module):
    node = adopt(f"{module}.py:1")
    importlib.import_module("this")  # another module is none of our business
    assert node.life.probe_set is None
    seen = []
    found = importlib.import_module(module)
    assert found.x == 1
    assert [each.id for each in node.life.probe_set.wanted] == ["p1"]
    wait_until(lambda: node.state == "awake")
    assert not any(isinstance(finder, adoption.Adoption) for finder in sys.meta_path)
    assert seen == []


def test_a_module_that_is_not_there_is_still_not_there(adopt):
    node = adopt("nowhere_to_be_found.py:1")
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        importlib.import_module("nowhere_to_be_found")
    assert node.life.probe_set is not None


@pytest.mark.parametrize("location", ["decoder.py:3", "json.decoder:JSONDecoder.decode"])
def test_what_is_loaded_already_is_armed_at_once(adopt, location):
    import json  # noqa: F401

    node = adopt(location)
    assert node.life.probe_set is not None
    wait_until(lambda: node.state == "awake")


def test_after_some_patience_the_engine_is_loaded_anyway(make_node):
    node = make_node()
    node.life.adopt([fields("sold_out.py:1")], None, "")
    wait_until(lambda: node.state == "awake")
    assert node.daemon_url == node.settings.daemon_url


def test_without_probes_the_node_is_awake_all_the_same(make_node):
    node = make_node()
    node.life.adopt([], None, "http://127.0.0.1:1")
    wait_until(lambda: node.state == "awake")


def test_sleep_and_shutdown_end_the_patience_and_leave_nothing(adopt):
    node = adopt("sold_out.py:1")
    assert node.sleep() == {"status": "already_sleeping"}
    assert node.state == "sleeping"
    wait_until(lambda: node.thread_count == 1)
    assert not any(isinstance(finder, adoption.Adoption) for finder in sys.meta_path)
    other = adopt("sold_out.py:1")
    other.shutdown()
    wait_until(lambda: other.thread_count == 0)


def test_a_wake_ends_the_patience_too(adopt):
    node = adopt("sold_out.py:1")
    assert node.wake()["status"] == "already_awake"


def test_a_process_that_ends_does_not_load_the_engine(adopt):
    node = adopt("sold_out.py:1")
    node.finish(5)
    assert node.life.probe_set is None
    assert node.state == "sleeping"


def test_an_engine_that_fails_leaves_the_node_asleep(make_node):
    def factory(_node):
        raise ZeroDivisionError

    node = make_node(factory=factory)
    node.life.adopt([fields("json.decoder:JSONDecoder.decode")], None, "")
    assert node.state == "sleeping"
    assert node.status()["faults"][0]["where"] == "joining the tree"
    assert node.sleep() == {"status": "already_sleeping"}


def test_a_finder_waits_only_so_long_for_another_thread_that_loads(make_node, module, monkeypatch):
    monkeypatch.setattr(adoption, "PATIENCE_S", 0.01)
    monkeypatch.setattr(adoption, "_LOADING_TIMEOUT_S", 0.1)
    is_loading, may_load = threading.Event(), threading.Event()

    def factory(_node):
        is_loading.set()
        may_load.wait(10)
        return FakeProbeSet()

    node = make_node(factory=factory)
    node.life.adopt([fields(f"{module}.py:1")], None, "")
    is_loading.wait(10)
    assert importlib.import_module(module).x == 1
    may_load.set()
    wait_until(lambda: node.state == "awake")


def test_an_import_waits_for_the_engine_that_another_thread_is_loading(
    make_node, module, monkeypatch
):
    monkeypatch.setattr(adoption, "PATIENCE_S", 0.01)
    monkeypatch.setattr(adoption, "_LOADING_TIMEOUT_S", 20)
    is_loading, may_load = threading.Event(), threading.Event()

    def factory(_node):
        is_loading.set()
        may_load.wait(20)
        return FakeProbeSet()

    node = make_node(factory=factory)
    node.life.adopt([fields(f"{module}.py:1")], None, "")
    is_loading.wait(20)
    timer = threading.Timer(0.1, may_load.set)
    timer.start()
    assert importlib.import_module(module).x == 1
    assert [each.id for each in node.life.probe_set.wanted] == ["p1"]
    timer.join()


def test_what_was_armed_as_the_process_ends_is_shipped_all_the_same(adopt, module, monkeypatch):
    def refuse(*_arguments):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    node = adopt(f"{module}.py:1")
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    importlib.import_module(module)
    assert node.state == "awake"
    assert node.status()["faults"][0]["where"] == "the start of the shipper"


@pytest.mark.parametrize(
    ("location", "name", "may_be"),
    [
        ("shop.py:1", "shop", True),
        ("app/shop.py:1", "app.shop", True),
        ("app/shop.py:1", "app.shopping", False),
        ("app/__init__.py:1", "anything", True),
        ("app.shop:Cart.add", "app.shop", True),
        ("app.shop:Cart.add", "shop", False),
    ],
)
def test_a_name_tells_whether_a_module_may_be_the_one(location, name, may_be):
    assert _Wanted(fields(location)).may_be(name) is may_be


def test_a_probe_without_a_place_is_nowhere():
    assert not _Wanted({}).may_be("shop")


RUN = """
import sys, time, treetap
from treetap.node.api import slot
node = slot.node
print(node.state, node.life.probe_set is not None, "msgspec" in sys.modules)
"""


@pytest.fixture
def run(home, tmp_path):
    """Runs a script in an awake tree; what it printed."""

    def run(name, *locations, code=RUN):
        (home / "run").mkdir(mode=0o700, exist_ok=True)
        import json

        content = {
            "url": "http://127.0.0.1:1", "link": {}, "awake_trees": ["12-ab"],
            "probes": [fields(each) for each in locations],
        }  # fmt: skip
        path = home / "run" / "standing.json"
        path.write_text(json.dumps(content, separators=(",", ":")))
        path.chmod(0o600)
        (tmp_path / name).write_text(textwrap.dedent(code))
        base = {k: v for k, v in os.environ.items() if not k.startswith("TREETAP_")}
        done = subprocess.run(
            [sys.executable, name], cwd=tmp_path, capture_output=True, text=True, timeout=30,
            env=launch.environment(base, home=str(home), tree="12-ab"),
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.strip()

    return run


def test_a_script_that_nothing_is_meant_for_starts_without_the_engine(run):
    # On a busy machine the moment for which it waits may be over when it prints.
    wait_until(lambda: run("shop.py", "elsewhere.py:3") == "waking False False")


def test_a_script_that_a_probe_is_meant_for_has_it_from_its_first_line(run):
    found = run(
        "shop.py",
        "shop.py:3",
        code="""
            from treetap.node.api import slot
            x = slot.node.life.probe_set
            x = [status.hits for status in x.statuses()]
            print(x)
            """,
    )
    assert found == "[1]"


def test_only_probes_for_the_node_are_adopted(make_node):
    node = make_node()
    target = {"tree": "", "name": "", "pid": 0}
    assert standing._is_for(node, {"target": target})
    assert standing._is_for(node, {"target": {**target, "tree": identity.own_id(), "name": "shop"}})
    assert not standing._is_for(node, {"target": {**target, "name": "other"}})
    assert not standing._is_for(node, {"target": target, "is_enabled": False})
    assert not standing._is_for(node, {})
    assert not standing._is_for(node, 7)


def test_who_waits_for_the_shipper_does_not_wait_out_its_delay(adopt, module, monkeypatch):
    monkeypatch.setattr(adoption, "_SHIPPING_DELAY_S", 50)
    node = adopt(f"{module}.py:1")
    importlib.import_module(module)
    assert node.state == "waking"
    node.life.settle()  # it waits for a second at most, which may go with importing
    wait_until(lambda: node.state == "awake")
    node.life.settle()
    assert node.sleep() == {"status": "sleeping"}
    node = adopt("os.py:1")
    assert node.sleep() == {"status": "sleeping"}
