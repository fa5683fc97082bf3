"""What the engine's tests stand on: programs made for one test, and probes put into them."""

from __future__ import annotations

import importlib
import itertools
import linecache
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from treetap.interpreter import HAS_MONITORING
from treetap.model.location import Location, parse_location
from treetap.model.probe import Probe
from treetap.probe.arming import ENGINES
from treetap.probe.importing import ImportWatch
from treetap.probe.probeset import ProbeSet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

_numbers = itertools.count()


class Programs:
    """Makes modules of source text, and forgets them again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: list[str] = []
        sys.path.insert(0, str(folder))

    def write(self, source: str, stem: str = "program") -> str:
        """A file on the path, not imported yet; its module's name."""
        name = f"{stem}_{next(_numbers)}"
        (self.folder / f"{name}.py").write_text(textwrap.dedent(source).lstrip("\n"))
        importlib.invalidate_caches()
        self._names.append(name)
        return name

    def load(self, source: str, stem: str = "program") -> ModuleType:
        return importlib.import_module(self.write(source, stem))

    def close(self) -> None:
        sys.path.remove(str(self.folder))
        for name in self._names:
            sys.modules.pop(name, None)


class Stage:
    """A probe set, and the probes that a test has put into it."""

    def __init__(self, engines: Sequence[str] = ENGINES, **arguments: Any) -> None:
        self.probe_set = ProbeSet(engines=engines, **arguments)
        self._wanted: dict[str, Probe] = {}
        self._rows: dict[str, list[tuple[Any, ...]]] = {}

    def put(
        self, where: ModuleType | str, place: str | int, *expressions: str, **fields: Any
    ) -> str:
        """A probe at a line number, at the line that holds a text, or at the entry of ``:name``."""
        probe_id = self.add(where, place, *expressions, **fields)
        self.apply()
        return probe_id

    def add(
        self, where: ModuleType | str, place: str | int, *expressions: str, **fields: Any
    ) -> str:
        """As ``put``, to be armed by the next ``apply``."""
        probe_id = fields.pop("probe_id", None) or f"p{len(self._wanted) + next(_numbers)}"
        fields.setdefault("budget_percent", 0)
        wanted = expressions or (() if fields.get("snapshot") else ("1",))
        self._wanted[probe_id] = Probe(probe_id, location(where, place), wanted, **fields)
        return probe_id

    def apply(self) -> None:
        self.probe_set.apply(list(self._wanted.values()))

    def take_out(self, *probe_ids: str) -> None:
        for probe_id in probe_ids:
            del self._wanted[probe_id]
        self.apply()

    def status(self, probe_id: str) -> Any:
        found = {status.probe_id: status for status in self.probe_set.statuses()}
        status = found[probe_id]
        assert status.hits == status.recorded + sum(status.skipped.values())
        return status

    def hits(self, probe_id: str) -> int:
        return self.status(probe_id).hits

    def rows(self, probe_id: str) -> list[tuple[Any, ...]]:
        """The values of all rows of a probe so far, without their times."""
        while batches := self.probe_set.drain():
            for batch in batches:
                kept = self._rows.setdefault(batch.probe_id, [])
                kept += [tuple(row[1:]) for row in batch.rows]
        return self._rows.get(probe_id, [])

    def values(self, probe_id: str) -> list[Any]:
        """``rows`` of a probe with one expression."""
        return [value for (value,) in self.rows(probe_id)]

    def close(self) -> None:
        self.probe_set.close()


def location(where: ModuleType | str, place: str | int) -> Location:
    if isinstance(place, str) and place.startswith(":"):
        name = where if isinstance(where, str) else where.__name__
        return parse_location(name + place)
    file = where if isinstance(where, str) else str(where.__file__)
    if isinstance(place, int):
        return Location(file=file, line=place)
    return Location(file=file, text=place)


def line_of(module: ModuleType, text: str) -> int:
    """The one line of a module's source that holds a text."""
    lines = linecache.getlines(str(module.__file__))
    (number,) = [number for number, line in enumerate(lines, 1) if text in line]
    return number


def held_tool_ids() -> list[int]:
    """The monitoring ids that treetap holds."""
    if not HAS_MONITORING:
        return []
    return [number for number in range(6) if sys.monitoring.get_tool(number) == "treetap"]


def assert_nothing_is_left() -> None:
    """No trace of ours in the process."""
    assert held_tool_ids() == []
    assert not [finder for finder in sys.meta_path if isinstance(finder, ImportWatch)]
