"""Group commit: many units of work in one transaction, one fsync for all of them."""

import sqlite3
from collections.abc import Sequence
from typing import Protocol

from hermes.store.statement import Batch, Statement, Unmet, batches

Unit = Sequence[Statement]


class Companion(Protocol):
    """What has a word in every transaction; in the writer's thread only."""

    def opened(self, database: sqlite3.Connection) -> None:
        """Once, before the first transaction."""

    def closing(self, database: sqlite3.Connection) -> None:
        """Inside each transaction, at its end; what it raises rolls the transaction back.

        A transaction may fail after this: what is remembered here has to be compared with
        the disk.
        """


def commit(
    database: sqlite3.Connection, units: Sequence[Unit], companion: Companion | None = None
) -> list[Exception | None]:
    """Commit the units; for each, None once it is on disk, else why it is not.

    When the group fails it is rolled back and each unit goes alone, so that a bad one
    fails alone.
    """
    failure = _attempt(database, units, companion)
    if failure is None or len(units) == 1:
        return [failure] * len(units)
    return [_attempt(database, (unit,), companion) for unit in units]


def _attempt(
    database: sqlite3.Connection, units: Sequence[Unit], companion: Companion | None
) -> Exception | None:
    try:
        _run(database, units, companion)
    except Exception as error:  # noqa: BLE001 - handed to the producer, who raises it
        return error
    return None


def _run(database: sqlite3.Connection, units: Sequence[Unit], companion: Companion | None) -> None:
    try:
        database.execute("BEGIN IMMEDIATE")
        for batch in batches(units):
            if len(batch.rows) == 1:
                changed = database.execute(batch.sql, batch.rows[0]).rowcount
            else:
                changed = database.executemany(batch.sql, batch.rows).rowcount
            _check(batch, changed)
        if companion is not None:
            companion.closing(database)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.rollback()
        raise


def _check(batch: Batch, changed: int) -> None:
    if batch.expect is not None and changed != batch.expect:
        raise Unmet(f"{changed} rows instead of {batch.expect}: {batch.sql}")
