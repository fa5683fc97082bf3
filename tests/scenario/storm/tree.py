# ruff: noqa: T100
"""The tree of the storm: one process of it. Run as ``tree.py ADDRESS NAME``; the root starts the rest.

Each process obeys the driver over a connection of its own: starts a child, does a job, ends. A job is
a way to stop at a prompt. SIGINT is reported, for it must come only when the driver expects it.
"""

import asyncio
import bdb
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

import treetap

# Between vfork and exec Python lets the child have its signals: a ctrl-z just then stops the child alone, while
# its parent can't be stopped before the child has gone on. No shell knows a way out of that.
subprocess._USE_VFORK = False


class Worker:
    def __init__(self, address, name):
        self.address = address
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.connection.connect(address)
        self.programs = []
        signal.signal(signal.SIGINT, lambda *_: self.say(hit=os.getpid()))
        self.say(hello=name, pid=os.getpid(), parent=os.getppid())

    def say(self, **said):
        try:
            self.connection.send(json.dumps(said).encode())
        except OSError:
            os._exit(0)  # the driver is gone

    def serve(self):
        while True:
            job = None
            try:
                # Not in recv: a signal that comes just before it would be acted on at the next order.
                while not select.select([self.connection], [], [], 0.2)[0]:
                    pass
                received = self.connection.recv(4096)
                if not received:
                    return
                order = json.loads(received)
                job = order.get("number")
                getattr(self, f"on_{order.pop('do')}")(**order)
            except bdb.BdbQuit:
                # Whoever steps out of a job finds itself here, and may quit here: before the job's end
                # was said, or after.
                if job is not None:
                    self.say(job=job, outcome="quit")

    def on_start(self, name, way):
        self.on_reap()
        if way == "fork":
            if os.fork() == 0:
                self.connection.close()
                become(self.address, name)
            return
        command = [sys.executable, __file__, self.address, name]
        if way == "sh":
            command = ["sh", "-c", '"$@"; exit $?', "sh", *command]
        self.programs.append(subprocess.Popen(command))

    def on_reap(self):
        self.programs = [program for program in self.programs if program.poll() is None]
        own = {program.pid for program in self.programs}
        try:
            while True:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None or found.si_pid in own:
                    break
                os.waitpid(found.si_pid, 0)
        except ChildProcessError:
            pass

    def on_job(self, number, kind):
        try:
            globals()[kind]()
            outcome = "went on"
        except bdb.BdbQuit:
            outcome = "quit"
        except ZeroDivisionError:
            outcome = "crashed"
        self.say(job=number, outcome=outcome)

    def on_end(self):
        self.on_reap()
        for program in self.programs:
            program.wait()
        os._exit(0)


def become(address, name):
    """Be this process of the tree, to the end."""
    code = 1
    try:
        Worker(address, name).serve()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


# The jobs.


def add(number):
    more = number + 1
    return more


def plain():
    x = 1
    breakpoint()
    x = add(x)
    x = add(x)
    return x


def twice():
    x = 1
    breakpoint()
    x = add(x)
    breakpoint()
    return x


def slow():
    breakpoint()
    time.sleep(0.1)  # over which a step is long
    time.sleep(0.01)


def quiet(job):
    try:
        job()
    except bdb.BdbQuit:
        pass


def thread():
    other = threading.Thread(target=quiet, args=(plain,))
    other.start()
    other.join()


def threads():
    others = [threading.Thread(target=quiet, args=(plain,)) for _ in range(2)]
    for other in others:
        other.start()
    plain_failed = None
    try:
        plain()
    except bdb.BdbQuit as exc:
        plain_failed = exc
    for other in others:
        other.join()
    if plain_failed:
        raise plain_failed


def crash():
    with treetap.catch_crashes():
        fail(0)


def fail(by):
    return 1 / by


def forks():
    breakpoint()
    child = os.fork()
    if child == 0:
        try:
            try:
                add(1)
                breakpoint()
            finally:
                os._exit(0)
        finally:
            os._exit(0)  # who has stepped into the first may quit there
    while True:
        if os.waitpid(child, 0)[0] == child:
            return


def task():
    async def beat():
        while True:
            await asyncio.sleep(0.01)

    async def main():
        beating = asyncio.create_task(beat())
        breakpoint()
        await asyncio.sleep(0.02)
        beating.cancel()

    asyncio.run(main())


if __name__ == "__main__":
    import treetap.debug.prompt  # so that a fork has it, and a round is short

    become(*sys.argv[1:])
