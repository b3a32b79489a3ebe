"""Opens what trials are made with: the checkout, the sandbox as it stands, the stages in order."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hermes.core.clock import Clock
from hermes.sandbox.standing import examine
from hermes.successor.books import Book, Stops
from hermes.successor.judge.lint import Lint
from hermes.successor.judge.starts import Starts
from hermes.successor.judge.task import Task
from hermes.successor.source import find_source
from hermes.successor.trial import Workshop, never_waits
from hermes.successor.ward import ward_of
from hermes.successor.workbench import OpenModel, Stage


def stages() -> tuple[Stage, ...]:
    """Every stage, the cheapest first."""
    return (Lint(), Starts(), Task())


@asynccontextmanager
async def open_workshop(
    data_dir: Path,
    source: str,
    records: tuple[Book, Stops],
    clock: Clock,
    quiet: Callable[[], Awaitable[None]] = never_waits,
    model: OpenModel | None = None,
) -> AsyncGenerator[Workshop]:
    """Look at the machine and the checkout; raises NotAvailable with what to do.

    Args:
        data_dir: where built trees are kept.
        source: `settings.successor.source`.
        records: the book, and who says stop.
        clock: the time.
        quiet: returns when nobody needs this machine more than a trial.
        model: opens what a task without a command may ask.
    """
    found = await find_source(source)
    standing = await examine()
    standing.require("A", "A-")
    book, stops = records
    ward = await ward_of(standing)
    yield Workshop(
        data_dir, found, standing, ward, stages(), book, stops, clock, quiet=quiet, model=model
    )
