"""A program for detrix-py, which says as JSON all that it sees of it: by itself, or with the facade.

    python client_program.py            # with the detrix that is installed
    python client_program.py facade     # with treetap's

What differs from run to run (ports, pids) is written in its kind's name.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "treetap.compat.detrix" if sys.argv[1:] == ["facade"] else "detrix"
detrix = importlib.import_module(HOST)
SUBMODULES = ("auth", "config", "control", "daemon", "debugger", "errors")
parts = {name: importlib.import_module(f"{HOST}.{name}") for name in SUBMODULES}

seen: dict[str, object] = {}
requests: list[list[object]] = []
#: What the daemon answers to a registration: a status and a body.
answer: list[object] = [201, {"connectionId": "c-1", "advertiseUrl": "http://advertised:8090"}]


class Daemon(BaseHTTPRequestHandler):
    """As the tests of detrix-py have it: HTTP/1.0, and no lengths."""

    def log_message(self, *_words):
        pass

    def do_GET(self):
        self.respond(200, {"service": "detrix"})

    def do_POST(self):
        self.respond(*answer)

    def do_DELETE(self):
        self.respond(204, None)

    def respond(self, status, fields):
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        requests.append([self.command, self.path, self.headers.get("authorization"), body])
        self.send_response(status)
        self.end_headers()
        if fields is not None:
            self.wfile.write(fields if isinstance(fields, bytes) else json.dumps(fields).encode())


server = ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_address[1]}"


def plain(value):
    """``value`` without what differs from run to run."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bool | type(None)):
        return value
    if isinstance(value, int) and (value > 1023 or value == os.getpid()):
        return "PORT or PID"
    if isinstance(value, float | int):
        return value
    text = str(value).replace(url, "DAEMON").replace(sys.executable, "PYTHON")
    text = re.sub(rf"-{os.getpid()}\b", "-PID", text)  # at the end of a name
    return re.sub(r"(?<=[a-z0-9]:)\d{4,5}\b", "PORT", text)


def note(what, call, /, *arguments, **named):
    """What ``call`` answers, or raises."""
    try:
        seen[what] = plain(call(*arguments, **named))
    except Exception as exc:
        kinds = [kind.__name__ for kind in type(exc).__mro__]
        seen[what] = {"raises": kinds[: kinds.index("Exception")], "text": plain(str(exc))}


def asked():
    """What the daemon was asked since the last time; what detrix-py asks at ``init`` aside."""
    found = [each for each in requests if each[:2] != ["GET", "/health"]]
    requests.clear()
    return found


def ask(path, body=None, method=None):
    """The control plane's answer."""
    port = detrix.status()["control_port"]
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as exc:
        text = exc.read()
        return exc.code, json.loads(text) if text else ""


def wake_kinds():
    found = detrix.wake()
    return {key: [type(each).__mro__[-2].__name__, plain(each)] for key, each in found.items()}


def names_and_signatures():
    seen["__all__"] = sorted(detrix.__all__)
    seen["version"] = detrix.__version__
    for name in detrix.__all__:
        found = getattr(detrix, name)
        if inspect.isfunction(found):
            note(f"parameters of {name}", parameters, found)
        elif name.endswith("Error"):
            seen[f"bases of {name}"] = [kind.__name__ for kind in found.__mro__]
    for owner, names in {
        detrix.HttpDaemonClient: ("__init__", "health_check", "register", "unregister", "close"),
        detrix.DaemonClient: ("health_check", "register", "unregister"),
        parts["daemon"]: ("check_daemon_health", "register_connection", "unregister_connection"),
        parts["auth"]: ("discover_auth_token", "get_auth_headers", "is_localhost"),
        parts["config"]: (
            "generate_connection_name",
            "get_detrix_home",
            "get_env_config",
            "get_free_port",
            "get_token_file_path",
        ),
        parts["control"]: ("start_control_server", "stop_control_server"),
        parts["debugger"]: ("wake_debugger", "sleep_debugger", "is_debugger_listening"),
    }.items():
        for name in names:
            of = owner.__name__.rpartition(".")[2]
            note(f"parameters of {of}.{name}", parameters, getattr(owner, name))


def parameters(function):
    return {
        name: repr(each.default) for name, each in inspect.signature(function).parameters.items()
    }


def before_init():
    note("status before init", detrix.status)
    note("sleep before init", detrix.sleep)
    note("shutdown before init", detrix.shutdown)


def one_life():
    detrix.init(name="shop", daemon_url=url)
    note("status", detrix.status)
    note("requests of init", asked)
    note("second init", detrix.init, name="again")
    note("wake", wake_kinds)
    note("requests of wake", asked)
    note("status awake", detrix.status)
    note("second wake", detrix.wake)
    for bad in ("", "nonsense", "ftp://127.0.0.1:1", "http://127.0.0.1:1"):
        note(f"wake of one awake with {bad!r}", detrix.wake, bad)
    for route in ("health", "status", "info", "discover", "nope"):
        note(f"GET /detrix/{route}", ask, f"/detrix/{route}")
    note("POST /detrix/wake", ask, "/detrix/wake", b"")
    note("POST /detrix/wake with nonsense", ask, "/detrix/wake", b'{"daemon_url": "nonsense"}')
    note("POST /detrix/nope", ask, "/detrix/nope", b"")
    note("POST /detrix/files/read", ask, "/detrix/files/read", b'{"path": "/etc/passwd"}')
    note("POST /detrix/sleep", ask, "/detrix/sleep", b"")
    note("requests of sleep", asked)
    note("POST /detrix/sleep again", ask, "/detrix/sleep", b"")
    note("sleep again", detrix.sleep)
    note("status asleep", detrix.status)
    note("POST /detrix/wake from asleep", ask, "/detrix/wake", b"[]")
    note("sleep", detrix.sleep)


