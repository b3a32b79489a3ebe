"""What every stage of a trial works with: two built trees, a budget, and boxes to run them in.

A stage sees the candidate only from outside: what it prints in a box is hostile, and nothing of
its tree is ever imported, compiled or executed here.
"""

import hashlib
import random
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

import anyio

from hermes.core.candidate import Goal
from hermes.core.verdict import Evidence
from hermes.errors import BudgetSpent
from hermes.models.model import Model
from hermes.sandbox.box import HOME, Bind, Box, Ended, Limits, Wires
from hermes.sandbox.boxing import Boxed
from hermes.sandbox.changes import Delta
from hermes.sandbox.inmate import OnOutput
from hermes.sandbox.standing import Standing, run, spare
from hermes.store.blobs import digest_of
from hermes.successor.budget import Budget, Effort, Spend

REPO = f"{HOME}/repo"
"""Where a tree lies inside, read-only, with its compiled files."""
STATE = f"{HOME}/state.json"
"""Where the session's export lies inside."""
NICE = 15
"""Beside a turn that computes, a box gets a thirtieth of a core."""
_WAITS_S = 2.0
NOBODYS = frozenset({"wall clock", "machine memory"})
"""Limits of a box that say nothing of the candidate."""
Side = Literal["parent", "candidate"]
OpenModel = Callable[[], Awaitable[Model]]
"""Opens what a task may ask; raises ModelError."""


async def never_waits() -> None:
    """Nobody has to be given way to."""


@dataclass(frozen=True)
class View:
    """What one box has beside the tree: limits (the budget's unless given), binds, environment.

    `state` False: the session's export is not shown.
    """

    limits: Limits | None = None
    read: tuple[Bind, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = HOME
    state: bool = False


@dataclass
class Workbench:
    """One trial's material.

    `parent` and `candidate` are built trees (`build`), `deltas` what differs between them,
    `commit` the parent's. `state` is the session's export, `state_file` the same as a file that
    boxes can read. `model` opens what a task may ask (`broker`). `marks` are the reasons for which
    only a person may adopt it; `lint` adds them. `records` are the stages' full records by their
    SHA-256. `quiet` returns when nobody needs this machine more. What begins early
    sets `held` when it has opened what it needs, and `under_way` when it has its first answer.
    """

    commit: str
    parent: Path
    candidate: Path
    deltas: tuple[Delta, ...]
    state: bytes
    state_file: Path
    task: str
    goal: Goal
    effort: Effort
    budget: Budget
    seed: str
    standing: Standing
    spend: Spend
    model: OpenModel | None = None
    quiet: Callable[[], Awaitable[None]] = never_waits
    marks: list[str] = field(default_factory=list)
    records: dict[str, bytes] = field(default_factory=dict)
    held: anyio.Event = field(default_factory=anyio.Event)
    under_way: anyio.Event = field(default_factory=anyio.Event)

    async def keep(self, data: bytes) -> str:
        """Keep a stage's full record with the verdict; its SHA-256."""
        name = digest_of(data)
        self.records[name] = data
        return name

    async def give_way(self) -> float:
        """Let a turn that runs go first, for a little while; the seconds that were waited."""
        began = anyio.current_time()
        with anyio.move_on_after(_WAITS_S):
            await self.quiet()
        return anyio.current_time() - began

    def chance(self, purpose: str) -> random.Random:
        """Chance for one purpose: the same seed and purpose draw the same, in any order."""
        drawn = hashlib.sha256(f"{self.seed}\0{purpose}".encode()).digest()
        return random.Random(drawn)  # noqa: S311 - inputs of a trial, no secrets

    def python(self, *argv: str) -> list[str]:
        """Words that run the interpreter of this installation inside; `-m hermes.cli.main` …."""
        return [sys.executable, "-B", *argv]

    def box(self, side: Side, view: View | None = None) -> Box:
        """A box with one side's tree at REPO, first on the path of imports."""
        view = view or View()
        tree = self.parent if side == "parent" else self.candidate
        state = (Bind(self.state_file, Path(STATE)),) if view.state else ()
        return Box(
            limits=self._within(view.limits or self.budget.limits()),
            read=(*interpreter(), Bind(tree, Path(REPO)), *state, *view.read),
            env={"PYTHONPATH": REPO, "HERMES_V2_HOME": f"{HOME}/hermes", **view.env},
            cwd=view.cwd,
            nice=NICE,
            idle=self.quiet is not never_waits,  # somebody takes turns here
        )

    async def run(
        self,
        side: Side,
        argv: Sequence[str],
        view: View | None = None,
        wires: Wires | None = None,
        on_output: OnOutput | None = None,
    ) -> Ended:
        """Run a command on one side's tree to its end, and count what it used.

        Raises BudgetSpent where the trial has nothing left, NotAvailable and ToolFailure as the
        sandbox does. A box that ends over a limit is no error: `Ended.why` says so.
        """
        self.spend.check()
        ended = await run(self.standing, self.box(side, view), argv, wires, on_output)
        self.spend.add(ended)
        return ended

    @asynccontextmanager
    async def spare(
        self, side: Side, view: View | None = None, wires: Wires | None = None
    ) -> AsyncGenerator[Boxed, None]:
        """A started box that waits for its one command; count its end with `spend.add`."""
        self.spend.check()
        async with spare(self.standing, self.box(side, view), wires) as boxed:
            yield boxed

    def _within(self, limits: Limits) -> Limits:
        return replace(limits, wall_s=max(0.1, min(limits.wall_s, self.spend.left_s)))


class Stage(Protocol):
    """One step of the judge.

    `decides`: its `fail` rejects and its `inconclusive` leaves the verdict so; else its word is
    told and nothing more.
    """

    @property
    def name(self) -> str:
        """The name in evidence and budgets."""
        ...

    @property
    def decides(self) -> bool:
        """Whether its word counts."""
        ...

    async def judge(self, bench: Workbench) -> Evidence:
        """Look at the candidate; raises only where the machine, not the candidate, is at fault."""
        ...


def not_starved(ended: Ended, what: str) -> Ended:
    """The same; raises BudgetSpent where it got too little of the machine to come to its end."""
    if ended.why in NOBODYS:
        raise BudgetSpent(f"{what} ended by {ended.why}: the machine is busy", "try it again")
    return ended


def interpreter() -> tuple[Bind, ...]:
    """What the interpreter of this installation needs to be seen inside, its libraries too."""
    places = dict.fromkeys((Path(sys.prefix), Path(sys.base_prefix)))
    return tuple(Bind.same(one) for one in places if not one.is_relative_to("/usr"))
