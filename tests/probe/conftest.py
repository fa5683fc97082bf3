from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.probing import Programs, Stage, assert_nothing_is_left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    yield made
    made.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Probes with every engine of this Python; nothing of them is left when the test is over."""
    tracer = sys.gettrace()
    made = Stage()
    yield made
    made.close()
    assert_nothing_is_left()
    assert sys.gettrace() is tracer
