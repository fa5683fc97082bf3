"""A process somewhere in a tree stops at a prompt: ``treetap run -- python examples/debug/pause.py [DEPTH]``.

Try ``p total``, ctrl-c, ctrl-z and ``fg``, then ``c``; or ``q``, which ends that process with BdbQuit.
"""

from levels import depth, run_below


def work() -> None:
    total = 41
    breakpoint()
    total += 1
    print("the total is", total, flush=True)


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
