"""A crash stops where it happened; the exception goes on after ``c`` or ``q``, and ends the process."""

from levels import depth, run_below

import treetap


def divide(by: int) -> float:
    return 1 / by


def work() -> None:
    with treetap.catch_crashes():
        divide(0)


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
