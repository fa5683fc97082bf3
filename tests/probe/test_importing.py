from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import threading
import zipfile
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location

import pytest

from treetap.probe.importing import ImportWatch

SOURCE = """
    import sys
    seen = []

    def early(a):
        b = a + 1  # early
        return b

    class Thing:
        size = early(10)  # in the class

        def method(self, a):
            return a * 2  # method

    for i in range(3):
        seen.append(i)  # in the body
    late = lambda a: a - 1  # lambda
"""


def watches():
    return [finder for finder in sys.meta_path if isinstance(finder, ImportWatch)]


def test_a_pending_probe_is_armed_before_the_modules_own_code_runs(programs, stage):
    name = programs.write(SOURCE)
    early = stage.add(f"{name}.py", "# early", "a")
    method = stage.add(name, ":Thing.method", "a")
    late = stage.add(f"{name}.py", "# lambda", "a")
    stage.apply()
    assert [stage.status(p).state for p in (early, method, late)] == ["pending"] * 3
    assert len(watches()) == 1
    module = importlib.import_module(name)
    assert watches() == []
    assert stage.values(early) == [10]
    assert module.Thing().method(4) == 8
    assert module.late(3) == 2
    assert (stage.values(method), stage.values(late)) == ([4], [3])
    assert {stage.status(p).state for p in (early, method, late)} == {"armed"}


def test_lines_of_the_body_and_of_a_class_body_are_reached(programs, stage):
    name = programs.write(SOURCE)
    body = stage.add(f"{name}.py", "# in the body", "i")
    of_class = stage.add(f"{name}.py", "# in the class", "1")
    stage.apply()
    module = importlib.import_module(name)
    assert module.seen == [0, 1, 2]
    assert stage.status(body).error == ()
    if sys.version_info >= (3, 12):
        assert stage.values(body) == [0, 1, 2]
        assert stage.hits(of_class) == 1


def test_what_was_armed_at_import_is_let_go_of(programs, stage):
    name = programs.write(SOURCE)
    early = stage.put(f"{name}.py", "# early", "a")
    module = importlib.import_module(name)
    stage.take_out(early)
    assert module.early(1) == 2
    source = (programs.folder / f"{name}.py").read_text()
    fresh = compile(source, module.__file__, "exec", dont_inherit=True)
    twins = [value for value in fresh.co_consts if hasattr(value, "co_name")]
    assert module.early.__code__ == next(code for code in twins if code.co_name == "early")


def test_a_line_without_code_fails_when_its_module_has_come(programs, stage):
    name = programs.write("x = 1\n# nothing\n")
    probe = stage.put(f"{name}.py", 2, "x")
    importlib.import_module(name)
    assert stage.status(probe).error[0] == "location-no-code"
    assert watches() == []


def test_an_import_that_fails_fails_as_it_always_did(programs, stage):
    name = programs.write("import nowhere_at_all\n")
    stage.put(f"{name}.py", 1, "1")
    stage.put("nowhere_at_all.py", 1, "1")
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(name)
    assert caught.value.name == "nowhere_at_all"
    files = {entry.path for entry in caught.traceback}
    assert not [path for path in files if "treetap/probe" in str(path)]


def test_other_modules_of_the_same_name_are_left_alone(programs, stage):
    name = programs.write("x = 1\n")
    probe = stage.put(f"elsewhere/{name}.py", 1, "x")
    importlib.import_module(name)
    assert stage.status(probe).state == "pending"


def test_a_package_and_a_module_in_it(programs, stage):
    package = programs.folder / "pack_age"
    package.mkdir()
    (package / "__init__.py").write_text("def of_package(a):\n    return a\n")
    (package / "inner.py").write_text("def of_module(a):\n    return a\n")
    one = stage.add("pack_age/__init__.py", 2, "a")
    two = stage.add("pack_age.inner", ":of_module", "a")
    stage.apply()
    try:
        inner = importlib.import_module("pack_age.inner")
        inner.of_module(1)
        sys.modules["pack_age"].of_package(2)
        assert (stage.values(one), stage.values(two)) == ([2], [1])
    finally:
        sys.modules.pop("pack_age.inner", None)
        sys.modules.pop("pack_age", None)


def test_a_module_that_is_only_looked_for_is_not_taken_for_the_next_one_of_its_loader(
    programs, stage
):
    archive = programs.folder / "shared.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("shared_one.py", "def f(a):\n    b = a\n    return b\n")
        packed.writestr("shared_two.py", "c = 1\n")
    sys.path.insert(0, str(archive))
    try:
        probe = stage.add("shared_one", ":f", "a")
        stage.apply()
        assert importlib.util.find_spec("shared_one") is not None
        # One loader serves all that is in the archive.
        importlib.import_module("shared_two")
        assert stage.status(probe).state == "pending"
        one = importlib.import_module("shared_one")
        assert one.f(3) == 3
        assert stage.values(probe) == [3]
    finally:
        sys.path.remove(str(archive))
        sys.modules.pop("shared_one", None)
        sys.modules.pop("shared_two", None)


