"""A debug port: opened by a wake, closed by a sleep, used by a real editor in between."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.conftest import wait_until
from tests.node.debuggee import HERE, Debuggee, adapters_of
from tests.node.editor import Editor
from tests.ports import free_port

#: What debugpy may leave in a process: tracing, threads, patches, descriptors.
LOOK = """
import _thread, builtins, shutil, types
shutil.copy("work.py", "copied.py")
import copied
def look():
    events, tool = [], None
    if hasattr(sys, "monitoring"):
        tool = sys.monitoring.get_tool(0)
        if tool is None:
            sys.monitoring.use_tool_id(0, "look")
        codes = [module.add.__code__ for module in (work, copied)]
        events = [sys.monitoring.get_local_events(0, code) for code in codes]
        if tool is None:
            sys.monitoring.free_tool_id(0)
    return {
        "tool": tool,
        "events": events,
        "trace": repr(sys.gettrace()),
        "hook": repr(threading.gettrace()),
        "settrace": repr(sys.settrace),
        "streams": [type(s).__module__ for s in (sys.stdin, sys.stdout, sys.stderr)],
        "breakpoint": sys.breakpointhook is sys.__breakpointhook__,
        "starts": sorted(
            f"{m.__name__}.{n}" for m in (_thread, threading) for n, v in vars(m).items()
            if "start" in n and isinstance(v, types.MethodType) or n.startswith("_original")
        ),
        "builtins": sorted(n for n in ("execfile", "runfile") if hasattr(builtins, n)),
        "environ": sorted(n for n in os.environ if n.startswith(("PYDEVD", "DEBUGPY"))),
        "threads": sorted(t.name for t in threading._active.values()),
        "infos": [t.name for t in threading._active.values() if hasattr(t, "additional_info")],
        "tasks": len(os.listdir("/proc/self/task")),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }
"""


@pytest.fixture
def debuggee(tmp_path):
    with Debuggee(tmp_path) as debuggee:
        debuggee.ask(LOOK)
        yield debuggee


def listener(port):
    """Which socket listens on a port: its inode; ``None`` if none does.

    Not by connecting: a client that leaves at once holds the next one up. By its inode, for the
    number may be somebody else's a moment after it was given back.
    """
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    return next(
        (row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"), None
    )


def looks(debuggee):
    """Once threads that have just ended are gone from the kernel's count."""
    return debuggee.give("look()")


def assert_nothing_is_left(debuggee, before, port, socket_there):
    wait_until(lambda: looks(debuggee)["tasks"] <= before["tasks"])
    assert looks(debuggee) == before
    assert socket_there is not None
    assert listener(port) != socket_there
    assert adapters_of(debuggee.pid) == []
    status = debuggee.status()
    assert (status["state"], status["debug_port_active"]) == ("sleeping", False)
    assert status["warnings"] == status["faults"] == []


def test_wake_opens_a_port_for_an_editor_and_sleep_leaves_nothing_of_it(debuggee):
    debuggee.init()
    debuggee.ask("spinner = work.Spinner()")
    before = looks(debuggee)
    port = debuggee.wake()
    listening = listener(port)
    status = debuggee.status()
    assert (status["state"], status["debug_port"], status["debug_port_active"]) == (
        "awake",
        port,
        True,
    )
    assert len(adapters_of(debuggee.pid)) == 1
    # Nobody was configured, and nobody was there to be told.
    assert (status["link"], status["connection_id"]) == ("none", None)
    assert debuggee.give("treetap.wake()")["status"] == "already_awake"
    second = "from treetap.node.debugport import DebugPort; DebugPort().open('127.0.0.1', 0)"
    assert fails(debuggee, second) == "debugger-taken"
    with Editor(port) as editor:
        editor.attach()
        logpoint = {"line": HERE, "logMessage": "sum of {a} and {b}"}
        assert editor.set_breakpoints(debuggee.work, logpoint) == [True]
        editor.wait_for_output("sum of 1 and 2")
        assert debuggee.give("work.add(20, 22)") == 42
        # To debugpy it is the same code; it is to be let go as well.
        assert debuggee.give("copied.add(2, 2)") == 4
        editor.wait_for_output("sum of 20 and 22")
        # 3.11 has no other way than to trace each thread.
        assert (debuggee.give("work.traced_by[0]") == "None") == (sys.version_info >= (3, 12))
        # In the middle of it: the spinner's logpoint fires all the time.
        debuggee.sleep()
        editor.wait("terminated")
        editor.wait_for_end()
    assert_nothing_is_left(debuggee, before, port, listening)
    assert debuggee.give("work.add(1, 1)") == 2
    ticks = debuggee.give("len(spinner.counts)")
    wait_until(lambda: debuggee.give("len(spinner.counts)") > ticks + 1)
    assert debuggee.give("work.traced_by[0]") == "None"


