"""Two processes stop at once: two prompts, one after the other. ``SIGKILL`` one of them, and see."""

from levels import FORK, depth, run_below


def stop() -> None:
    breakpoint()
    print("one goes on", flush=True)


def both() -> None:
    children = [FORK.Process(target=stop) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print("their codes are", sorted(child.exitcode or 0 for child in children), flush=True)


if __name__ == "__main__":
    print("it ended with", run_below(depth() - 1, both), flush=True)