def test_code_from_a_zip_is_injected(programs, stage):
    archive = programs.folder / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("zipped_one.py", "def f(a):\n    b = a\n    return b\n")
        packed.writestr("zipped_two.py", "def f(a):\n    b = a\n    return b\n")
    sys.path.insert(0, str(archive))
    try:
        one = importlib.import_module("zipped_one")
        now = stage.put("zipped_one.py", 2, "a")
        later = stage.put("zipped_two.py", 2, "a")
        two = importlib.import_module("zipped_two")
        assert (one.f(1), two.f(2)) == (1, 2)
        assert (stage.values(now), stage.values(later)) == ([1], [2])
        assert stage.status(now).engine == "injecting"
    finally:
        sys.path.remove(str(archive))
        sys.modules.pop("zipped_one", None)
        sys.modules.pop("zipped_two", None)


def test_a_reload_is_armed_again(programs, stage):
    module = programs.load("def f(a):\n    b = a\n    return b\n")
    probe = stage.put(module, 2, "a")
    module.f(1)
    importlib.reload(module)
    stage.probe_set._look_again_at = [(0.0, armed) for _at, armed in stage.probe_set._look_again_at]
    stage.probe_set.tick()
    module.f(2)
    assert stage.values(probe) == [1, 2]


def test_two_threads_import_while_probes_come_and_go(programs, stage):
    names = [programs.write("def f(a):\n    b = a\n    return b\n") for _ in range(6)]
    probes = [stage.add(f"{name}.py", 2, "a") for name in names]
    stage.apply()
    failures = []

    def load():
        for name in names:
            try:
                importlib.import_module(name).f(1)
            except Exception as exc:
                failures.append(exc)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    stage.take_out(stage.put("unrelated.py", 1, "1"))
    for thread in threads:
        thread.join()
    assert not failures
    assert [stage.hits(probe) for probe in probes] == [2] * 6


def test_the_watch_stands_in_the_path_only_while_something_waits(stage):
    assert watches() == []
    probe = stage.put("never_imported.py", 1, "1")
    assert len(watches()) == 1
    stage.take_out(probe)
    assert watches() == []


@pytest.mark.parametrize("closes_in", ["act()", "in_thread(act)"])
def test_an_import_in_another_thread_leaves_no_trace_function_in_the_main_one(programs, closes_in):
    """Before the main script has begun, the main thread is traced; also where there is no script."""
    name = programs.write("x = 1\n")
    script = f"""
import sys, threading
sys.path[:0] = [{str(programs.folder)!r}, {os.getcwd()!r}]
from tests.probing import Stage
stage = Stage()
stage.add("{name}.py", 1, "1")
stage.add("never_imported.py", 1, "1")
def in_thread(act):
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
stage.apply()
in_thread(lambda: __import__({name!r}))
act = stage.close
{closes_in}
(lambda: None)()
assert sys.gettrace() is None, sys.gettrace()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("place", ["# late", ":late"])
def test_a_search_while_the_module_is_being_imported_waits_for_it(
    programs, stage, monkeypatch, place
):
    name = programs.write("def late(a):\n    return a  # late\n")
    probes, states = [], []

    class SlowLoader(SourceFileLoader):
        def get_code(self, fullname):
            # The module is there, and empty.
            probes.append(stage.put(name if place[0] == ":" else f"{name}.py", place, "a"))
            states.append(stage.status(probes[0]).state)
            return super().get_code(fullname)

    class Finder:
        @staticmethod
        def find_spec(fullname, path=None, target=None):
            file = str(programs.folder / f"{name}.py")
            loader = SlowLoader(fullname, file)
            return (
                spec_from_file_location(fullname, file, loader=loader) if fullname == name else None
            )

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    module = importlib.import_module(name)
    assert states == ["pending"]
    stage.probe_set.tick()
    assert module.late(5) == 5
    assert stage.values(probes[0]) == [5]


def test_an_import_waits_for_a_change_of_probes_that_takes_its_time(programs, stage):
    """As on a machine where the thread that makes the change gets no turn."""
    name = programs.write(SOURCE)
    early = stage.add(f"{name}.py", "# early", "a")
    stage.apply()
    is_held, may_go_on = threading.Event(), threading.Event()

    def change():
        with stage.probe_set._lock:
            is_held.set()
            may_go_on.wait(20)

    changing = threading.Thread(target=change)
    changing.start()
    is_held.wait(20)
    timer = threading.Timer(0.7, may_go_on.set)
    timer.start()
    importlib.import_module(name)
    for thread in (changing, timer):
        thread.join()
    assert stage.values(early) == [10]
