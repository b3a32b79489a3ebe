"""SQLite's errors in our words: what is the case, and what to do about it."""

import errno
import sqlite3
from pathlib import Path

from hermes.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
)

_CORRUPT = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ")
_GARBLED = "Could not decode to UTF-8"  # the sqlite3 module's own words
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE")
_READ_ONLY = ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN", "SQLITE_AUTH")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def store_error(error: Exception, path: Path) -> StoreError:
    """Name what went wrong; a StoreError stays what it is."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, path)
    if isinstance(error, OSError):
        if error.errno in _NO_SPACE:
            return full(path, str(error.strerror))
        return read_only(path, str(error.strerror))
    named = StoreError(f"this cannot be stored: {error}")  # a value that SQLite does not take
    named.__cause__ = error
    return named


def garbled(error: sqlite3.Error) -> bool:
    """Whether a text of the row that was being read is no Unicode."""
    return str(error).startswith(_GARBLED)


def corrupt(path: Path, why: str) -> StoreCorrupt:
    """The file is damaged, or none of ours."""
    return StoreCorrupt(
        f"the store {path} is damaged: {why}",
        f"nothing was written to it; put a backup in its place, or move {path.name} and its "
        "-wal and -shm files away to start afresh",
    )


def read_only(path: Path, why: str) -> StoreReadOnly:
    """The file or its directory cannot be written."""
    return StoreReadOnly(
        f"the store {path} cannot be written: {why}",
        "give yourself write permission on the file and its directory, or set HERMES_V2_HOME",
    )


def full(path: Path, why: str) -> StoreFull:
    """No room; what was asked was rolled back."""
    return StoreFull(
        f"the disk took no more for {path}: {why}",
        "free some space (or raise the quota) and try again; what was stored before is safe",
    )


def _of_sqlite(error: sqlite3.Error, path: Path) -> StoreError:
    name: str = getattr(error, "sqlite_errorname", "")
    why = f"{error} ({name})" if name else str(error)
    if name.startswith(_CORRUPT) or garbled(error):
        return corrupt(path, why)
    if name.startswith(_FULL):
        return full(path, why)
    if name.startswith(_READ_ONLY):
        return read_only(path, why)
    if name.startswith(_BUSY):
        return StoreBusy(
            f"something outside Hermes holds {path} locked: {why}",
            "close the other program that has the database open, then try again",
        )
    return StoreError(f"the store {path} refused: {why}")
