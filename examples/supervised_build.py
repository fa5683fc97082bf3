"""A supervised build command: its lines in the log as they come, its failure as one bare error.

Another command may be given: ``python examples/supervised_build.py make -j4 test``.
"""

import logging
import subprocess
import sys
from functools import partial

import trio

from treetap.process import bare_errors, supervise_run_process

# Stands for a build: it draws a progress bar, warns, and fails.
STAND_IN = r"""
printf 'compiling 1/3\rcompiling 2/3\rcompiling 3/3\n'
echo 'shop.c:41: warning: unused variable' >&2
echo 'linking'
echo 'shop.o: undefined reference to price' >&2
exit 2
"""
log = logging.getLogger("build")


async def build(command: list[str]) -> None:
    with bare_errors():  # the error of the one task that failed, not a group of one
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(
                    supervise_run_process,
                    command,
                    label="build",
                    relay_stdout=True,
                    merge_stderr=True,  # one stream, so that warnings stand where they belong
                    start_new_session=True,  # cancelled, it ends with all that it has started
                )
            )


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)-5s %(message)s", stream=sys.stdout)
    try:
        trio.run(build, sys.argv[1:] or ["/bin/sh", "-c", STAND_IN])
    except subprocess.CalledProcessError as error:
        last_words = error.stderr.decode(errors="replace").splitlines()[-1:]
        log.error("the build failed with %d: %s", error.returncode, *last_words)  # noqa: TRY400


if __name__ == "__main__":
    main()
