from __future__ import annotations

import logging
import stat

from treetap.app.log import close_log, open_log


def test_what_is_logged_is_in_the_file_until_it_is_closed(tmp_path):
    path = tmp_path / "daemon.log"
    root = logging.getLogger()
    level = root.level
    handler = open_log(path)
    try:
        logging.getLogger("treetap.test").info("one line")
        assert "INFO treetap.test: one line" in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        close_log(handler)
        root.setLevel(level)
    assert handler not in root.handlers


def test_it_never_grows_without_bound(tmp_path):
    path = tmp_path / "daemon.log"
    level = logging.getLogger().level
    handler = open_log(path)
    try:
        for _ in range(30):
            logging.getLogger("treetap.test").warning("x" * 1_000_000)
    finally:
        close_log(handler)
        logging.getLogger().setLevel(level)
    files = list(tmp_path.iterdir())
    assert len(files) == 4
    assert sum(each.stat().st_size for each in files) < 21_000_000
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in files)
