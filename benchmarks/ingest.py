"""How many values a second the daemon takes, and how many its store.

``python -m benchmarks.ingest`` starts a daemon and a synthetic node: a process that makes batches of
three-value rows, encodes and sends them. Both are pinned to one core. *Flat out*, the node sends as
fast as the link takes it: what the store can't take is dropped, and counted. *Paced*, the node sends
at a given rate: the highest without loss is what the store sustains.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

from treetap.client import DaemonClient, find_daemon
from treetap.link.connection import LinkConnection
from treetap.model.node import NodeIdentity
from treetap.wire import codec, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH_ROWS = 500
VALUES_A_ROW = 3
PACES = (20_000, 40_000, 60_000, 80_000, 100_000, 120_000, 150_000)


class Outcome(NamedTuple):
    """Attributes:
    sent: Rows.
    lost: Rows, as the daemon counts them.
    received_s: From the first row to the last one received, in seconds.
    written_s: The same, to the last one written.
    peak_mib: Resident memory of the daemon at its highest.
    """

    sent: int
    lost: int
    received_s: float
    written_s: float
    peak_mib: float


def send(endpoint: dict[str, object], seconds: float, rows_a_second: float) -> None:
    """The synthetic node; prints what it sent."""
    me = NodeIdentity(name="synthetic", pid=os.getpid(), start_ns=time.time_ns())
    link = LinkConnection.open(endpoint, me)
    encoder = codec.Encoder()
    encoder.prefer_msgpack()
    began = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) < began + seconds:
        if rows_a_second and sent > (now - began) * rows_a_second:
            time.sleep(0.002)
            continue
        at_ns = time.time_ns()
        rows = [(at_ns + i, sent + i, i * 0.5, "an order") for i in range(BATCH_ROWS)]
        link.send_frames(frame.pack(encoder.encode(["batch", "p1", sent, rows])))
        sent += BATCH_ROWS
    print(json.dumps({"sent": sent, "began": began}))
    link.send({"type": "bye", "reason": "exit"})
    link.close()


@contextlib.contextmanager
def daemon(core: int) -> Iterator[tuple[DaemonClient, int]]:
    with tempfile.TemporaryDirectory(prefix="treetap-bench-") as home:
        process = subprocess.Popen(
            [sys.executable, "-m", "treetap.app", "run", "--home", home, "--port", "0"]
        )
        try:
            while (url := find_daemon(home)) is None:
                time.sleep(0.02)
            os.sched_setaffinity(process.pid, {core})
            for thread in os.listdir(f"/proc/{process.pid}/task"):
                os.sched_setaffinity(int(thread), {core})
            with DaemonClient(url, timeout_s=60) as client:
                client.add_probe(location="shop.py:42", expressions=["a", "b", "c"])
                yield client, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def measure(core: int, seconds: float, rows_a_second: float) -> Outcome:
    """One run with a daemon of its own."""
    with daemon(core) as (client, pid):
        endpoint = client.health()["treetap"]["link"]
        node = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.ingest"),
                *("--send", json.dumps(endpoint)),
                *("--seconds", str(seconds), "--pace", str(rows_a_second)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        os.sched_setaffinity(node.pid, {core})
        said = json.loads(node.communicate(timeout=seconds + 60)[0])
        while client.status()["rows"] < said["sent"]:
            time.sleep(0.005)
        received_s = time.perf_counter() - said["began"]
        while not (status := client.status())["store"]["written_rows"]:
            time.sleep(0.005)
        # Losses are told a second later; a loss is a row of its own in the store.
        before = -1
        while status["store"]["queued_rows"] or status["store"]["written_rows"] != before:
            before = status["store"]["written_rows"]
            written_s = time.perf_counter() - said["began"]
            time.sleep(0.05)
            status = client.status()
        time.sleep(1.2)
        status = client.status()
        kept, lost = status["store"]["written_rows"], status["lost_rows"]
        assert kept + lost >= said["sent"], f"{said['sent']} sent, {kept} kept, {lost} lost"
        return Outcome(said["sent"], lost, received_s, written_s, peak_mib(pid))


def peak_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def show(name: str, outcome: Outcome) -> None:
    kept = outcome.sent - outcome.lost
    print(
        f"{name:>14}  {outcome.sent / outcome.received_s * VALUES_A_ROW:>12,.0f}"
        f"  {kept / outcome.written_s * VALUES_A_ROW:>12,.0f}"
        f"  {outcome.lost / outcome.sent:>7.1%}  {outcome.peak_mib:>8.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)))
    parser.add_argument("--send", metavar="ENDPOINT", help=argparse.SUPPRESS)
    parser.add_argument("--pace", type=float, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.send:
        send(json.loads(given.send), given.seconds, given.pace)
        return
    print(f"Python {sys.version.split()[0]}, node and daemon on core {given.core}")
    heads = ("values/s:", "received", "written", "lost", "peak MiB")
    print("{:>14}  {:>12}  {:>12}  {:>7}  {:>8}".format(*heads))
    show("flat out", measure(given.core, given.seconds, 0))
    for pace in PACES:
        outcome = measure(given.core, given.seconds, pace)
        show(f"{pace * VALUES_A_ROW:,}/s", outcome)
        if outcome.lost:
            break


if __name__ == "__main__":
    main()
