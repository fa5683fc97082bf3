"""Programs with a tree of actors, run as a user runs them, and watched from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.actor.processes import marked, written_pids
from tests.conftest import wait_until

ROOT = Path(__file__).parents[2]

#: Grows a tree below it; the folder is in argv[1], what its leaves do in argv[2].
TREE = """
    import sys, trio
    from treetap.actor import open_nursery
    from tests.actor.processes import grow

    async def main():
        async with open_nursery() as nursery:
            await nursery.run(grow, 2, 1, sys.argv[1], *sys.argv[2:])

    if __name__ == "__main__":
        trio.run(main)
"""


class Program:
    """One run of a program, marked so that whatever it starts is found by its environment."""

    def __init__(self, folder: Path, code: str, *arguments: str, **options: Any) -> None:
        self.folder = folder / "pids"
        self.folder.mkdir()
        self.mark = f"TREETAP_TEST_MARK={folder}"
        script = folder / "program.py"
        script.write_text(textwrap.dedent(code))
        name, _, value = self.mark.partition("=")
        home = folder / "program-home"
        self.environment = {
            **os.environ, name: value, "PYTHONPATH": str(ROOT), "TREETAP_HOME": str(home),
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(self.folder), *arguments],
            env=self.environment, cwd=folder, text=True, **options,
        )  # fmt: skip

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind, whatever the test found out."""
        for pid in [*self.rest(), self.process.pid]:
            if self.process.poll() is None or pid != self.process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(30)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def grown(self, count: int) -> list[int]:
        """Wait until so many actors have said that they are up; their pids."""

        def are_up() -> list[int] | None:
            assert self.process.poll() is None, "the program has ended"
            return written_pids(self.folder, count)

        return wait_until(are_up, 60)

    def rest(self) -> dict[int, str]:
        """What there is of it: all processes that it has started at any depth, and itself."""
        # An actor's title is written over its environment, so that actors are asked for as well.
        found = marked(self.mark)
        for pid in written_pids_now(self.folder):
            if Path(f"/proc/{pid}").exists():
                found[pid] = "an actor"
        return found


def written_pids_now(folder: Path) -> list[int]:
    return [int(path.read_text() or 0) for path in folder.iterdir() if path.is_file()]
