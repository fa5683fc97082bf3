"""The root does nothing but compute; a process below it has its prompt all the same, and at once."""

from levels import FORK, depth, run_below


def stop() -> None:
    breakpoint()
    print("it goes on", flush=True)


if __name__ == "__main__":
    child = FORK.Process(target=run_below, args=(depth() - 1, stop))
    child.start()
    rounds = 0
    while child.is_alive():
        rounds += 1
    print("the root has counted", "far" if rounds > 1000 else "little", flush=True)
