from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.store.filled import Opened
from treetap.errors import StoreError
from treetap.store import Store, migration, schema
from treetap.store.journal import JournalEntry


def test_the_migrations_make_exactly_the_tables_of_the_schema(opened):
    with opened._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_the_list_of_revisions_is_that_of_the_folder():
    config = Config()
    config.set_main_option("script_location", str(Path(migration.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(s.revision for s in scripts.walk_revisions())[::-1] == migration.REVISIONS


def test_a_database_of_a_newer_treetap_is_refused_and_left_alone(tmp_path):
    store = Opened(tmp_path)
    store.close()
    store.sql("UPDATE alembic_version SET version_num = '9999'")
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match="newer treetap") as caught:
        Store(f"sqlite:///{store.path}")
    assert caught.value.slug == "store-newer"
    assert store.path.read_bytes() == before


def test_a_database_of_the_first_version_gets_what_it_lacks_and_keeps_its_rows(tmp_path):
    store = Opened(tmp_path)
    store.put([[1]])
    store.close()
    store.sql("DROP TABLE journal")
    store.sql("DROP TABLE total")
    store.sql("UPDATE alembic_version SET version_num = '0001'")
    again = Opened(tmp_path)
    again.journal.write(JournalEntry("probe-added", 1)).result(20)
    assert len(again.journal.entries()) == 1
    assert again.found() == [0]
    assert again.numbers()["events"] == 1
    again.close()


def test_opening_says_nothing(tmp_path, capfd, caplog):
    with caplog.at_level(logging.INFO):
        Opened(tmp_path).close()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_failed_first_migration_leaves_nothing_that_looks_done(tmp_path):
    path = tmp_path / "treetap.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE event (other INTEGER)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError) as caught:
        Store(f"sqlite:///{path}")
    assert caught.value.slug == "store-unusable"
