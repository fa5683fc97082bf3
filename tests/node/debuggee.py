"""A process of its own that does what a test says, and is debugged meanwhile.

``python -m tests.node.debuggee``: reads lines of JSON, ``{"do": statements, "give": expression}``,
and answers each, ``{"value": …}`` or ``{"error": traceback}``, where its standard output was.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import textwrap
import traceback

from treetap.config.settings import SETTINGS
from treetap.node import debugclosing

ROOT = pathlib.Path(__file__).resolve().parents[2]

WORK = """
import os, sys, threading, time

def add(a, b):
    total = a + b  # here
    return total

traced_by = ["nothing yet"]

def spin(stop, counts):
    while not stop.is_set():
        counts.append(add(1, 2))
        traced_by[0] = repr(sys.gettrace())
        time.sleep(0.001)

class Spinner:
    def __init__(self):
        self.stop, self.counts = threading.Event(), []
        self.thread = threading.Thread(target=spin, args=(self.stop, self.counts), daemon=True)
        self.thread.start()
"""
HERE = next(n for n, line in enumerate(WORK.splitlines(), 1) if "# here" in line)


class Debuggee:
    """A running one, in ``directory``, which has a module ``work``."""

    def __init__(self, directory, **environ):
        self.work = pathlib.Path(directory) / "work.py"
        self.work.write_text(WORK)
        base = {k: v for k, v in os.environ.items() if not k.startswith(("TREETAP_", "DETRIX_"))}
        home = pathlib.Path(directory) / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        self._answers, answers = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.node.debuggee", str(answers)],
            stdin=subprocess.PIPE,
            pass_fds=[answers],
            cwd=directory,
            env={**base, "PYTHONPATH": str(ROOT), "TREETAP_HOME": str(home), **environ},
        )
        os.close(answers)
        self._stream = os.fdopen(self._answers, "r")

    @property
    def pid(self):
        return self.process.pid

    def tell(self, do="", give="None"):
        order = {"do": textwrap.dedent(do), "give": give}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self):
        line = self._stream.readline()
        assert line, f"it ended: {self.process.poll()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def ask(self, do="", give="None"):
        self.tell(do, give)
        return self.answer()

    def give(self, expression):
        return self.ask(give=expression)

    def init(self, **settings):
        return self.ask(f"treetap.init(**{ ({'debugger': 'debugpy', **settings})!r})")

    def wake(self):
        return self.give("treetap.wake()")["debug_port"]

    def sleep(self):
        assert self.give("treetap.sleep()") == {"status": "sleeping"}

    def status(self):
        return self.give("treetap.status()")

    def end(self, timeout_s=60):
        """Have it end as programs do."""
        self.process.stdin.close()
        return self.process.wait(timeout_s)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.process.kill()
        self.process.wait()
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self._stream.close()


def adapters_of(pid):
    """Pids of debugpy's adapters that process ``pid`` has started; of any one's if it is 0."""
    wanted = f"TREETAP_DEBUG_ADAPTER={pid or ''}".encode() + (b"-" if pid else b"")
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(each.startswith(wanted) for each in variables):
                found.append(int(entry.name))
    return found


def _main(descriptor):
    os.set_inheritable(descriptor, False)
    sys.path.insert(0, os.getcwd())
    # Where nobody listens: a daemon of the developer's may be at the default address.
    check, _default = SETTINGS["daemon_url"]
    SETTINGS["daemon_url"] = check, "http://127.0.0.1:1"
    # A busy machine may give debugpy's threads no time to end.
    debugclosing._THREADS_TIMEOUT_S = debugclosing._FLUSH_TIMEOUT_S = 30.0
    names = {"__name__": "__debuggee__"}
    exec("import os, sys, threading, time, treetap, work", names)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            exec(order["do"], names)
            answer = {"value": eval(order["give"], names)}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        os.write(descriptor, json.dumps(answer, default=repr).encode() + b"\n")


if __name__ == "__main__":
    _main(int(sys.argv[1]))
