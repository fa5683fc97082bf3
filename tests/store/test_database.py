from __future__ import annotations

import sys

import pytest

from treetap.errors import StoreError
from treetap.store import Store


@pytest.mark.parametrize("url", ["nonsense", "sqlite", "nobase://x/y", ""])
def test_what_is_no_url_is_told(url):
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert caught.value.slug == "store-url"


def test_a_file_that_is_no_database_is_told(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("This is no database. " * 100)
    with pytest.raises(StoreError, match=r"notes\.txt") as caught:
        Store(f"sqlite:///{path}")
    assert caught.value.slug == "store-unusable"
    assert path.read_text().startswith("This is no database.")


def test_a_folder_that_can_t_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        Store(f"sqlite:///{tmp_path / 'file' / 'treetap.db'}")
    assert caught.value.slug == "store-unusable"


def test_a_password_in_the_url_is_not_told():
    with pytest.raises(StoreError) as caught:
        Store("postgresql+nodriver://me:hunter2@host/name")
    assert "hunter2" not in str(caught.value)


def test_postgresqls_driver_is_asked_for_where_it_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'treetap\[postgresql\]'") as caught:
        Store("postgresql://me@host/name")
    assert caught.value.slug == "store-url"


def test_it_is_written_ahead_and_shrinks_step_by_step(opened):
    assert opened.sql("PRAGMA journal_mode") == [("wal",)]
    assert opened.sql("PRAGMA auto_vacuum") == [(2,)]
