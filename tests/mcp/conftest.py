from __future__ import annotations

import pytest

from tests.mcp.staging import staged


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    """One for all tests of this folder: each leaves no metric behind."""
    with staged(tmp_path_factory.mktemp("mcp")) as found:
        yield found


@pytest.fixture
def agent(stage):
    return stage.agent
