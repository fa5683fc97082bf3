"""A program to observe: it does as often as it is told on stdin what it is there for, or prints what it is told.

Started with the way that it is observed: ``linked`` (treetap is in it) or ``debugpy`` (only that is).
Lines of it are found by their text.
"""

import os
import sys

LARGE = "megabyte" * 125_000


class Order:
    def __init__(self, number):
        self.number = number
        self.total = number * 10.5


def work(number):
    order = Order(number)
    label = f"order {number}"
    parts = [number, {"half": number / 2}]
    after(number)  # observed
    return label, order, parts


def after(number):
    return number  # later


def main():
    if sys.argv[1] == "linked":
        import treetap

        treetap.init(name=sys.argv[2], daemon_url=sys.argv[3])
        treetap.wake()
        print(0, flush=True)
    else:
        import debugpy  # noqa: T100 - that is what it is for

        print(debugpy.listen(("127.0.0.1", 0))[1], flush=True)  # noqa: T100
    for line in sys.stdin:
        word = line.strip()
        if word.isdigit():
            for number in range(int(word)):
                work(number)
        else:
            print(word)
        print("done", os.getpid(), flush=True)


if __name__ == "__main__":
    main()
