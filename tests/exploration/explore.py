"""The program of ``test_exploration``: a probe on every line of a module, then the module's own tests.

    python explore.py MODULE TEST_MODULE traced|probed

Prints one JSON object: what the tests came to, and which lines ran, as ``sys.settrace`` tells it
(``traced``) or as the probes do (``probed``).
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import threading
import types
import unittest
from typing import Any

#: Expressions a probe takes at most: enough to meet bound and unbound names alike.
MAX_NAMES = 3


def codes_of(module: types.ModuleType) -> list[types.CodeType]:
    """Every code object of the module's file."""
    spec = module.__spec__
    assert spec is not None
    assert spec.loader is not None
    found = [spec.loader.get_code(module.__name__)]  # type: ignore[attr-defined]
    for code in found:
        found += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return found


def lines_of(module: types.ModuleType) -> dict[int, tuple[str, ...]]:
    """``{line: names to read there}`` of the functions of a module."""
    lines: dict[int, tuple[str, ...]] = {}
    for code in codes_of(module):
        if not code.co_flags & 2:  # CO_NEWLOCALS: module and class bodies have run already
            continue
        names = tuple(name for name in code.co_varnames if name.isidentifier())[:MAX_NAMES]
        for _start, _end, line in code.co_lines():
            if line and names:
                lines.setdefault(line, names)
    return lines


def run_tests(name: str) -> dict[str, Any]:
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    output = io.StringIO()
    outcome = unittest.TextTestRunner(stream=output, verbosity=0).run(suite)
    return {
        "run": outcome.testsRun,
        "skipped": len(outcome.skipped),
        "failed": sorted(str(test) for test, _ in [*outcome.failures, *outcome.errors]),
        "first": [text for _, text in [*outcome.failures, *outcome.errors]][:1],
    }


def run_traced(module: types.ModuleType, test_name: str) -> dict[str, Any]:
    wanted = set(lines_of(module))
    hit: set[int] = set()

    def trace(frame: types.FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            hit.add(frame.f_lineno)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    outcome = run_tests(test_name)
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    return {**outcome, "hit": sorted(hit & wanted)}


def entries_of(module: types.ModuleType) -> list[int]:
    """First lines of functions: a probe there is hit by the entry, of which no LINE event tells."""
    return sorted({code.co_firstlineno for code in codes_of(module)})


def run_probed(module: types.ModuleType, test_name: str) -> dict[str, Any]:
    from treetap.model.location import Location
    from treetap.model.probe import Limits, Probe
    from treetap.probe.probeset import ProbeSet

    probes = [
        Probe(
            id=f"p{line}",
            location=Location(file=str(module.__file__), line=line),
            expressions=names,
            # Some of these lines run a million times, on values with thousands of items.
            mode="throttle",
            rate=100,
            limits=Limits(max_depth=2, max_items=10),
            budget_percent=0,
        )
        for line, names in lines_of(module).items()
    ]
    originals = {
        id(function): (function, function.__code__)
        for function in vars(module).values()
        if isinstance(function, types.FunctionType)
    }
    probe_set = ProbeSet()
    probe_set.apply(probes)
    is_over = threading.Event()
    rows = 0

    def ship() -> None:
        nonlocal rows
        while not is_over.wait(0.005):
            probe_set.tick()
            rows += sum(len(batch.rows) for batch in probe_set.drain())

    shipper = threading.Thread(target=ship)
    shipper.start()
    outcome = run_tests(test_name)
    is_over.set()
    shipper.join()
    statuses = probe_set.statuses()
    probe_set.close()
    return {
        **outcome,
        "probes": len(probes),
        "entries": entries_of(module),
        "states": sorted({status.state for status in statuses}),
        "errors": [status.error for status in statuses if status.error][:3],
        "faults": sum(status.skipped.get("fault", 0) for status in statuses),
        "hit": sorted(int(status.probe_id[1:]) for status in statuses if status.hits),
        "rows": rows,
        "left": [
            function.__qualname__
            for function, code in originals.values()
            if function.__code__ != code
        ],
    }


if __name__ == "__main__":
    explore = run_probed if sys.argv[3] == "probed" else run_traced
    print(json.dumps(explore(importlib.import_module(sys.argv[1]), sys.argv[2])))
