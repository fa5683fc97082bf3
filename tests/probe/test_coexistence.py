"""Others that watch the same program: both we and they see everything."""

from __future__ import annotations

import cProfile
import os
import pstats
import subprocess
import sys
import textwrap

import pytest

from benchmarks.dap import DapClient
from tests.probing import Stage, line_of
from treetap.interpreter import HAS_MONITORING

SOURCE = """
    def f(n):
        total = 0
        for i in range(n):
            total += i  # here
        if total < 0:
            never = 1
        return total  # end
"""
ENGINES = ["injecting", "monitoring"] if HAS_MONITORING else ["injecting", "splicing"]


@pytest.fixture(params=ENGINES)
def stage(request):
    made = Stage(engines=(request.param,))
    yield made
    made.close()


def lines_covered(module, core):
    coverage = pytest.importorskip("coverage")
    measured = coverage.Coverage(data_file=None, config_file=False, include=[module.__file__])
    measured.set_option("run:core", core)
    measured.start()
    module.f(3)
    measured.stop()
    _name, statements, _excluded, missing, _text = measured.analysis2(module.__file__)
    return set(statements) - set(missing)


@pytest.mark.parametrize("core", ["ctrace", "sysmon"])
def test_coverage_sees_the_same_lines(programs, stage, core):
    if core == "sysmon" and not HAS_MONITORING:
        pytest.skip("3.11 has no sys.monitoring")
    if sys.gettrace() is not None:
        pytest.skip("this run is measured itself")
    module = programs.load(SOURCE)
    plain = lines_covered(module, core)
    probe = stage.put(module, "# here", "i")
    end = stage.put(module, "# end", "total")
    assert lines_covered(module, core) == plain
    module.f(3)
    assert stage.values(probe) == [0, 1, 2] * 2
    assert stage.values(end) == [3, 3]


def test_cprofile_counts_the_same_calls(programs, stage):
    module = programs.load(SOURCE)
    probe = stage.put(module, "# here", "i")
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(5):
        module.f(3)
    profile.disable()
    calls = {
        (line, name): row[0]
        for (file, line, name), row in pstats.Stats(profile).stats.items()
        if file == module.__file__
    }
    assert calls == {(1, "f"): 5}
    assert stage.hits(probe) == 15


def test_a_trace_function_sees_every_line_and_none_of_ours(programs, stage):
    module = programs.load(SOURCE)

    def traced():
        events = []

        def trace(frame, event, _argument):
            if frame.f_code.co_filename != module.__file__:
                return None
            events.append((event, frame.f_lineno))
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            module.f(3)
        finally:
            sys.settrace(before)
        return events

    plain = traced()
    probe = stage.put(module, "# here", "i")
    probed = traced()
    assert {line for event, line in probed if event == "line"} == {
        line for event, line in plain if event == "line"
    }
    assert [e for e in probed if e[0] != "line"] == [e for e in plain if e[0] != "line"]
    assert stage.hits(probe) == 3


DEBUGGED = """
    import sys
    sys.path[:0] = {path!r}
    import debugpy
    import {module} as module
    from tests.probing import Stage

    stage = Stage()
    before = stage.put(module, "# here", "i")
    print(debugpy.listen(("127.0.0.1", 0))[1], flush=True)
    debugpy.wait_for_client()
    sys.stdin.readline()
    after = stage.put(module, "# end", "total")
    for _ in range(4):
        module.f(3)
    print([stage.hits(before), stage.hits(after)], flush=True)
    stage.take_out(after)
    module.f(3)
    print([stage.hits(before)], flush=True)
    stage.close()
    module.f(3)
    print(module.f.__code__.co_consts, flush=True)
    sys.stdin.readline()
"""


def test_debugpy_with_a_real_client_logs_on_the_same_line_and_no_hit_is_lost(programs, tmp_path):
    pytest.importorskip("debugpy")
    module = programs.load(SOURCE)
    script = tmp_path / "debugged.py"
    script.write_text(
        textwrap.dedent(DEBUGGED).format(path=[str(tmp_path), os.getcwd()], module=module.__name__)
    )
    target = subprocess.Popen(
        [sys.executable, "-Xfrozen_modules=off", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
    )
    try:
        client = DapClient(int(target.stdout.readline()))
        client.attach()
        lines = {line_of(module, text): "hit {i}" for text in ("# here", "# end")}
        client.set_logpoints(module.__file__, lines)
        print("go", file=target.stdin, flush=True)
        assert target.stdout.readline() == "[12, 4]\n"
        assert target.stdout.readline() == "[15]\n"
        assert target.stdout.readline().startswith("(None, 0")
        # 6 calls of 3 rounds and one end each; what the program prints is told too.
        client.wait_for_outputs(6 * 4, timeout_s=60)
        print("end", file=target.stdin, flush=True)
        target.wait(60)
    finally:
        target.kill()
        target.wait()
        target.stdin.close()
        target.stdout.close()
