from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trio

from treetap.actor.context import Context
from treetap.actor.message import ASYNC, CONTEXT, SYNC
from treetap.actor.payload import target_of
from treetap.actor.reference import Reference, is_async, reference_to, resolve
from treetap.errors import ActorError

HERE = __name__


async def top() -> None: ...


def plain() -> int:
    return 1


class Shop:
    @staticmethod
    async def static() -> None: ...

    @classmethod
    async def of_class(cls) -> None: ...

    async def method(self) -> None: ...

    class Inner:
        @staticmethod
        def deep() -> None: ...


@functools.wraps(top)
async def impostor() -> None: ...


lambda_of_the_module = lambda: 1


@pytest.mark.parametrize(
    ("function", "qualname"),
    [
        (top, "top"),
        (plain, "plain"),
        (Shop.static, "Shop.static"),
        (Shop.of_class, "Shop.of_class"),
        (Shop.Inner.deep, "Shop.Inner.deep"),
    ],
)
def test_what_stands_in_a_module_is_found_there(function, qualname):
    reference = reference_to(function)
    assert reference == Reference(HERE, qualname)
    assert resolve(reference) == function


@pytest.mark.parametrize(("function", "module"), [(math.sin, "math"), (os.getpid, "posix")])
def test_functions_of_c_are_found_too(function, module):
    assert reference_to(function).module == module
    assert resolve(reference_to(function)) is function


def local_function():
    def inner() -> None: ...

    return inner


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda: 1, "lambda"),
        (lambda_of_the_module, "lambda"),
        (local_function(), "inside another function"),
        (Shop().method, "method of an instance"),
        (functools.partial(top), "no name of its own"),
        (impostor, "something else"),
        ([].append, "no name of its own"),
    ],
    ids=["lambda", "named lambda", "local", "method", "partial", "impostor", "bound in C"],
)
def test_what_no_other_process_can_find_is_refused_with_the_reason(function, reason):
    with pytest.raises(ActorError, match=reason) as caught:
        reference_to(function)
    assert caught.value.slug == "actor-function"
    assert "top of a module" in caught.value.hint


def test_a_name_that_is_not_there_is_an_error_that_names_the_module_file():
    with pytest.raises(ActorError, match="no such_one") as caught:
        resolve(Reference(HERE, "such_one"))
    assert __file__ in caught.value.hint


async def numbers():
    yield 1


async def linked(context: Context[int, int, None], to: int) -> None: ...


@functools.wraps(top)
def wrapped() -> None: ...


def in_a_thread(function):
    @functools.wraps(function)
    async def call(*args):
        return await trio.to_thread.run_sync(function, *args)

    return call


@in_a_thread
def slow() -> int:
    return 1


def test_a_function_is_called_in_its_own_manner_only():
    with pytest.raises(ActorError, match="is not async") as caught:
        target_of(plain, ASYNC)
    assert "run_sync()" in caught.value.hint
    with pytest.raises(ActorError, match="is async"):
        target_of(top, SYNC)
    with pytest.raises(ActorError, match="is not async"):
        target_of(plain, CONTEXT)
    with pytest.raises(ActorError, match="is an async generator"):
        target_of(numbers, ASYNC)
    for thing in ("top", ["top"]):
        with pytest.raises(ActorError, match="isn't a function"):
            target_of(thing, ASYNC)  # type: ignore[arg-type]
    with pytest.raises(ActorError, match="takes a context") as caught:
        target_of(linked, ASYNC)
    assert "open_context()" in caught.value.hint


def test_a_wrapper_that_says_what_it_wraps_counts_as_that():
    assert is_async(wrapped)


def test_an_async_wrapper_of_a_function_that_is_not_is_async():
    assert is_async(slow)
    assert target_of(slow, ASYNC).reference.qualname == "slow"
    with pytest.raises(ActorError, match="is async"):
        target_of(slow, SYNC)


def run_program(tmp_path: Path, *command: str) -> list[str]:
    """Run a program whose child finds the program's functions and classes."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


PROGRAM = """
    import sys
    import trio
    from treetap.actor.reference import main_place
    from tests.actor.pair import open_process

    print("loaded as", __name__, file=sys.stderr)
    counter = 0

    class Lost(Exception):
        pass

    async def bump() -> list[object]:
        global counter
        counter += 1
        import __main__
        return [__name__, counter, __main__.counter]

    async def fail() -> None:
        raise Lost("here")

    async def main() -> None:
        async with open_process(main_place()) as (_, peer):
            print(await peer.portal.run(bump))
            print(await peer.portal.run(bump))
            try:
                await peer.portal.run(fail)
            except Lost as exc:
                print("the very type", exc)

    if __name__ == "__main__":
        trio.run(main)
"""

EXPECTED = ["['__mp_main__', 1, 1]", "['__mp_main__', 2, 2]", "the very type here"]


def test_functions_and_exceptions_of_the_program_itself_are_found(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    assert run_program(tmp_path, "program.py") == EXPECTED


def test_a_program_that_uses_multiprocessing_is_run_once_too(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import multiprocessing\n" + textwrap.dedent(PROGRAM))
    assert run_program(tmp_path, "program.py") == EXPECTED


def test_a_program_that_is_run_as_a_module_is_found_by_its_name(tmp_path):
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "names.py").write_text("NAME = 1\n")
    text = textwrap.dedent(PROGRAM).replace(
        "import trio\n", "import trio\nfrom .names import NAME\n"
    )
    (package / "tool.py").write_text(text)
    (package / "__main__.py").write_text(text)
    assert run_program(tmp_path, "-m", "shop.tool") == EXPECTED
    assert run_program(tmp_path, "-m", "shop") == EXPECTED


def test_a_program_without_a_guard_is_an_error_that_says_what_is_missing(tmp_path):
    text = textwrap.dedent(PROGRAM).replace('if __name__ == "__main__":', "if True:")
    text = text.replace("trio.run(main)", "trio.run(main)\n    print('once')")
    text = text.replace(
        "print(await peer.portal.run(bump))\n",
        "try:\n            await peer.portal.run(bump)\n"
        "        except RuntimeError as exc:\n            print(exc.__notes__[0])\n"
        "            return\n",
        1,
    )
    (tmp_path / "program.py").write_text(text)
    first, last = run_program(tmp_path, "program.py")
    assert "__name__ ==" in first
    assert last == "once"


def test_a_program_without_a_file_can_not_be_found_and_says_so(tmp_path):
    code = """if True:
        from treetap.actor.reference import main_place, reference_to
        async def f(): ...
        print(main_place())
        try:
            reference_to(f)
        except Exception as exc:
            print(exc.what)
    """
    place, reason = run_program(tmp_path, "-c", code)
    assert place == "None"
    assert "no file" in reason


def test_a_program_that_is_read_from_standard_input_has_no_place():
    done = subprocess.run(
        [sys.executable, "-"],
        input="from treetap.actor.reference import main_place; print(main_place())",
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert done.stdout == "None\n"
