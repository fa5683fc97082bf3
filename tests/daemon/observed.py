"""A program that knows nothing of treetap: it opens debugpy's port, and works as it is told on stdin.

Lines of it are named by their text in the tests.
"""

import os
import subprocess
import sys

import debugpy  # noqa: T100 - that is what it is for


class Order:
    def __init__(self, number):
        self.number = number
        self.password = "x" * number


def work(number):
    """One line of stdin: ``7`` calls this once, ``3*7`` three times."""
    order = Order(number)
    label = f"order {number}"
    parts = {"n": number, "odd": bool(number % 2)}
    return label, order, parts  # observed


def other(number):
    doubled = 2 * number
    return doubled  # moved


def child():
    work(5)
    print(os.getpid())


def wait_for_work():
    for line in sys.stdin:
        work(int(line))


def main():
    _, port = debugpy.listen(("127.0.0.1", int(sys.argv[1])))  # noqa: T100
    print(port, flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "import":
            sys.path.insert(0, sys.argv[2])
            import late

            late.later(1)
        elif word == "child":
            # Debugpy attaches to children of a program that is observed.
            command = [sys.executable, "-Xfrozen_modules=off", __file__, "--child"]
            child = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            print(child.returncode, child.stdout.strip(), flush=True)
        elif word == "worker":
            command = [sys.executable, "-Xfrozen_modules=off", __file__, "--worker"]
            worker = subprocess.Popen(command, stdin=subprocess.PIPE)
            print(worker.pid, flush=True)
        elif word == "wake":
            import treetap

            if not treetap.status()["control_port"]:
                treetap.init(name="shop")
            treetap.wake()
        elif word == "sleep":
            treetap.sleep()
        else:
            times, _, number = word.rpartition("*")
            for _ in range(int(times or 1)):
                work(int(number))
            other(int(number))
        print("done", flush=True)


if __name__ == "__main__":
    {"--child": child, "--worker": wait_for_work}.get(sys.argv[1], main)()
