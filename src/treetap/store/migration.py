"""Brings a database to the tables of this version, by Alembic, when it is opened."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from treetap.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: All revisions, oldest first; a test holds this against ``migrations/versions``. Here, so that
#: a database that is up to date is opened without loading Alembic (0.2 s).
REVISIONS = ("0001", "0002", "0003")


def migrate(connection: Connection) -> None:
    """Bring the database up to date, or make its tables.

    Raises:
        StoreError: A newer treetap made it (slug ``store-newer``).
    """
    found = _revision(connection)
    if found == REVISIONS[-1]:
        return
    if found and found not in REVISIONS:
        raise StoreError(
            f"The database {connection.engine.url.render_as_string()} was made by a newer treetap "
            f"(its revision is {found}; this one knows {REVISIONS[-1]}).",
            "Install that newer treetap, or use another database: --store URL.",
            slug="store-newer",
        )
    _upgrade(connection)


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def _upgrade(connection: Connection) -> None:
    # Alembic tells each step to the log as news, from its import on; in a fresh home it is none.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
