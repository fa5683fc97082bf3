"""Opens and closes a debug port many times; prints what there is now and then, as JSON.

``python -m tests.node.debug_cycles TIMES [PORT]``; with a port, each wake has that one. A hundred take a
minute: a test does a few, and who changes ``node.debugport`` a hundred, on each Python.
"""

from __future__ import annotations

import gc
import json
import sys
import threading

import treetap
from tests.conftest import wait_until
from tests.node.cycles import count, resident_kib
from tests.node.editor import Editor
from treetap.node import debugclosing


def look(threads):
    wait_until(lambda: count("task") <= threads)
    gc.collect()
    kinds = [type(each).__name__ for each in gc.get_objects()]
    return {
        "threads": count("task"),
        "descriptors": count("fd"),
        "kib": resident_kib(),
        "debuggers": kinds.count("PyDB"),
        "known": len(threading._active),
    }


def main(times, port):
    # A busy machine may give debugpy's threads no time to end.
    debugclosing._THREADS_TIMEOUT_S = debugclosing._FLUSH_TIMEOUT_S = 30.0
    treetap.init(name="cycles", debugger="debugpy", debug_port=port)
    threads = count("task")
    seen = []
    for number in range(times):
        woken = treetap.wake()
        assert port in (0, woken["debug_port"]), woken
        if number % 3 == 0:
            with Editor(woken["debug_port"]) as editor:
                editor.attach()
                if number % 2:
                    editor.leave()
        treetap.sleep()
        status = treetap.status()
        assert not status["warnings"] + status["faults"], status
        if number % 10 == 1 or number == times - 1:
            seen.append(look(threads))
    treetap.shutdown()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