def test_after_an_editor_has_left_the_port_opens_again_and_old_breakpoints_are_forgotten(debuggee):
    debuggee.init()
    before = looks(debuggee)
    for round_ in range(3):
        port = debuggee.wake()
        listening = listener(port)
        editor = Editor(port).attach()
        message = f"round {round_}: {{total}}"
        editor.set_breakpoints(debuggee.work, {"line": HERE + 1, "logMessage": message})
        debuggee.give("work.add(1, 2)")
        editor.wait_for_output(f"round {round_}: 3")
        assert "round 0" not in editor.outputs() or round_ == 0
        editor.leave() if round_ != 1 else editor.close()
        debuggee.sleep()
        assert_nothing_is_left(debuggee, before, port, listening)


def test_who_is_stopped_at_a_breakpoint_runs_on_when_the_control_plane_is_told_to_sleep(debuggee):
    debuggee.init()
    before = looks(debuggee)
    port = debuggee.wake()
    listening = listener(port)
    with Editor(port) as editor:
        editor.attach()
        editor.set_breakpoints(debuggee.work, HERE)
        control = debuggee.status()["control_port"]
        debuggee.tell(give="work.add(40, 2)")
        editor.wait("stopped", reason="breakpoint")
        connection = http.client.HTTPConnection("127.0.0.1", control, timeout=60)
        connection.request("GET", "/treetap/status")
        assert json.loads(connection.getresponse().read())["debug_port"] == port
        connection.request("POST", "/treetap/sleep")
        assert json.loads(connection.getresponse().read()) == {"status": "sleeping"}
        connection.close()
        assert debuggee.answer() == 42
    assert_nothing_is_left(debuggee, before, port, listening)


