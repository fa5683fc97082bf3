"""``python -m tests.scenario.storm [--rounds N] [--seed S]``: by hand, as long as one likes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.scenario.storm import storm
from tests.scenario.storm.driver import StormError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenario.storm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="in all (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first hundred (default 1)")
    options = parser.parse_args()
    left, seed, failed = options.rounds, options.seed, 0
    while left > 0:
        rounds = min(100, left)
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="storm-") as folder:
            try:
                prompts, nudges = storm(Path(folder), seed, rounds)
            except StormError as exc:
                failed += 1
                print(f"seed {seed} failed:\n{exc}", flush=True)
            else:
                print(
                    f"seed {seed}: {rounds} rounds, {prompts} prompts, {nudges} nudges, {time.monotonic() - began_s:.1f} s",
                    flush=True,
                )
        left, seed = left - rounds, seed + 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
