"""The real thing, to compare with: detrix-py as it is published, in virtual environments of its own.

Nothing of it lies in this repository: pip gets it when a test first asks, once a test run, whatever
the number of workers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIP_TIMEOUT_S = 300
_FIRST = "1.2.0"
#: 1.0.0 imports pydantic and doesn't ask for it.
_NEEDED = ("pydantic>=2",)


@pytest.fixture(scope="session")
def real_things(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "detrix-py"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def real_client(real_things: Path) -> Callable[[str], Path]:
    """``real_client("1.2.0")`` is a Python that has that detrix-py installed."""

    def python_of(version: str) -> Path:
        folder = real_things / version
        # What they need is the same, and takes pip longer than they do.
        first = None if version == _FIRST else python_of(_FIRST)
        with first_comer(folder) as is_first:
            if is_first and first is None:
                _run(sys.executable, "-m", "venv", str(folder / "venv"))
                _pip(folder, "install", f"detrix-py=={version}", *_NEEDED)
            elif is_first:
                _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
                _copy_packages(real_things / _FIRST, folder)
                into = ("--python", str(folder / "venv"))
                _pip(real_things / _FIRST, *into, "install", "--no-deps", f"detrix-py=={version}")
        return folder / "venv" / "bin" / "python"

    return python_of


@pytest.fixture(scope="session")
def real_examples(real_things: Path, real_client: Callable[[str], Path]) -> Callable[[str], Path]:
    """``real_examples("1.2.0")`` is the folder ``examples`` of that version's source distribution."""

    def examples_of(version: str) -> Path:
        real_client(_FIRST)  # whose pip gets it
        folder = real_things / f"{version}-source"
        with first_comer(folder) as is_first:
            if is_first:
                _pip(
                    real_things / _FIRST,
                    *("download", "--no-deps", "--no-binary", "detrix-py"),
                    *("--dest", str(folder), f"detrix-py=={version}"),
                )
                (archive,) = folder.glob("*.tar.gz")
                # 3.11.2 has no filters yet.
                safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                with tarfile.open(archive) as source:
                    source.extractall(folder / "all", **safely)
                (found,) = (folder / "all").glob("*/examples")
                shutil.copytree(found, folder / "examples")
        return folder / "examples"

    return examples_of


@contextlib.contextmanager
def first_comer(folder: Path) -> Iterator[bool]:
    """Whether ``folder`` is still to be filled; who comes meanwhile waits for that."""
    done = folder.with_name(f"{folder.name}.done")
    with open(folder.with_name(f"{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel frees it, whatever becomes of this process
        is_first = not done.exists()
        if is_first:
            shutil.rmtree(folder, ignore_errors=True)  # what somebody began who failed
            folder.mkdir()
        yield is_first
        done.touch()


def _copy_packages(source: Path, target: Path) -> None:
    """All but detrix-py itself, and pip."""
    (there,) = source.glob("venv/lib/python*/site-packages")
    (here,) = target.glob("venv/lib/python*/site-packages")
    shutil.copytree(
        there,
        here,
        dirs_exist_ok=True,
        copy_function=os.link,
        ignore=shutil.ignore_patterns("detrix*", "pip", "pip-*"),
    )


def _pip(folder: Path, *arguments: str) -> None:
    python = folder / "venv" / "bin" / "python"
    _run(str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*command: str) -> None:
    outcome = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PIP_TIMEOUT_S,
        check=False,
    )
    if outcome.returncode:
        pytest.fail(f"{' '.join(command)} exited with {outcome.returncode}:\n{outcome.stdout}")
