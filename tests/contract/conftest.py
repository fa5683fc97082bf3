from __future__ import annotations

from tests.probe.conftest import programs

__all__ = ["programs"]
