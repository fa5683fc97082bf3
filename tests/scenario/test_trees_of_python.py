"""Trees that Python's own libraries make, and pytest's: two prompts, one after another."""

from __future__ import annotations

import sys

import pytest

from tests.scenario.pty_shell import TIMEOUT_S
from tests.scenario.trees import answer_each, run_command, worker
from tests.scenario.trees import shells as shells  # a fixture

POOLS = {
    "process": (
        "m.get_context(METHOD).Process",
        """
        workers = [Process(target=work, args=(n,)) for n in (1, 2)]
        for each in workers: each.start()
        for each in workers: each.join()
        print("done", [each.exitcode for each in workers])
        """,
        r"done \[0, 0\]",
    ),
    "pool": (
        "m.get_context(METHOD).Pool",
        """
        with Process(2) as pool:
            print("done", pool.map(work, [1, 2], chunksize=1))
        """,
        r"done \[1, 4\]",
    ),
    "executor": (
        "lambda n: concurrent.futures.ProcessPoolExecutor(n, mp_context=m.get_context(METHOD))",
        """
        with Process(2) as pool:
            print("done", list(pool.map(work, [1, 2], timeout=60)))
        """,
        r"done \[1, 4\]",
    ),
}
#: What each calls its workers.
NAMES = {
    ("process", "fork"): "ForkProcess",
    ("process", "spawn"): "SpawnProcess",
    ("process", "forkserver"): "ForkServerProcess",
    ("pool", "fork"): "ForkPoolWorker",
    ("pool", "spawn"): "SpawnPoolWorker",
    ("executor", "fork"): "ForkProcess",
    ("executor", "forkserver"): "ForkServerProcess",
}


@pytest.mark.parametrize(("kind", "method"), NAMES)
def test_workers_of_a_pool(shells, kind, method):
    make, use, done = POOLS[kind]
    program = shells.run(
        "import concurrent.futures, multiprocessing as m\n"
        "from work import work\n"
        f"METHOD = {method!r}\n"
        "if __name__ == '__main__':\n"
        f"        Process = {make}{use}"
    )
    header = f"{NAMES[kind, method]}-N (N), depth N"
    assert answer_each(program) == [header, header]
    program.expect(done)
    program.end()
    depth = 2 if method == "forkserver" else 1
    assert f", depth {depth}" in program.log


def test_workers_that_a_pool_replaces_after_each_task(shells):
    program = shells.run(
        """
        import multiprocessing
        from work import work
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
                print("done", pool.map(work, [1, 2, 3, 4], chunksize=1))
        """
    )
    answer_each(program, 4, presses=1)
    program.expect(r"done \[1, 4, 9, 16\]")
    program.end()


#: How ``subprocess`` may start a worker, and what its parent then finds.
STARTS = {
    "as they are": "",
    "streams taken": "stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT",
    "group of its own": "process_group=0",
    "session of its own": "start_new_session=True",
}


@pytest.mark.parametrize("how", STARTS)
def test_programs_that_a_program_executes(shells, how):
    program = shells.run(
        f"""
        import subprocess, sys
        workers = [subprocess.Popen([sys.executable, {shells.work!r}, str(n)], {STARTS[how]}) for n in (1, 2)]
        said = [worker.communicate()[0] for worker in workers]
        print("done", [worker.returncode for worker in workers], said)
        """
    )
    assert answer_each(program) == ["work (N), depth N"] * 2
    taken = r"b'worker goes on\\n'" if how == "streams taken" else "None"
    program.expect(rf"done \[0, 0\] \[{taken}, {taken}\]")
    program.end()


def test_a_python_below_a_shell_below_a_python(shells):
    first, second = (" ".join(worker(shells, n)) for n in (1, 2))
    program = shells.run(
        f"""
        import subprocess
        subprocess.run(["sh", "-c", "sh -c '{first}; :' & {second} & wait"], check=True)
        print("done")
        """
    )
    answer_each(program)
    program.expect("done")
    program.end()


def test_a_python_whose_environment_has_no_treetap(shells):
    import venv

    folder = shells.folder / "elsewhere"
    venv.create(folder, symlinks=True)
    script = shells.program(
        f"""
        import subprocess
        workers = [subprocess.Popen([{str(folder / "bin" / "python")!r}, {shells.work!r}, str(n)]) for n in (1, 2)]
        print("done", [worker.wait() for worker in workers])
        """
    )
    program = shells.plainly(*run_command(sys.executable, script))
    answer_each(program)
    program.expect(r"done \[0, 0\]")
    program.end()


TESTS = """
    def test_one():
        mine = 1
        breakpoint()

    def test_two():
        mine = 4
        breakpoint()
"""


def run_pytest(shells, *options):
    tests = shells.program(TESTS, "test_it.py")
    alone = ("-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={shells.folder}")
    return shells.plainly(*run_command(sys.executable, "-m", "pytest", *alone, *options, tests))


def test_workers_of_xdist(shells):
    program = run_pytest(shells, "-p", "xdist", "-n", "2")
    # pytest has to start three times before.
    assert answer_each(program, start_s=3 * TIMEOUT_S) == ["gwN (N), depth N"] * 2
    program.expect("2 passed")
    program.end()


def test_the_time_limit_of_a_test_ends_no_prompt(shells):
    program = run_pytest(shells, "-p", "pytest_timeout", "--timeout=60")
    for _ in range(2):
        program.prompt()
        program.line("import signal; signal.raise_signal(signal.SIGALRM)")  # it is over
        program.prompt()
        program.line("c")
    program.expect("2 passed")
    program.end()
