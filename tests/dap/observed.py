"""A program for others to observe through debugpy: it evaluates each line of stdin, and answers one.

Run it with the host to listen on; its first line of output is the port.
"""

import os
import subprocess
import sys
import threading

import debugpy  # noqa: T100

children = []
CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "observed_child.py")


def take(value):
    return value  # HIT


def add(first, second):
    total = first + second
    password = "hunter2"
    # a comment, where no code is
    return total, password  # SUM


def count(times):
    for number in range(times):
        take(number)
    return times


def in_thread(name, value):
    thread = threading.Thread(target=take, args=(value,), name=name)
    thread.start()
    thread.join()


def stop():
    debugpy.breakpoint()  # noqa: T100
    return "went on"


def spawn():
    done = subprocess.run([sys.executable, CHILD, "4"], capture_output=True, text=True)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def start():
    # Its stdout isn't ours, where a line is an answer.
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    children.append(subprocess.Popen([sys.executable, CHILD, "4", "waiting"], **pipes))


def finish():
    child = children.pop()
    child.communicate(b"\n")
    return child.returncode


def main():
    print(debugpy.listen((sys.argv[1], 0))[1], flush=True)  # noqa: T100
    for line in sys.stdin:
        try:
            answer = repr(eval(line))
        except Exception as exc:
            answer = repr(exc)
        print(answer[:1000], flush=True)


if __name__ == "__main__":
    main()
