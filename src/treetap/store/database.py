"""Opens the database, and knows what differs between SQLite and PostgreSQL."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from treetap.errors import StoreError
from treetap.store.migration import migrate

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine


#: SQLAlchemy's own choice is an older driver.
_POSTGRESQL = "postgresql+psycopg"
#: Its files hardly ever shrink, so that their size would say "too much" for ever: the rows there
#: are, by what the newest thousand take, doubled for their indexes.
_POSTGRESQL_SIZE = text(
    "SELECT 2 * rows * (SELECT avg(pg_column_size(e.*)) "
    "FROM (SELECT * FROM event ORDER BY id DESC LIMIT 1000) AS e) FROM total WHERE kind = 'event'"
)


def open_database(url: str) -> Engine:
    """An engine on a database that has the tables of this version.

    Args:
        url: ``sqlite:////path/treetap.db`` or ``postgresql://…``, for which psycopg is the driver if
            the URL names none.

    Raises:
        StoreError: The URL is none (slug ``store-url``), the database can't be opened
            (``store-unusable``), or a newer treetap made it (``store-newer``).
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise _no_url(url, exc) from exc
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername=_POSTGRESQL)
    shown = parsed.render_as_string()
    try:
        _make_private(parsed)
        engine = create_engine(parsed, pool_size=8, max_overflow=8)
    except (ArgumentError, NoSuchModuleError, ImportError) as exc:
        raise _no_url(shown, exc) from exc
    except OSError as exc:
        raise _unusable(shown, exc) from exc
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    try:
        with engine.begin() as connection:
            migrate(connection)
    except SQLAlchemyError as exc:
        engine.dispose()
        raise _unusable(shown, exc) from exc
    except BaseException:
        engine.dispose()
        raise
    return engine


def size_bytes(connection: Connection) -> int:
    """How much the database takes, without what was freed and can be used again."""
    if connection.dialect.name == "sqlite":
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        free = connection.execute(text("PRAGMA freelist_count")).scalar_one()
        return int((pages - free) * connection.execute(text("PRAGMA page_size")).scalar_one())
    return int(connection.execute(_POSTGRESQL_SIZE).scalar_one() or 0)


def give_back_space(connection: Connection) -> None:
    """Let the file shrink by some of what was deleted; a short step, to be repeated."""
    if connection.dialect.name == "sqlite":
        # It frees a page each time it is stepped, and only a script is stepped to its end by the
        # driver. A script commits what was done before, which here may be.
        driver: Any = connection.connection.driver_connection
        driver.executescript("PRAGMA incremental_vacuum(2000)")


def _make_private(url: URL) -> None:
    """What a program's values are kept in is its user's own affair."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return
    path = Path(url.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with suppress(PermissionError):
        path.chmod(0o600)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # Before there is a table, or it has no effect but to write to the file.
    if cursor.execute("PRAGMA auto_vacuum").fetchone() == (0,):
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.execute("PRAGMA cache_size=-16384")
    # A checkpoint each 16 MB: fewer, larger writes into the file.
    cursor.execute("PRAGMA wal_autocheckpoint=4000")
    cursor.execute("PRAGMA journal_size_limit=67108864")
    cursor.close()


def _no_url(shown: str, cause: Exception) -> StoreError:
    is_lacking = isinstance(cause, ModuleNotFoundError) and shown.startswith(_POSTGRESQL)
    way_out = (
        "Install its driver: pip install 'treetap[postgresql]'."
        if is_lacking
        else "Write sqlite:////path/to/file or postgresql://user@host/name."
    )
    return StoreError(
        f"{shown!r} is no URL of a database that can be used here.",
        f"{str(cause).rstrip('.')}. {way_out}",
        slug="store-url",
    )


def _unusable(url: str, cause: Exception) -> StoreError:
    return StoreError(
        f"The database {url} can't be used.",
        f"{getattr(cause, 'orig', None) or cause}",
        slug="store-unusable",
    )
