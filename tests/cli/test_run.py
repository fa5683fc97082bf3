from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from treetap.cli import run, spec

JOIN = spec.SEPARATOR.join


def treetap_run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "treetap.cli", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        **options,
    )


@pytest.mark.parametrize(
    ("written", "gathered"),
    [
        (["--", "prog"], ["--", "prog"]),
        (
            ["--probe", "a.py:1", "x", "len(y)", "--", "prog", "--probe", "b"],
            ["--probe", JOIN(["a.py:1", "x", "len(y)"]), "--", "prog", "--probe", "b"],
        ),
        (
            ["--probe", "a.py:1", "a + b", "--name", "n", "--", "p"],
            ["--probe", JOIN(["a.py:1", "a + b"]), "--name", "n", "--", "p"],
        ),
        (
            ["--probe", "a.py:1", "x", "--probe", "b.py:2", "y", "--", "p"],
            ["--probe", JOIN(["a.py:1", "x"]), "--probe", JOIN(["b.py:2", "y"]), "--", "p"],
        ),
        (
            ["--probe", "a.py:1 x y", "prog", "--", "arg"],
            ["--probe", "a.py:1 x y", "prog", "--", "arg"],
        ),
        (["--probe", "a.py:1 x", "prog"], ["--probe", "a.py:1 x", "prog"]),
        (["--probe", "--", "p"], ["--probe", "--", "p"]),
    ],
)
def test_the_words_behind_a_probe_location_are_its_expressions(written, gathered):
    assert run.gather_probes(written) == gathered


def test_the_exit_code_is_the_programs(home):
    assert treetap_run("--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_the_output_and_the_arguments_are_the_programs(home):
    done = treetap_run(
        "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--name", "-x", "--"
    )
    assert done.stdout == "['--name', '-x', '--']\n"
    assert done.stderr == ""


def test_options_of_the_program_need_no_dashes_before_it(home):
    done = treetap_run(sys.executable, "-c", "print('as is')")
    assert (done.returncode, done.stdout) == (0, "as is\n")


def test_the_pid_is_the_one_that_was_started_so_signals_reach_the_program(home):
    process = subprocess.Popen(
        [sys.executable, "-m", "treetap.cli", "run", "--", sys.executable, "-c",
         "import os, sys\nprint(os.getpid(), flush=True)\nsys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("broken_off", "code"), [(True, -signal.SIGPIPE), (False, 0)])
def test_a_broken_pipe_ends_a_program_as_it_would_without_treetap(home, broken_off, code):
    script = "exec 2>/dev/null; sleep 0.2; for i in 1 2 3 4 5; do echo line; done"
    process = subprocess.Popen(
        [sys.executable, "-m", "treetap.cli", "run", "--", "/bin/sh", "-c", script],
        stdout=subprocess.PIPE,
    )
    if broken_off:
        process.stdout.close()
    else:
        process.stdout.read()
    assert process.wait(20) == code
    process.stdout.close()


def test_a_command_that_is_not_there_is_127_and_one_line(home):
    done = treetap_run("--", "no-such-program-anywhere")
    assert done.returncode == 127
    assert (
        done.stderr
        == "treetap run: no-such-program-anywhere: command not found. Check its name and PATH.\n"
    )


def test_a_command_that_is_not_executable_is_126_and_one_line(home, tmp_path):
    script = tmp_path / "script"
    script.write_text("echo no\n")
    done = treetap_run("--", str(script))
    assert done.returncode == 126
    assert done.stderr.count("\n") == 1
    assert "can't be executed" in done.stderr


def test_no_command_is_a_usage_error(home):
    done = treetap_run("--")
    assert done.returncode == 2
    assert "COMMAND" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_tree_is_named_after_the_process_that_becomes_its_root(home):
    done = treetap_run("--name", "shop", "--", sys.executable, "-c",
                       "import os; print(os.getpid(), os.environ['TREETAP_TREE'], os.environ['TREETAP_NAME'])")  # fmt: skip
    pid, tree, name = done.stdout.split()
    assert tree.startswith(f"{pid}-")
    assert name == "shop"


def test_a_tree_in_a_tree_is_a_tree_of_its_own(home):
    inner = [sys.executable, "-m", "treetap.cli", "run", "--", sys.executable, "-c",
             "import os; print(os.environ['TREETAP_TREE'])"]  # fmt: skip
    done = treetap_run("--", *inner, env={**os.environ, "TREETAP_TREE": "1-ff"})
    pid = done.stdout.partition("-")[0]
    assert pid.isdigit()
    assert pid != "1"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--", "prog", "-x"],
        ["prog", "--name", "its own"],
        ["--name", "n", "--awake", "--", "prog"],
        ["--on-crash", "--name", "n", "prog", "--on-crash"],
        ["--name=n", "--probe=a.py:1 x", "prog", "--", "y"],
        ["--probe", "a.py:1", "x", "--probe", "b.py:2 y z", "--", "prog", "--awake"],
        ["--relay", "--", "prog", "--relay"],
    ],
)
def test_the_quick_reader_and_typer_read_the_same(arguments, monkeypatch):
    import typer

    from treetap.cli import run_command

    read = []
    command = typer.Typer()
    command.command(
        cls=run_command.RunCommand, context_settings={"allow_interspersed_args": False}
    )(_recording(read))
    command(list(arguments), standalone_mode=False)
    assert [run.read(list(arguments))] == read


def _recording(read):
    from typing import Annotated

    import typer

    def record(
        command: list[str],
        name: str = "",
        awake: Annotated[bool, typer.Option("--awake")] = False,
        probe: list[str] | None = None,
        relay: Annotated[bool, typer.Option("--relay")] = False,
        on_crash: Annotated[bool, typer.Option("--on-crash")] = False,
    ) -> None:
        read.append(run.Asked(command, name, awake, tuple(probe or ()), relay, on_crash))

    record.__annotations__ = {
        "command": list[str],
        "name": str,
        "awake": Annotated[bool, typer.Option("--awake")],
        "probe": list[str] | None,
        "relay": Annotated[bool, typer.Option("--relay")],
        "on_crash": Annotated[bool, typer.Option("--on-crash")],
    }
    return record


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--"],
        ["--relay=x", "p"],
        ["--relay"],
        ["--help"],
        ["--bogus", "x"],
        ["--name"],
        ["--awake=x", "p"],
    ],
)
def test_what_the_quick_reader_does_not_know_is_left_to_typer(arguments):
    assert run.read(arguments) is None
