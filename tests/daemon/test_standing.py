from __future__ import annotations

import stat
import threading

from treetap.daemon import standing


def test_a_file_is_replaced_as_a_whole_and_is_its_owners_alone(tmp_path):
    path = tmp_path / "standing.json"
    standing.write_atomically(path, {"a": 1})
    standing.write_atomically(path, {"a": 2})
    assert standing.read(path) == {"a": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["standing.json"]


def test_a_reader_never_sees_half_of_it(tmp_path):
    path = tmp_path / "standing.json"
    standing.write_atomically(path, {"n": -1, "fill": ""})
    is_over = threading.Event()

    def write() -> None:
        for n in range(300):
            standing.write_atomically(path, {"n": n, "fill": "x" * (n * 50)})
        is_over.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not is_over.is_set():
        content = standing.read(path)
        assert len(content["fill"]) == max(0, content["n"]) * 50
    writer.join()


def test_what_can_t_be_read_is_empty(tmp_path):
    path = tmp_path / "standing.json"
    assert standing.read(path) == {}
    path.write_text("[1]")
    assert standing.read(path) == {}
    path.write_text("{")
    assert standing.read(path) == {}
    standing.remove(path)
    standing.remove(path)
