from __future__ import annotations

import os
import threading

from treetap.probe.script import _main_thread


def test_the_main_thread_is_told_without_threading():
    found = []
    done = threading.Event()
    others = [threading.Thread(target=done.wait) for _ in range(5)]
    for thread in others:
        thread.start()
    asking = threading.Thread(target=lambda: found.append(_main_thread()))
    asking.start()
    asking.join()
    done.set()
    for thread in others:
        thread.join()
    assert found == [_main_thread()] == [threading.main_thread().ident]


def test_after_a_fork_in_a_thread_that_one_is_the_main_thread():
    codes = []

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(0 if _main_thread() == threading.get_ident() else 1)
        codes.append(os.waitpid(pid, 0)[1])

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    assert codes == [0]
