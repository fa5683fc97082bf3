from __future__ import annotations

import pytest

from tests.running_daemon import running_daemon


@pytest.fixture
def running(home):
    with running_daemon(home) as found:
        yield found
