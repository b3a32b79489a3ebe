"""Opening the database file: plain sqlite3, run in a connection's own thread.

Nothing here opens the file but SQLite itself: closing any other descriptor on it would
drop SQLite's POSIX locks. An open writes nothing unless the store is new or migrates.
"""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from hermes.store.failures import corrupt, read_only, store_error
from hermes.store.group import Companion
from hermes.store.migrations import Plan, create, found, migrate

BUSY_S = 5.0
_TAILS = ("", "-wal", "-shm", "-journal")


def open_writer(
    path: Path, plan: Plan, max_pages: int = 0, companion: Companion | None = None
) -> sqlite3.Connection:
    """Open the one connection that writes, making the store where there is none.

    Raises:
        StoreCorrupt, StoreReadOnly, StoreNewer, StoreFull, StoreBusy: as their texts say.
    """
    try:
        if not _exists(path):
            _create(path, plan)
        database = _connect(path, "rw")
        try:
            _settle(database, path, plan, max_pages)
            if companion is not None:
                companion.opened(database)
        except BaseException:
            database.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, path) from error
    return database


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write."""
    try:
        database = _connect(path, "ro")
        database.execute("PRAGMA query_only = 1")
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    return database


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # `timeout` is SQLite's busy time-out, set before any statement can run.
    return sqlite3.connect(
        f"file:{quote(os.fspath(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _exists(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    if not path.exists():
        if log.exists() and log.stat().st_size:
            # SQLite would replay the orphaned log into a new file.
            raise corrupt(path, f"the file is gone and its log {log.name} is still there")
        return False
    if not path.is_file():
        raise corrupt(path, "it is not a file")
    if path.stat().st_size == 0:
        raise corrupt(path, "the file is empty")  # we rename a whole one into place, always
    for place in (path, path.parent):
        if not os.access(place, os.W_OK):
            raise read_only(path, f"no permission to write {place}")
    return True


def _create(path: Path, plan: Plan) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    for tail in _TAILS:
        draft.with_name(draft.name + tail).unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    database = _connect(draft, "rw")
    try:
        database.execute("PRAGMA journal_mode = OFF")  # a draft that fails is thrown away
        database.execute("PRAGMA synchronous = OFF")
        database.execute(f"PRAGMA application_id = {plan.application:d}")
        create(database, plan)
        database.execute("PRAGMA journal_mode = WAL")
    finally:
        database.close()
    _sync(draft)
    draft.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _settle(database: sqlite3.Connection, path: Path, plan: Plan, max_pages: int) -> None:
    if _pragma(database, "application_id") != plan.application:
        raise corrupt(path, "it is a database of another kind")
    try:
        version = found(database, plan)
    except (sqlite3.OperationalError, KeyError, ValueError) as error:
        if getattr(error, "sqlite_errorname", "SQLITE_ERROR") != "SQLITE_ERROR":
            raise
        raise corrupt(path, f"its books are missing: {error}") from error
    if _pragma(database, "journal_mode") != "wal":
        database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    database.execute("PRAGMA cache_size = -16000")
    if max_pages:
        database.execute(f"PRAGMA max_page_count = {max_pages:d}")
    migrate(database, plan, version)


def _pragma(database: sqlite3.Connection, name: str) -> object:
    return database.execute(f"PRAGMA {name}").fetchone()[0]
