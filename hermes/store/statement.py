"""What goes to the database: statements with their values, and the order they may run in."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hermes.errors import StoreError

SqlValue = str | int | float | bytes | None
Row = tuple[Any, ...]  # what a column holds is the schema's business, not the type checker's


class Statement(NamedTuple):
    """One statement of a unit of work.

    `append`: a plain insert that reads nothing and that nothing in its group depends on, so
    that it may run before everything else in the group. `expect`: rows it has to change,
    else the whole unit is rolled back and raises Unmet. `size`: bytes, where it is large.
    """

    sql: str
    parameters: tuple[SqlValue, ...] = ()
    append: bool = False
    expect: int | None = None
    size: int = 0


class Unmet(StoreError):
    """A statement did not change the rows that its unit expected; nothing was written."""


class Batch:
    """Statements with one text, in order, for one `executemany`."""

    def __init__(self, first: Statement) -> None:
        self.sql = first.sql
        self.rows = [first.parameters]
        self.expect = first.expect

    def add(self, statement: Statement) -> None:
        """Put one more behind the others."""
        self.rows.append(statement.parameters)
        if statement.expect is not None:
            self.expect = (self.expect or 0) + statement.expect


def batches(units: Iterable[Sequence[Statement]]) -> list[Batch]:
    """Merge the units: first all appends by text, then everything else in its own order.

    Only appends change places. Other statements may read or overwrite what came before
    (two heads of one conversation), so of those only neighbours with one text are merged.
    """
    appends: dict[str, Batch] = {}
    ordered: list[Batch] = []
    for unit in units:
        for statement in unit:
            if statement.append:
                if (batch := appends.get(statement.sql)) is not None:
                    batch.add(statement)
                else:
                    appends[statement.sql] = Batch(statement)
            elif ordered and _joins(ordered[-1], statement):
                ordered[-1].add(statement)
            else:
                ordered.append(Batch(statement))
    return [*appends.values(), *ordered]


def _joins(batch: Batch, statement: Statement) -> bool:
    counted = statement.expect is not None
    return batch.sql == statement.sql and counted == (batch.expect is not None)
