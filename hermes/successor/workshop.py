"""Opens what trials are made with: the checkout, the sandbox as it stands, the stages in order."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hermes.core.clock import Clock
from hermes.sandbox.standing import examine
from hermes.successor.books import Book, Stops
from hermes.successor.judge.acceptance import Acceptance
from hermes.successor.judge.lint import Lint
from hermes.successor.judge.speed import Speed
from hermes.successor.judge.starts import Starts
from hermes.successor.judge.task import Task
from hermes.successor.judge.trusted import Trusted
from hermes.successor.order import Workshop
from hermes.successor.source import find_source
from hermes.successor.ward import ward_of
from hermes.successor.workbench import OpenModel, Stage, never_waits


def stages() -> tuple[Stage, ...]:
    """Every stage, the cheapest first."""
    return (Lint(), Starts(), Trusted(), Acceptance(), Speed(), Task())


@dataclass(frozen=True)
class Beside:
    """What an owner adds: `quiet` returns when nobody needs this machine more than a trial.

    `model` opens what a task without a command may ask. Stages remember what they learnt of a
    parent: whoever tries often keeps them.
    """

    quiet: Callable[[], Awaitable[None]] = never_waits
    model: OpenModel | None = None
    stages: tuple[Stage, ...] = field(default_factory=stages)


@asynccontextmanager
async def open_workshop(
    data_dir: Path,
    source: str,
    records: tuple[Book, Stops],
    clock: Clock,
    beside: Beside | None = None,
) -> AsyncGenerator[Workshop]:
    """Look at the machine and the checkout; raises NotAvailable with what to do.

    Args:
        data_dir: where built trees are kept.
        source: `settings.successor.source`.
        records: the book, and who says stop.
        clock: the time.
        beside: what an owner adds.
    """
    found = await find_source(source)
    standing = await examine()
    standing.require("A", "A-")
    more = beside or Beside()
    yield Workshop(
        data_dir,
        found,
        standing,
        await ward_of(standing),
        more.stages,
        *records,
        clock,
        quiet=more.quiet,
        model=more.model,
    )