def test_cycles_leak_neither_threads_nor_descriptors_nor_debuggers(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.node.debug_cycles", "3"],
        capture_output=True, text=True, timeout=150, env={**os.environ, "TREETAP_HOME": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    first, last = json.loads(done.stdout)
    kept = {"kib", "debuggers"}
    assert {k: v for k, v in last.items() if k not in kept} == {
        k: v for k, v in first.items() if k not in kept
    }
    # On 3.11 debugpy itself keeps some 60 KiB of a session in which a thread has ended.
    assert last["debuggers"] == 0 or sys.version_info < (3, 12)


def test_a_port_that_was_configured_is_had_at_each_wake(debuggee):
    wanted = free_port()
    debuggee.init(debug_port=wanted)
    assert debuggee.wake() == wanted
    first = listener(wanted)
    Editor(wanted).attach().close()
    debuggee.sleep()
    assert listener(wanted) is None
    assert debuggee.wake() == wanted
    assert listener(wanted) not in (None, first)
    debuggee.sleep()
    assert listener(wanted) is None


def test_a_program_that_ends_with_its_port_open_ends_at_once_and_takes_the_adapter_along(debuggee):
    debuggee.init()
    port = debuggee.wake()
    (adapter,) = adapters_of(debuggee.pid)
    with Editor(port) as editor:
        editor.attach()
        assert debuggee.end() == 0
        editor.wait_for_end()
    wait_until(lambda: not os.path.exists(f"/proc/{adapter}"))


def test_the_adapter_does_not_outlive_a_program_that_is_killed(debuggee):
    debuggee.init()
    debuggee.wake()
    (adapter,) = adapters_of(debuggee.pid)
    os.kill(debuggee.pid, signal.SIGKILL)
    debuggee.process.wait(60)
    wait_until(lambda: not os.path.exists(f"/proc/{adapter}"))


def test_an_adapter_that_does_not_end_is_ended(debuggee):
    debuggee.init()
    before = looks(debuggee)
    port = debuggee.wake()
    listening = listener(port)
    (adapter,) = adapters_of(debuggee.pid)
    os.kill(adapter, signal.SIGSTOP)
    debuggee.sleep()
    assert_nothing_is_left(debuggee, before, port, listening)


def fails(debuggee, code):
    """The slug of what ``code`` raises there."""
    return debuggee.ask(
        f"slug = ''\ntry:\n{textwrap.indent(code, ' ')}\nexcept treetap.TreetapError as exc: slug = exc.slug",
        "slug",
    )


def test_no_port_is_opened_to_other_machines_without_a_token(debuggee):
    debuggee.init(control_host="0.0.0.0")
    assert fails(debuggee, "treetap.wake()") == "debugger-exposed"
    assert adapters_of(debuggee.pid) == []
    debuggee.ask("treetap.shutdown()")
    debuggee.init(control_host="0.0.0.0", token="secret")
    assert listener(debuggee.wake()) is not None
    debuggee.sleep()


def test_a_wake_that_fails_leaves_no_port(debuggee):
    before = looks(debuggee)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        debuggee.init(debug_port=taken.getsockname()[1])
        assert fails(debuggee, "treetap.wake()") == "debugger-port"
    debuggee.ask("treetap.shutdown()")
    # Who configures a daemon wants it to know.
    debuggee.init(daemon_url="http://127.0.0.1:1")
    assert fails(debuggee, "treetap.wake()") == "daemon-unreachable"
    assert "debugpy.server.api" in debuggee.give("list(sys.modules)")  # of the first try
    debuggee.ask("from treetap.node import debugport; debugport.OPEN_TIMEOUT_S = 0.001")
    slow = "port = debugport.DebugPort(); port.open('127.0.0.1', 0, 0.001)"
    assert fails(debuggee, slow) == "debugger-slow"
    wait_until(lambda: debuggee.give("debugport._process.port is None"))
    debuggee.ask("treetap.shutdown()")
    wait_until(lambda: looks(debuggee)["tasks"] <= before["tasks"])
    assert looks(debuggee) == before
    assert adapters_of(debuggee.pid) == []


class Daemon(http.server.BaseHTTPRequestHandler):
    """Takes or refuses who registers; notes what it is asked, and whether the port was open then."""

    def do_GET(self):
        self.answer(200, {"service": "detrix"})

    def do_POST(self):
        fields = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(("POST", fields["port"], listener(fields["port"])))
        self.answer(self.server.status, {"connectionId": "c1"})

    def do_DELETE(self):
        self.server.asked.append(("DELETE", self.path))
        self.answer(204, {})

    def answer(self, status, fields):
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if status != 204 else b"")

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def daemon():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Daemon) as server:
        server.asked, server.status = [], 201
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_daemon_is_told_of_an_open_port_and_of_its_end_and_one_that_refuses_gets_none(
    debuggee, daemon
):
    debuggee.init(daemon_url=daemon.url)
    before = looks(debuggee)
    port = debuggee.wake()
    assert daemon.asked == [("POST", port, listener(port))]
    status = debuggee.status()
    assert (status["connection_id"], status["link"]) == ("c1", "registered")
    debuggee.sleep()
    assert daemon.asked[1:] == [("DELETE", "/api/v1/connections/c1")]
    daemon.status = 500
    assert fails(debuggee, "treetap.wake()") == "daemon-registration"
    assert_nothing_is_left(debuggee, before, *daemon.asked[-1][1:])


def test_a_program_that_is_debugged_already_is_left_alone(debuggee):
    debuggee.init()
    port = debuggee.ask("import debugpy; port = debugpy.listen(('127.0.0.1', 0))[1]", "port")
    assert fails(debuggee, "treetap.wake()") == "debugger-taken"
    with Editor(port) as editor:
        editor.attach(subProcess=False)
        editor.set_breakpoints(debuggee.work, {"line": HERE, "logMessage": "still {a}"})
        debuggee.give("work.add(5, 5)")
        editor.wait_for_output("still 5")


def test_without_debugpy_the_error_says_what_to_install(debuggee):
    debuggee.ask("sys.modules['debugpy'] = None")
    debuggee.init()
    assert fails(debuggee, "treetap.wake()") == "debugger-unavailable"
    assert debuggee.status()["state"] == "sleeping"


def test_a_tracer_that_was_there_before_is_there_again(debuggee):
    # On 3.11 debugpy takes its place; later it doesn't trace at all.
    debuggee.ask(
        """
        seen = []
        def tracer(frame, event, argument):
            seen.append(frame.f_code.co_name)
        def traced(go):
            sys.settrace(tracer)
            go.wait()
            work.add(1, 1)
        go = threading.Event()
        thread = threading.Thread(target=traced, args=(go,)); thread.start()
        """
    )
    debuggee.init()
    debuggee.wake()
    debuggee.sleep()
    assert "add" in debuggee.ask("go.set(); thread.join()", "seen")
