"""``n`` off the end of the outermost function ends the step: the terminal is free, the program goes on."""

import threading

from levels import depth, run_below


def stop() -> None:
    breakpoint()
    print("the last line", flush=True)


def work() -> None:
    thread = threading.Thread(target=stop)
    thread.start()
    thread.join()
    print("and the rest", flush=True)


if __name__ == "__main__":
    print("it ended with", run_below(depth(), work), flush=True)
