from __future__ import annotations

from tests.compat.detrix.test_slot import BEGIN, END


def test_a_debug_port_without_a_daemon(run):
    seen = run(
        f"""{BEGIN}
import socket
from treetap.compat.detrix import debugger
def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionRefusedError:
        return True
    return False
seen["before"] = debugger.is_debugger_loaded(), debugger.is_debugger_listening()
is_open, port = debugger.wake_debugger("127.0.0.1", 0)
seen["open"] = is_open, refuses(port), debugger.wake_debugger("127.0.0.1", 0) == (True, port)
seen["closed"] = debugger.sleep_debugger(), refuses(port), debugger.is_debugger_listening()
with socket.create_server(("127.0.0.1", 0)) as taken:
    seen["taken"] = debugger.wake_debugger("127.0.0.1", taken.getsockname()[1])
seen["python"] = debugger.get_python_info()["python_executable"] == sys.executable
{END}""",
        URL="",
    )
    assert seen["before"] == [False, False]
    assert seen["open"] == [True, False, True]
    assert seen["closed"] == [True, True, False]
    assert seen["taken"] == [False, 0]
    assert seen["python"]
