"""ddtrace's dynamic instrumentation: a log probe on the same line, taking the same three values.

ddtrace runs in an environment of its own, as it does in production: enabled by its own variables, its
probes read from a file, its uploader sending to an agent, which here is a few lines of this file. The
probe is asked for without a rate limit (the first number), and with one of 1 a second, so that nearly
all of its hits are turned away (the second). After each chunk the target waits for the upload: with
its buffer full, ddtrace 4.16's hot thread waits for the uploader, which waits for the buffer's lock,
and neither ever goes on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks.clock import Contender, Timing, added, interleave
from benchmarks.sample import Claim
from benchmarks.shop import PROBED_TEXT, open_shop
from benchmarks.worker import Worker, serve

if TYPE_CHECKING:
    from benchmarks.setting import Setting

GROUP = "ddtrace_probe"
NO_LIMIT = 1e9
SEGMENTS = [
    {"str": "order "},
    {"dsl": "order.total", "json": {"getmember": [{"ref": "order"}, "total"]}},
    {"str": " "},
    {"dsl": "qty", "json": {"ref": "qty"}},
    {"str": " "},
    {"dsl": "len(items)", "json": {"len": {"ref": "items"}}},
]


def measure(setting: Setting) -> list[Claim]:
    if not setting.ddtrace:
        return [Claim(GROUP, "ddtrace log probe", None, note="no environment with ddtrace given")]
    with Agent() as agent:
        variables = {
            "DD_TRACE_AGENT_URL": agent.url,
            "DD_TRACE_ENABLED": "false",
            "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
            "DD_REMOTE_CONFIGURATION_ENABLED": "false",
            "DD_CRASHTRACKING_ENABLED": "false",
            "DD_DYNAMIC_INSTRUMENTATION_UPLOAD_INTERVAL_SECONDS": "0.02",
            "DD_SERVICE": "shop",
            "PYTHONPYCACHEPREFIX": None,
        }
        with Worker(
            f"benchmarks.claims.{GROUP}",
            str(setting.directory),
            python=setting.ddtrace,
            variables=variables,
            core=1,
        ) as worker:
            answer = worker.ask("compare", rounds=setting.rounds)
        uploads = agent.uploads
    measured = {
        name: [Timing(*timing) for timing in timings]
        for name, timings in answer["measured"].items()
    }
    note = f"ddtrace {answer['version']}; its agent got {uploads} uploads"
    return [
        Claim(
            GROUP,
            "ddtrace log probe, three values: added to a hit",
            added(measured, "every", "bare"),
            note=note,
        ),
        Claim(GROUP, "ddtrace log probe, rate-limited away", added(measured, "limited", "bare")),
        Claim(GROUP, "ddtrace log probe, condition false", added(measured, "conditional", "bare")),
    ]


class Agent:
    """What ddtrace uploads to: says that it takes probes' events, and counts what comes."""

    def __init__(self) -> None:
        self.uploads = 0
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                endpoints = ["/debugger/v1/input", "/debugger/v2/input", "/debugger/v1/diagnostics"]
                self._answer({"version": "7.60.0", "endpoints": endpoints})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                agent.uploads += self.path.startswith("/debugger")
                self._answer({})

            do_PUT = do_POST  # noqa: N815 - the name that http.server asks for

            def _answer(self, answer: dict[str, Any]) -> None:
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Target:
    """The observed process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        names = ("bare", "every", "limited", "conditional")
        self.shops = {name: open_shop(directory) for name in names}

    def compare(self, rounds: int) -> dict[str, Any]:
        probes = self.directory / "ddtrace.json"
        less = {"lt": [{"getmember": [{"ref": "order"}, "total"]}, 0]}
        probes.write_text(
            json.dumps(
                [
                    self._probe("every", NO_LIMIT),
                    self._probe("limited", 1),
                    self._probe("conditional", NO_LIMIT, {"dsl": "order.total < 0", "json": less}),
                ]
            ),
            encoding="utf-8",
        )
        os.environ["DD_DYNAMIC_INSTRUMENTATION_PROBE_FILE"] = str(probes)
        import ddtrace
        from ddtrace.debugging import DynamicInstrumentation
        from ddtrace.debugging._uploader import SignalUploader

        def wait_for_upload() -> None:
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                tracks = SignalUploader._instance._tracks.values()
                if not any(track.queue.count for track in tracks):
                    return
                time.sleep(0.002)

        DynamicInstrumentation.enable()
        measured = interleave(
            [
                Contender(name, shop.module.handle, shop.call(), wait_for_upload)
                for name, shop in self.shops.items()
            ],
            rounds=rounds,
            chunks=10,
            calls=200,
        )
        DynamicInstrumentation.disable()
        return {"measured": measured, "version": ddtrace.__version__}

    def _probe(self, name: str, rate: float, when: dict[str, Any] | None = None) -> dict[str, Any]:
        shop = self.shops[name]
        line = shop.line_of(PROBED_TEXT)
        probe = {
            "id": f"probe-{name}",
            "version": 1,
            "type": "LOG_PROBE",
            "language": "python",
            "where": {"sourceFile": shop.path, "lines": [str(line)]},
            "tags": [],
            "template": "order {order.total} {qty} {len(items)}",
            "segments": SEGMENTS,
            "captureSnapshot": False,
            "sampling": {"snapshotsPerSecond": rate},
        }
        if when:
            probe["when"] = when
        return probe


if __name__ == "__main__":
    target = Target(Path(sys.argv[1]))
    serve({"compare": target.compare})
