"""What is tried, on which terms, with what; and what comes of it: values only."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hermes.core.candidate import Goal
from hermes.core.candidate import Source as By
from hermes.core.clock import Clock
from hermes.core.verdict import Verdict, Ward
from hermes.sandbox.standing import Standing
from hermes.successor.books import Book, Stops, Trial
from hermes.successor.budget import Effort
from hermes.successor.source import Source
from hermes.successor.workbench import OpenModel, Stage, never_waits


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """On which terms something is tried.

    `by`: who proposes it. `goal`: `better` must beat the parent in a benchmark, `same` must not
    be slower. `effort`: which budget. `commit`: the parent, empty: the checkout's own. `seed`:
    hex, makes the inputs of an earlier trial again; empty: a new one.
    """

    by: By = "person"
    goal: Goal = "same"
    effort: Effort = "fast"
    commit: str = ""
    seed: str = ""


class Order(Terms, frozen=True, kw_only=True):
    """What is tried: a patch (a diff, or Markdown with diffs in it), the session's export."""

    patch: bytes
    task: str
    state: bytes = b"{}"


@dataclass(frozen=True)
class Judged:
    """How a trial ended; `again`: the trial is an earlier one of a candidate of this shape.

    Of that one `verdict` is None: the book has it.
    """

    trial: Trial
    verdict: Verdict | None

    @property
    def again(self) -> bool:
        """Whether nothing was tried, since the same was tried before."""
        return self.verdict is None


@dataclass(frozen=True)
class Workshop:
    """What trials are made with.

    `quiet` waits until nobody needs this machine more; `model` opens what a task may
    ask.
    """

    data_dir: Path
    source: Source
    standing: Standing
    ward: Ward
    stages: Sequence[Stage]
    book: Book
    stops: Stops
    clock: Clock
    quiet: Callable[[], Awaitable[None]] = never_waits
    model: OpenModel | None = None
