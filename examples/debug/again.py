"""It stops again and again: ``n`` steps, ``c`` goes on to the next time."""

from levels import depth, run_below


def work() -> None:
    for turn in range(3):
        breakpoint()
        doubled = turn * 2
        print("turn", turn, "makes", doubled, flush=True)


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
