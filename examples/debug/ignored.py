"""What is no crash for you has no prompt, and holds nothing up: the next one who stops has the terminal."""

from levels import depth, run_below

import treetap


def is_ours(exc: BaseException) -> bool:
    return "ours" in str(exc)


def work() -> None:
    try:
        with treetap.catch_crashes(when=is_ours):
            raise ValueError("theirs")
    except ValueError:
        print("no prompt for that", flush=True)
    breakpoint()
    print("but for this", flush=True)


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
