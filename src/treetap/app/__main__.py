"""``python -m treetap.app run --home H --host 127.0.0.1 --port 8090``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from treetap.errors import TreetapError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Exit codes: it could not start; one runs already.
FAILED = 1
RUNNING = 3


def main(arguments: Sequence[str]) -> int:
    from treetap.app.run import run
    from treetap.app.settings import parse_arguments

    try:
        run(parse_arguments(arguments))
    except TreetapError as exc:
        sys.stderr.write(f"{exc.line}\n")
        return RUNNING if exc.slug == "daemon-running" else FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
