"""What a new actor finds: the table in the docstring of ``treetap.actor.child``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from tests.actor.programs import Program
from treetap.actor import open_nursery
from treetap.errors import ActorDied

pytestmark = pytest.mark.usefixtures("home")
both = pytest.mark.parametrize("method", ["warm", "fresh"])


async def descriptors() -> dict[int, str]:
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            pass  # the one that read the directory
    return found


async def surroundings() -> tuple[list[str], list[str], str, dict[str, str]]:
    shown = {
        name: value.encode("utf-8", "surrogateescape").hex() for name, value in os.environ.items()
    }
    return sys.argv, sys.path, os.getcwd(), shown


async def handled_signals() -> dict[str, str]:
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGPIPE", "SIGCHLD", "SIGUSR1")
    return {name: str(signal.getsignal(signal.Signals[name])) for name in names}


async def signals_of_a_program() -> str:
    return subprocess.run(
        ["cat", "/proc/self/status"], capture_output=True, text=True, check=True
    ).stdout


async def read_stdin() -> str:
    return sys.stdin.read()


async def say(text: str) -> None:
    print(text)


async def at_exit_write(path: str) -> None:
    import atexit

    atexit.register(Path(path).write_text, "done")


async def thread_count() -> int:
    return len(os.listdir("/proc/self/task"))


@both
@trio.testing.trio_test
async def test_only_its_own_descriptors_are_open(method: str):
    with open(__file__) as kept, open(__file__) as passed:
        os.set_inheritable(passed.fileno(), True)
        async with open_nursery(start_method=method) as nursery:
            for number in range(3):  # the others' must not be there either
                portal = await nursery.start_actor(f"worker{number}")
            found = await portal.run(descriptors)
            ours = {number: os.readlink(f"/proc/self/fd/{number}") for number in (1, 2)}
        assert kept.fileno() not in (1, 2)
    assert found[0] == "/dev/null"
    assert {1: found[1], 2: found[2]} == ours
    assert found[3].startswith("socket:")
    assert found[4].startswith("socket:")
    # What is left are trio's (an epoll, two pairs of sockets) and the node's (a socket, a pipe).
    rest = [what for number, what in found.items() if number > 4]
    kinds = {what.partition(":")[0] for what in rest}
    assert kinds <= {"anon_inode", "socket", "pipe"}, rest
    assert not any(__file__ in what for what in rest)
    assert len(rest) == 8, rest


@both
@trio.testing.trio_test
async def test_argv_path_directory_and_environment_are_the_parents_of_that_time(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with open_nursery(start_method=method) as nursery:
        await nursery.start_actor("before")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TREETAP_TEST_ODD", "\udcff=ö\n")
        monkeypatch.setattr(sys, "argv", ["prog", "--flag"])
        monkeypatch.syspath_prepend(str(tmp_path / "modules"))
        portal = await nursery.start_actor("worker")
        await portal.run(act.pid)
        argv, path, cwd, shown = await portal.run(surroundings)
        environment = {
            name: bytes.fromhex(value).decode("utf-8", "surrogateescape")
            for name, value in shown.items()
        }
        assert argv == ["prog", "--flag"]
        assert path == [each or os.getcwd() for each in sys.path]
        assert cwd == str(tmp_path)
        assert (
            environment["TREETAP_TEST_ODD"].encode("utf-8", "surrogateescape") == b"\xff=\xc3\xb6\n"
        )
        given = {k: v for k, v in os.environ.items() if not k.startswith(("TREETAP_", "PYTHON"))}
        assert given.items() <= environment.items()


@both
@trio.testing.trio_test
async def test_directory_and_environment_can_be_given(method: str, tmp_path: Path):
    async with open_nursery(start_method=method) as nursery:
        portal = await nursery.start_actor("worker", env={"ONLY": "this"}, cwd=tmp_path)
        _argv, _path, cwd, environment = await portal.run(surroundings)
    assert cwd == str(tmp_path)
    theirs = {
        k: v for k, v in environment.items() if not k.startswith(("TREETAP_", "PYTHON", "LC_"))
    }
    assert theirs == {"ONLY": b"this".hex()}


@both
@trio.testing.trio_test
async def test_signals_are_as_in_a_new_process_but_for_those_of_a_terminal(method: str):
    async with open_nursery(start_method=method) as nursery:
        portal = await nursery.start_actor("worker")
        found = await portal.run(handled_signals)
        status = await portal.run(signals_of_a_program)
        for number in (signal.SIGINT, signal.SIGHUP):
            os.kill(portal.actor.pid, number)
        assert await portal.run(act.add, 1, 2) == 3
    assert "function" in found["SIGINT"]
    assert "function" in found["SIGHUP"]
    assert "function" in found["SIGTERM"]
    assert {found[name] for name in ("SIGQUIT", "SIGCHLD", "SIGUSR1")} == {str(signal.SIG_DFL)}
    # Programs that it starts ignore nothing, but what Python has every program of its own ignore.
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn"))
    interrupts = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
    assert not any(int(ignored.split()[1], 16) >> (number - 1) & 1 for number in interrupts)


@both
@trio.testing.trio_test
async def test_standard_input_is_empty(method: str):
    async with open_nursery(start_method=method) as nursery:
        assert await nursery.run(read_stdin) == ""
        portal = await nursery.start_actor("worker")
        assert await portal.run(read_stdin) == ""


@both
@trio.testing.trio_test
async def test_what_it_prints_is_where_its_parent_prints(
    method: str, capfd: pytest.CaptureFixture[str]
):
    async with open_nursery(start_method=method, cancel_grace_s=act.PATIENCE_S) as nursery:
        portal = await nursery.start_actor("worker")
        await portal.run(say, "ünd")
    assert capfd.readouterr().out == "ünd\n"


@both
@trio.testing.trio_test
async def test_what_is_to_be_done_at_exit_is_done(method: str, tmp_path: Path):
    async with open_nursery(start_method=method, cancel_grace_s=act.PATIENCE_S) as nursery:
        portal = await nursery.start_actor("worker")
        await portal.run(at_exit_write, str(tmp_path / "exit"))
    assert (tmp_path / "exit").read_text() == "done"


@trio.testing.trio_test
async def test_a_warm_actor_has_seeds_of_its_own():
    async with open_nursery() as nursery:
        assert await nursery.run(some_random) != await nursery.run(some_random)


async def some_random() -> list[float]:
    import random

    return [random.random() for _ in range(4)]


@trio.testing.trio_test
async def test_a_module_that_appears_after_the_spawner_has_looked_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(tmp_path))
    async with open_nursery() as nursery:
        await nursery.start_actor("before")
        (tmp_path / "late_module.py").write_text("async def answer() -> int:\n    return 42\n")
        import importlib

        late = importlib.import_module("late_module")
        assert await nursery.run(late.answer) == 42
    sys.modules.pop("late_module", None)


@both
@trio.testing.trio_test
async def test_an_actor_that_fails_to_start_is_an_error_with_its_traceback(
    method: str, tmp_path: Path
):
    (tmp_path / "broken_module.py").write_text("import no_such_module_at_all\n")
    async with open_nursery(start_method=method) as nursery:
        await nursery.start_actor("fine")
        sys.path.insert(0, str(tmp_path))
        try:
            with pytest.raises(Exception, match="no_such_module_at_all") as caught:
                await nursery.start_actor("broken", preload=["broken_module"])
        finally:
            sys.path.remove(str(tmp_path))
        assert "broken_module.py" in str(caught.value)
        assert caught.value.slug == "actor-spawn"
        assert await nursery.run(act.add, 1, 2) == 3


@both
@trio.testing.trio_test
async def test_an_actor_that_dies_while_it_starts_is_an_error_with_its_status(
    method: str, tmp_path: Path
):
    (tmp_path / "deadly_module.py").write_text("import os; os._exit(7)\n")
    async with open_nursery(start_method=method) as nursery:
        sys.path.insert(0, str(tmp_path))
        try:
            with pytest.raises(Exception) as caught:
                await nursery.start_actor("broken", preload=["deadly_module"])
        finally:
            sys.path.remove(str(tmp_path))
        assert caught.value.slug == "actor-spawn"
        assert isinstance(caught.value, ActorDied) == (method == "fresh")
        assert await nursery.run(act.add, 1, 2) == 3


MAIN = """
    import sys, trio
    from treetap.actor import open_nursery

    class Point:
        pass

    COUNT = int(sys.argv[2])  # of the program's own arguments: an actor must find them

    async def mine() -> list[str]:
        return [__name__, Point.__module__, str(COUNT), sys.modules["__main__"].mine.__name__]

    async def main():
        for method in ("warm", "fresh"):
            async with open_nursery(start_method=method) as nursery:
                print(*await nursery.run(mine), flush=True)

    if __name__ == "__main__":
        trio.run(main)
"""


def test_functions_of_the_program_itself_can_be_called(tmp_path: Path):
    with Program(tmp_path, MAIN, "5", stdout=subprocess.PIPE) as program:
        said, _ = program.process.communicate(timeout=30)
    assert said == "__mp_main__ __mp_main__ 5 mine\n" * 2


@both
@trio.testing.trio_test
async def test_its_threads_are_those_of_the_node_alone(method: str):
    async with open_nursery(start_method=method) as nursery:
        assert await nursery.run(thread_count) <= 2
