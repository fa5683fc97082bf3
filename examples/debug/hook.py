"""``init(debug=True)`` makes ``breakpoint()`` this prompt, in children too; ``shutdown()`` undoes it.

``python examples/debug/hook.py``, without ``treetap run``.
"""

import sys

from levels import depth, run_below

import treetap


def work() -> None:
    breakpoint()
    print("it goes on", flush=True)


if __name__ == "__main__":
    before = sys.breakpointhook
    treetap.init(debug=True)
    print("it ended with", run_below(depth(), work), flush=True)
    treetap.shutdown()
    print("as before:", sys.breakpointhook is before, flush=True)
