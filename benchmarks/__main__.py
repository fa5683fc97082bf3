"""``python -m benchmarks [--only NAME…] [--rounds N] [--ddtrace PYTHON] [--list]``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks import machine, report
from benchmarks.clock import pin
from benchmarks.sample import Claim
from benchmarks.setting import Setting
from benchmarks.worker import ROOT

#: In the order of the table.
CLAIMS = (
    "hit",
    "debugpy_logpoint",
    "side_by_side",
    "ddtrace_probe",
    "asleep",
    "arrival",
    "shipped",
    "process_relay",
    "actor_spawn",
    "actor_messages",
    "hold",
)


def main() -> int:
    options = _options()
    if options.list:
        print("\n".join(CLAIMS))
        return 0
    pin(0)  # the measured processes have the other core
    facts = machine.describe()
    claims: list[Claim] = []
    with tempfile.TemporaryDirectory(prefix="treetap-bench-") as directory:
        # An installed package has its bytecode beside it: so have the measured processes.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{directory}/bytecode"
        setting = Setting(options.rounds, Path(directory), options.ddtrace)
        for name in options.only or CLAIMS:
            began = time.monotonic()
            claims += _measure(name, setting)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    report.show(claims, facts)
    if not options.only:
        path = Path(options.results) / f"{facts['python']}.json"
        report.write(claims, facts, path)
        print(f"written to {path}")
    return 0


def _measure(name: str, setting: Setting) -> list[Claim]:
    """A claim that can't be measured here is a line that says so; the others go on."""
    try:
        measured: list[Claim] = importlib.import_module(f"benchmarks.claims.{name}").measure(
            setting
        )
    except Exception as exc:
        traceback.print_exc()
        return [Claim(name, name, None, note=f"not measured: {type(exc).__name__}: {exc}")]
    return measured


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CLAIMS, help="these claims; writes no file")
    parser.add_argument("--rounds", type=int, default=9, help="of each measurement (default 9)")
    parser.add_argument("--ddtrace", default="", help="interpreter of an environment with ddtrace")
    parser.add_argument("--results", default=str(ROOT / "benchmarks" / "results"), help="folder")
    parser.add_argument("--list", action="store_true", help="name the claims")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
