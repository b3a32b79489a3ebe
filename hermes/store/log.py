"""The write-ahead log's size: our own checkpoints, in the writer's thread only.

A reader that stays inside one query holds the log back. Past the hard limit the writer
waits for it; a program outside Hermes that never ends its read can still outgrow the limit.
"""

import sqlite3
from pathlib import Path

from hermes.store.opening import BUSY_S

SOFT = 8 << 20
HARD = 32 << 20
_STEP = 4 << 20


class Log:
    """Watches one database's `-wal` file."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + "-wal")
        self._due_at = SOFT

    def due(self) -> bool:
        """Whether the log should be written back now."""
        return self.size() >= self._due_at

    def size(self) -> int:
        """Bytes in the log; looked up by name, never opened."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def write_back(self, database: sqlite3.Connection) -> None:
        """Copy the log into the database and cut it, as far as readers allow."""
        try:
            self._write_back(database)
        except sqlite3.Error:
            # A disk that is full or failing: every commit is safe in the log, try again later.
            self._due_at = self.size() + _STEP
            return
        size = self.size()
        self._due_at = SOFT if size < SOFT else size + _STEP

    def _write_back(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        patience = BUSY_S if self.size() > HARD else 0.0
        database.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
        try:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            database.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")
