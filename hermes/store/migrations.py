"""Numbered schema changes, each applied once in a transaction with its record.

Additive only, so that the previous version can still open the store: `min_reader` says
which version that takes, and it rises only when a new one has proved itself.
"""

import sqlite3
from typing import NamedTuple

from hermes.errors import StoreNewer
from hermes.store.statement import Statement


class Migration(NamedTuple):
    """One change of the schema."""

    number: int
    name: str
    statements: tuple[str, ...]


class Plan(NamedTuple):
    """What a database of one kind has to look like.

    `application`: SQLite's application id, so that nobody else's file is taken for ours.
    `initial`: rows of a new store, in the transaction of its creation.
    """

    application: int
    migrations: tuple[Migration, ...]
    initial: tuple[Statement, ...] = ()

    @property
    def version(self) -> int:
        """The newest schema this code knows."""
        return self.migrations[-1].number


_BOOKS = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL,
        applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)""",
    "INSERT INTO meta VALUES ('schema_version', '0'), ('min_reader', '1')",
)


def found(database: sqlite3.Connection, plan: Plan) -> int:
    """The schema version of an existing store, by reading only; raises StoreNewer."""
    rows = dict(
        database.execute(
            "SELECT key, value FROM meta WHERE key IN ('schema_version', 'min_reader')"
        ).fetchall()
    )
    if int(rows["min_reader"]) > plan.version:
        raise StoreNewer(
            f"the store needs schema {rows['min_reader']}, this Hermes knows {plan.version}",
            "use the newer Hermes that wrote it, or point HERMES_V2_HOME somewhere else",
        )
    return int(rows["schema_version"])


def create(database: sqlite3.Connection, plan: Plan) -> None:
    """Fill an empty database."""
    database.execute("BEGIN")
    for sql in _BOOKS:
        database.execute(sql)
    database.execute("COMMIT")
    migrate(database, plan, 0)
    database.execute("BEGIN")
    for statement in plan.initial:
        database.execute(statement.sql, statement.parameters)
    database.execute("COMMIT")


def migrate(database: sqlite3.Connection, plan: Plan, version: int) -> None:
    """Apply what is newer than `version`; writes nothing when there is nothing."""
    for migration in plan.migrations:
        if migration.number <= version:
            continue
        database.execute("BEGIN IMMEDIATE")
        try:
            for sql in migration.statements:
                database.execute(sql)
            database.execute(
                "INSERT INTO migrations (number, name) VALUES (?, ?)",
                (migration.number, migration.name),
            )
            database.execute(
                "UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(migration.number),)
            )
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.rollback()
            raise
