"""One is at the prompt (a child, or with ``parent`` its parent), another only waits for work.

Ctrl-c at the prompt reaches neither of the others: the idle one still answers afterwards.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from levels import FORK, depth, run_below

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def serve(connection: Connection[str, str]) -> None:
    while question := connection.recv():
        connection.send(f"yes, {question}")


def stop() -> None:
    breakpoint()
    print("it goes on", flush=True)


def family() -> None:
    ours, theirs = FORK.Pipe()
    idle = FORK.Process(target=serve, args=(theirs,))
    idle.start()
    if "parent" in sys.argv:
        stop()
    else:
        run_below(1, stop)
    ours.send("I am here")
    print(ours.recv(), flush=True)
    ours.send("")
    idle.join()


if __name__ == "__main__":
    print("it ended with", run_below(depth() - 1, family), flush=True)
