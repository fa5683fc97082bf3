"""Children of a process whose debug port is open: they run on unharmed, and nobody debugs them."""

from __future__ import annotations

import json

import pytest

from tests.node.debuggee import HERE, Debuggee, adapters_of
from tests.node.editor import Editor

#: Each makes children that call ``work.add``, where a breakpoint is, and collects what they return.
CHILDREN = {
    "subprocess": """
        code = "import work; print(work.add(1, 41))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        found = [int(done.stdout)]
        assert done.stderr == "", done.stderr
    """,
    "shell": """
        command = f"{sys.executable} -m work_main"
        found = [int(subprocess.check_output(command, shell=True, timeout=60))]
    """,
    "fork": """
        reads, writes = os.pipe()
        if os.fork() == 0:
            os.write(writes, b"%d" % work.add(1, 41))
            os._exit(0)
        os.close(writes)
        found = [int(os.read(reads, 10))]
        os.close(reads)
        assert os.wait()[1] == 0
    """,
    "process-fork": "found = by_process('fork')",
    "process-spawn": "found = by_process('spawn')",
    "process-forkserver": "found = by_process('forkserver')",
    "pool": """
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = pool.map(work_main.answer, range(4))
    """,
    "executor": """
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            found = list(pool.map(work_main.answer, range(4)))
    """,
    "spawned": "found = [os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-m', 'work_exit'])]",
}
WORK_MAIN = """
import work
def answer(_number=0):
    return work.add(1, 41)
def put(queue):
    queue.put(answer())
if __name__ == "__main__":
    print(answer())
"""
WORK_EXIT = "import sys, work; sys.exit(work.add(1, 41))"
PREPARE = """
import concurrent.futures, multiprocessing, subprocess, work_main
def by_process(method):
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    child = context.Process(target=work_main.put, args=(queue,))
    child.start()
    found = [queue.get()]
    child.join(60)
    assert child.exitcode == 0, child.exitcode
    return found
"""


@pytest.fixture(scope="module", params=["no editor", "an editor"])
def parent(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("parent")
    (directory / "work_main.py").write_text(WORK_MAIN)
    (directory / "work_exit.py").write_text(WORK_EXIT)
    # What a child says of debugpy, or of a fork with threads, would be an error.
    with Debuggee(directory, PYTHONWARNINGS="error::DeprecationWarning") as parent:
        parent.ask(PREPARE)
        parent.init()
        parent.editor = None
        port = parent.wake()
        if request.param == "an editor":
            parent.editor = Editor(port).attach(subProcess=True)
            # It would stop there in the parent; and for ever in a child, where nobody bids it go on.
            parent.editor.set_breakpoints(parent.work, HERE)
        yield parent
        if parent.editor is not None:
            parent.editor.close()
        assert parent.end() == 0


@pytest.mark.parametrize("kind", CHILDREN)
def test_children_run_as_if_nobody_debugged(parent, kind):
    assert set(parent.ask(CHILDREN[kind], "found")) == {42}


def test_the_parent_is_debugged_all_the_while(parent):
    assert parent.status()["debug_port_active"]
    if parent.editor is None:
        return
    parent.tell(give="work.add(40, 2)")
    stopped = parent.editor.wait("stopped", reason="breakpoint")
    parent.editor.request("continue", threadId=stopped["threadId"])
    assert parent.answer() == 42


def test_a_forked_child_is_a_node_that_sleeps_and_wakes_to_a_port_of_its_own(tmp_path):
    with Debuggee(tmp_path) as parent:
        parent.init()
        port = parent.wake()
        editor = Editor(port).attach()
        editor.set_breakpoints(parent.work, {"line": HERE, "logMessage": "parent {b}"})
        parent.ask(
            """
            import json
            orders, answers = os.pipe(), os.pipe()
            child = os.fork()
            if child == 0:
                # What the parent had there is not here.
                os.write(answers[1], json.dumps([treetap.status(), work.add(1, 1)]).encode() + b"\\n")
                os.read(orders[0], 1)
                os.write(answers[1], json.dumps(treetap.wake()).encode() + b"\\n")
                os.read(orders[0], 1)
                work.add(1, 2)
                os.read(orders[0], 1)
                treetap.sleep()
                os.write(answers[1], json.dumps(treetap.status()).encode() + b"\\n")
                os.read(orders[0], 1)
                os._exit(0)
            stream = os.fdopen(answers[0])
            def order(answers):
                os.write(orders[1], b"x")
                return json.loads(stream.readline()) if answers else None
            first = json.loads(stream.readline())
            """
        )
        (status, total), child = parent.give("first"), parent.give("child")
        assert (status["state"], status["debug_port"], total) == ("sleeping", 0, 2)
        assert status["parent"] == parent.status()["id"]
        own_port = parent.give("order(True)")["debug_port"]
        assert own_port not in (0, port)
        assert len(adapters_of(child)) == len(adapters_of(parent.pid)) == 1
        with Editor(own_port) as other:
            other.attach()
            other.set_breakpoints(parent.work, {"line": HERE, "logMessage": "child {b}"})
            parent.ask("order(False)")
            other.wait_for_output("child 2")
            assert parent.give("order(True)")["debug_port_active"] is False
        assert adapters_of(child) == []
        parent.ask("order(False); os.waitpid(child, 0)")
        # Of all that the parent and its editor have noticed nothing.
        assert parent.give("work.add(4, 5)") == 9
        editor.wait_for_output("parent 5")
        assert "parent 1" not in editor.outputs()
        editor.leave()
        parent.sleep()
        assert adapters_of(parent.pid) == []


def test_a_python_that_the_program_starts_wakes_to_a_port_of_its_own(tmp_path):
    code = "import treetap, json; print(json.dumps([treetap.status(), treetap.wake(), treetap.sleep()]))"
    with Debuggee(tmp_path, TREETAP_DEBUGGER="debugpy") as parent:
        parent.ask("treetap.init(); import subprocess")
        port = parent.wake()
        command = f"subprocess.check_output([sys.executable, '-c', {code!r}], timeout=60).decode()"
        status, woken, slept = json.loads(parent.give(command))
        assert (status["state"], status["debugger"], status["debug_port"]) == (
            "sleeping",
            "debugpy",
            0,
        )
        assert status["parent"] == parent.status()["id"]
        assert woken["debug_port"] not in (0, port)
        assert slept == {"status": "sleeping"}
        parent.sleep()
        # Nobody is warned of debugpy's threads, for which a child has no use.
        parent.wake()
        assert parent.ask(
            """
            import warnings
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                child = os.fork() or os._exit(0)
            os.waitpid(child, 0)
            """,
            "[str(each.message) for each in caught]",
        ) == []  # fmt: skip
