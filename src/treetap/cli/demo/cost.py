"""What probes cost: measured here and now, in this process, on a small function.

Each figure is the quickest of some rounds of calls, less the quickest of the same calls without
anything: whatever else the machine does makes rounds slower, never quicker.
"""

from __future__ import annotations

import gc
import importlib.util
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from treetap.errors import ProbeError
from treetap.expression.redaction import Redaction
from treetap.model.location import parse_location
from treetap.model.probe import Probe
from treetap.probe.probeset import ProbeSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_CALLS = 10_000
_LOGGED_CALLS = 1_000
_ROUNDS = 15
_MODULE = "treetap_demo_target"
_LINE = 4
_SOURCE = """\
def plain(total, count, user):
    price = total * 2
    if price:
        price = price + count
    return price


def logged(total, count, user, log):
    price = total * 2
    if price:
        log("order %s %s %s", total, count, user)
        price = price + count
    return price
"""


class Cost(NamedTuple):
    """What one way of looking adds to one execution of the line, in nanoseconds."""

    what: str
    added_ns: float


def measure() -> list[Cost]:
    """The costs, dearest first; the last is the function after every probe is gone."""
    with tempfile.TemporaryDirectory(prefix="treetap-demo-") as folder:
        target = _load(Path(folder))
        try:
            return _measure(target, Path(folder) / "orders.log")
        finally:
            del sys.modules[_MODULE]


def _measure(target: ModuleType, log_file: Path) -> list[Cost]:
    bare = _best_ns(lambda: _calls(target.plain, _CALLS), _CALLS)
    costs = [Cost("logging.info of three values, to a file", _logging_ns(target, log_file) - bare)]
    probes = ProbeSet(redaction=Redaction())
    try:
        for what, probe in _probes():
            probes.apply([probe])
            _require_armed(probes, probe)
            costs.append(
                Cost(what, _best_ns(lambda: _calls(target.plain, _CALLS), _CALLS, probes) - bare)
            )
    finally:
        probes.close()
    costs.append(
        Cost("asleep again", _best_ns(lambda: _calls(target.plain, _CALLS), _CALLS) - bare)
    )
    return costs


def _probes() -> list[tuple[str, Probe]]:
    here = parse_location(f"{_MODULE}.py:{_LINE}")
    values = ("total", "count", "user")
    unlimited = {"budget_percent": 0.0, "expressions": values}
    later = parse_location("treetap_demo_never_imported:function")
    return [
        ("a probe that takes three values", Probe("a", here, **unlimited)),  # type: ignore[arg-type]
        ("a probe whose condition is false", Probe("b", here, condition="total < 0", **unlimited)),  # type: ignore[arg-type]
        ("a pending probe", Probe("c", later, **unlimited)),  # type: ignore[arg-type]
    ]


def _require_armed(probes: ProbeSet, probe: Probe) -> None:
    states = {status.probe_id: status for status in probes.statuses()}
    status = states.get(probe.id)
    if status is None or status.state not in ("armed", "pending"):
        raise ProbeError(
            f"The demo's probe at {probe.location} is {status.state if status else 'unknown'}.",
            " ".join(status.error) if status else "",
            slug="demo-stage",
        )


def _best_ns(run: Callable[[], None], calls: int, probes: ProbeSet | None = None) -> float:
    """The quickest round, per call; the collector is off, as it would hit some at random."""
    rounds = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            begin = time.perf_counter_ns()
            run()
            rounds.append((time.perf_counter_ns() - begin) / calls)
            if probes is not None:
                probes.tick()
                probes.drain()
    finally:
        gc.enable()
    return min(rounds)


def _calls(function: Callable[..., object], calls: int) -> None:
    for number in range(calls):
        function(number, 3, "ann")


def _logging_ns(target: ModuleType, log_file: Path) -> float:
    logger = logging.getLogger("treetap-demo")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(log_file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)

    def run() -> None:
        for number in range(_LOGGED_CALLS):
            target.logged(number, 3, "ann", logger.info)

    try:
        return _best_ns(run, _LOGGED_CALLS)
    finally:
        handler.close()


def _load(folder: Path) -> ModuleType:
    path = folder / f"{_MODULE}.py"
    path.write_text(_SOURCE)
    found = importlib.util.spec_from_file_location(_MODULE, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[_MODULE] = module
    found.loader.exec_module(module)
    return module
