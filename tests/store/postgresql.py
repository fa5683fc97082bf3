"""A PostgreSQL server of the tests' own: in a folder, on a Unix socket there, without durability."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where Debian and macOS's Homebrew keep what they don't put on the path.
_PLACES = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql*/bin")
#: It refuses to be root.
_USERS = ("postgres", "nobody")
_START_S = 60.0


def program(name: str) -> str | None:
    """Where one of PostgreSQL's programs is."""
    found = [str(path) for place in _PLACES for path in Path("/").glob(f"{place[1:]}/{name}")]
    return shutil.which(name) or max(found, default=None)


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a new server's database, while it runs."""
    user = _user()
    # A socket's address is short, and pytest's folders are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="treetap-pg-"))
    if user:
        shutil.chown(folder, user)
    initdb, postgres = program("initdb"), program("postgres")
    assert initdb is not None
    assert postgres is not None
    data = folder / "data"
    log = (folder / "log").open("wb")
    settings = {"user": user, "cwd": folder, "stdout": log, "stderr": log, "env": {"LC_ALL": "C"}}
    server = None
    try:
        command = [initdb, "-D", data, "-U", "treetap", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(command, check=True, **settings)
        server = subprocess.Popen([postgres, "-D", data, "-k", folder, "-h", "", "-F"], **settings)
        url = f"postgresql+psycopg://treetap@/postgres?host={folder}"
        wait_until(lambda: _answers(url), _START_S)
        yield url
    finally:
        if server is not None:
            with suppress(ProcessLookupError):
                server.send_signal(signal.SIGINT)  # it doesn't wait for who is connected
            server.wait(_START_S)
        log.close()
        shutil.rmtree(folder)


def _user() -> str | None:
    """Whom it runs as; ``None`` for who we are."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _USERS if name in known)


def _answers(url: str) -> bool:
    engine = create_engine(url)
    try:
        engine.connect().close()
    except OperationalError:
        return False
    finally:
        engine.dispose()
    return True
