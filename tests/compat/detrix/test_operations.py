from __future__ import annotations

import pytest

from tests.compat.detrix.test_slot import BEGIN, END
from treetap.compat import detrix
from treetap.compat.detrix._operations import check_url
from treetap.compat.detrix.errors import DaemonError


def test_warm_has_the_debugger_loaded_and_nothing_open(run, foreign_daemon):
    seen = run(
        f"""{BEGIN}
detrix.init(name="shop", daemon_url=url, start_state="warm")
seen["loaded"] = "debugpy" in sys.modules
seen["warm"] = detrix.status()
seen["woken"] = detrix.wake()["status"]
seen["slept"] = detrix.sleep()["status"], detrix.sleep()["status"]
detrix.shutdown()
detrix.init(name="shop", start_state="warm")
seen["from warm"] = detrix.sleep()["status"], detrix.status()["state"]
detrix.shutdown()
{END}""",
        URL=foreign_daemon.url,
    )
    warm = seen["warm"]
    assert seen["loaded"]
    assert (warm["state"], warm["debug_port_active"], warm["connection_id"]) == (
        "warm",
        False,
        None,
    )
    assert (seen["woken"], seen["slept"]) == ("awake", ["sleeping", "already_sleeping"])
    assert seen["from warm"] == ["sleeping", "sleeping"]


def test_a_debugger_that_cant_be_started_has_its_cause(run, foreign_daemon):
    seen = run(
        f"""{BEGIN}
import logging, socket
seen["log"] = []
class Handler(logging.Handler):
    def emit(self, record):
        seen["log"].append([record.name, record.levelname, record.getMessage()])
logging.getLogger("detrix").addHandler(Handler())
with socket.create_server(("127.0.0.1", 0)) as taken:
    detrix.init(name="shop", daemon_url=url, debug_port=taken.getsockname()[1])
    try:
        detrix.wake()
    except detrix.DebuggerError as exc:
        seen["text"], seen["cause"] = str(exc), exc.__cause__.slug
    seen["state"] = detrix.status()["state"]
seen["then"] = detrix.wake()["status"]
detrix.shutdown()
{END}""",
        URL=foreign_daemon.url,
    )
    assert (seen["text"], seen["cause"]) == ("Failed to start debugpy", "debugger-port")
    assert seen["log"] == [["detrix.debugger", "WARNING", "Failed to start debugpy"]]
    assert (seen["state"], seen["then"]) == ("sleeping", "awake")


def test_five_wakes_at_once_are_one_registration(run, foreign_daemon):
    seen = run(
        f"""{BEGIN}
detrix.init(name="shop", daemon_url=url)
found = []
def call(function, count):
    threads = [threading.Thread(target=lambda: found.append(function()["status"])) for _ in range(count)]
    for each in threads: each.start()
    for each in threads: each.join()
    seen[function.__name__], found[:] = sorted(found), []
call(detrix.wake, 5)
call(detrix.sleep, 5)
detrix.shutdown()
{END}""",
        URL=foreign_daemon.url,
    )
    assert seen["wake"] == ["already_awake"] * 4 + ["awake"]
    assert seen["sleep"] == ["already_sleeping"] * 4 + ["sleeping"]
    assert [asked[0] for asked in foreign_daemon.requests] == ["POST", "DELETE"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "No daemon_url configured"),
        ("zz", "Invalid daemon_url format: 'zz'. Expected format: http://host:port"),
        ("ftp://x", "Invalid daemon_url scheme: 'ftp'. Must be 'http' or 'https'"),
        ("http://[x", "Invalid daemon_url format: 'http://[x'. Expected format: http://host:port"),
    ],
)
def test_what_is_no_url_is_told_in_detrixs_words(url, message):
    with pytest.raises(DaemonError) as caught:
        check_url(url)
    assert str(caught.value) == message


def test_a_token_file_that_others_can_read_is_warned_of_by_the_wake_alone(
    bare_environment, tmp_path
):
    (tmp_path / "detrix").mkdir()
    (tmp_path / "detrix" / "auth-token").write_text("seen")
    (tmp_path / "detrix" / "auth-token").chmod(0o644)
    detrix.init(name="shop", daemon_url="http://127.0.0.1:1")  # warnings are errors here
    try:
        text = "^Cannot connect to daemon at http://127.0.0.1:1$"
        with pytest.warns(UserWarning, match="insecure"), pytest.raises(DaemonError, match=text):
            detrix.wake()
        assert detrix.status()["state"] == "sleeping"
    finally:
        detrix.shutdown()
