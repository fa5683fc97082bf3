from __future__ import annotations

import pytest

from tests.store.filled import Opened


@pytest.fixture
def opened(tmp_path):
    store = Opened(tmp_path)
    yield store
    store.close()
