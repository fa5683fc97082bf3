"""What a run was asked for: handed to every claim."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Setting(NamedTuple):
    """
    Attributes:
        rounds: Of each measurement.
        directory: For files of this run; removed at its end.
        ddtrace: Interpreter of an environment with ddtrace; ``""`` if there is none.
    """

    rounds: int
    directory: Path
    ddtrace: str
