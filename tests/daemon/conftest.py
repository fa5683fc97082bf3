from __future__ import annotations

import pytest

from tests.running_daemon import running_daemon


@pytest.fixture
def unhurried_end(monkeypatch):
    """Time for a debugpy without a processor to end a session; who comes earlier locks it up."""
    monkeypatch.setattr("treetap.dap.session._ENDING_S", 0.7)


@pytest.fixture
def running(home):
    with running_daemon(home) as found:
        yield found
