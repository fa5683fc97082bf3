"""What was typed, for the other prompts of the tree."""

from __future__ import annotations

import os

from treetap.debug.editing.history import History


def test_another_process_sees_what_was_typed(tmp_path):
    path = tmp_path / "tree.history"
    History(str(path)).add("p one")
    other = History(str(path))
    other.add("  ")
    other.add("p 漢")
    other.add("p 漢")
    assert History(str(path)).lines() == ["p one", "p 漢"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_more_than_its_end_is_read(tmp_path):
    path = tmp_path / "tree.history"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(20_000)))
    lines = History(str(path)).lines()
    assert lines[-1] == "line 19999"
    assert 5000 < len(lines) < 7000
    assert all(line.startswith("line 1") for line in lines)


def test_without_a_file_it_is_kept_in_memory(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in ("", str(tmp_path / "missing" / "x"), str(tmp_path / "link")):
        history = History(path)
        history.add("w")
        assert history.lines() == ["w"]
    assert not os.path.exists(tmp_path / "elsewhere")
