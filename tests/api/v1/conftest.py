from __future__ import annotations

import httpx
import pytest

from tests.running_daemon import running_daemon


@pytest.fixture
def running(home):
    with running_daemon(home) as found:
        yield found


@pytest.fixture
def http(running):
    with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as http:
        yield http
