from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """A daemon that has just started on a busy machine is not one that doesn't answer."""
    monkeypatch.setattr("treetap.client.start._HEALTH_TIMEOUT_S", 100.0)