def wakes_that_fail():
    for bad in ("nonsense", "ftp://127.0.0.1:1", "http://127.0.0.1:1"):
        note(f"wake with {bad!r}", detrix.wake, bad)
        body = json.dumps({"daemon_url": bad}).encode()
        note(f"POST /detrix/wake with {bad!r}", ask, "/detrix/wake", body)
    for status in (302, 401, 500):
        answer[:] = [status, {"error": "no"}]
        note(f"wake refused with {status}", detrix.wake)
    for name, fields in {
        "nothing in it": {},
        "no text": b"nonsense",
        "a list": [],
        "null as id": {"connectionId": None},
        "a number as id": {"connectionId": 5},
        "an empty URL": {"connectionId": "c-2", "advertiseUrl": ""},
    }.items():
        answer[:] = [200, fields]
        note(f"wake answered with {name}", detrix.wake)
        note(f"status after that with {name}", detrix.status)
        detrix.shutdown()
        detrix.init(name="shop", daemon_url=url)
    answer[:] = [201, {"connectionId": "c/1 d?e"}]
    detrix.wake()
    asked()
    detrix.shutdown()
    note("requests of shutdown", asked)
    note("status after shutdown", detrix.status)


def overridden():
    detrix.init(name="shop", daemon_url="http://127.0.0.1:1")
    note("wake with another daemon", lambda: detrix.wake(url)["status"])
    note("status with another daemon", lambda: detrix.status()["daemon_url"])
    detrix.sleep()
    note("wake after that", lambda: detrix.wake()["status"])
    detrix.shutdown()


def settings():
    given = {
        "nothing": {},
        "an empty name": {"name": ""},
        "a blank name": {"name": "  "},
        "an empty host": {"control_host": ""},
        "an empty URL": {"daemon_url": ""},
        "nonsense as URL": {"daemon_url": "nonsense"},
        "a path in the URL": {"daemon_url": "http://127.0.0.1:1/p"},
        "no time": {"health_check_timeout": 0},
        "less than no time": {"register_timeout": -1.0},
        "a port beyond": {"control_port": 70000},
    }
    for name, arguments in given.items():
        begin(name, **arguments)
    taken = ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
    note("init with a port taken", detrix.init, control_port=taken.server_address[1])
    seen["a port taken is an OSError"] = "OSError" in seen["init with a port taken"]["raises"]
    detrix.shutdown()


def begin(how, **arguments):
    note(f"init with {how}", detrix.init, **arguments)
    if seen[f"init with {how}"] is None:
        note(f"status of init with {how}", detrix.status)
    detrix.shutdown()


def environment():
    for variable, text in {
        "DETRIX_NAME": "  other ",
        "DETRIX_CONTROL_HOST": "localhost",
        "DETRIX_CONTROL_PORT": "x",
        "DETRIX_DEBUG_PORT": "-1",
        "DETRIX_DAEMON_URL": "http://127.0.0.1:2",
        "DETRIX_HEALTH_CHECK_TIMEOUT": "nan",
        "DETRIX_REGISTER_TIMEOUT": "0",
        "DETRIX_UNREGISTER_TIMEOUT": "soon",
        "DETRIX_CA_BUNDLE": "/nowhere/ca.pem",
        "DETRIX_WORKSPACE_ROOT": "/nowhere",
    }.items():
        before = os.environ.get(variable)
        os.environ[variable] = text
        begin(f"{variable}={text}")
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def registration():
    os.environ.update(
        DETRIX_TOKEN=" secret ", DETRIX_HOST="shop.example", DETRIX_WORKSPACE_ROOT="/srv/elsewhere",
        CI_COMMIT_SHA="abc", GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v1",
    )  # fmt: skip
    detrix.init(name="shop", daemon_url=url)
    detrix.wake()
    detrix.shutdown()
    note("requests of one with everything", asked)
    client = detrix.HttpDaemonClient(f"{url}//")
    note("base URL", lambda: client.base_url)
    note("health", client.health_check)
    note("registered", lambda: str(client.register("here", 5678, "shop")))
    note("unregistered", client.unregister, "a/b", "token")
    note("requests of the client", asked)
    client.close()
    note("a closed client", client.health_check)
    note("no bundle", detrix.HttpDaemonClient, url, ca_bundle="/nowhere/ca.pem")
    away = "http://127.0.0.1:1"
    note("health of nobody", parts["daemon"].check_daemon_health, away)
    note("registered nowhere", parts["daemon"].register_connection, away, "h", 5678, "s", None)
    note("unregistered nowhere", parts["daemon"].unregister_connection, away, "s", None)


names_and_signatures()
before_init()
one_life()
wakes_that_fail()
overridden()
settings()
environment()
registration()
print(json.dumps(seen, indent=1, sort_keys=True))
