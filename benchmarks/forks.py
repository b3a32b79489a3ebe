"""Forks of this checkout's last commit, and trials of them up to the candidate's first test.

A trial is what `hermes successor run` makes; only its book and its stops are not the store's.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.core.candidate import Candidate
from hermes.core.clock import SystemClock
from hermes.core.ids import Cid, uuid7
from hermes.core.verdict import Verdict, Ward
from hermes.sandbox.standing import Standing
from hermes.successor.books import Submission, Trial
from hermes.successor.budget import Budget, Spend
from hermes.successor.build import Builder, Built
from hermes.successor.forest import Forest
from hermes.successor.judge.lint import Lint
from hermes.successor.judge.starts import Starts
from hermes.successor.judge.trusted import Trusted
from hermes.successor.order import Order, Workshop
from hermes.successor.source import Source, find_source
from hermes.successor.trial import run_trial
from hermes.successor.workbench import Side, Workbench

CHANGED = "hermes/core/merkle.py"
PATCH = """--- a/{path}
+++ b/{path}
@@ -{line},1 +{line},2 @@
 {text}
+TRIED = {number}
"""


class Forks:
    """Forks of one commit, each of another change."""

    def __init__(self, place: Path, builder: Builder, parent: Built, standing: Standing) -> None:
        self.place = place
        self._builder = builder
        self.parent = parent
        self.standing = standing
        self._number = time.time_ns()
        lines = (parent.path / CHANGED).read_text().splitlines()
        self._last = (len(lines), lines[-1])

    def patch(self) -> bytes:
        """A change that was never seen."""
        self._number += 1
        line, text = self._last
        return PATCH.format(path=CHANGED, line=line, text=text, number=self._number).encode()

    async def built(self) -> Built:
        """Such a change, applied and compiled."""
        return await self._builder.patched(self.parent, self.patch())

    def bench(self, built: Built) -> Workbench:
        """A trial's material without the trial."""
        budget = Budget()
        return Workbench(
            commit="",
            parent=self.parent.path,
            candidate=built.path,
            deltas=(),
            state=b"{}",
            state_file=built.path / "README.md",
            task="",
            goal="same",
            effort="fast",
            budget=budget,
            seed="1",
            standing=self.standing,
            spend=Spend(budget),
        )


@asynccontextmanager
async def forks(place: Path, standing: Standing) -> AsyncIterator[Forks]:
    """The parent built, once."""
    source = await find_source("")
    ground = standing.require("A", "A-")
    forest = await anyio.to_thread.run_sync(Forest, place, ground.account)
    builder = Builder(source, forest, standing)
    yield Forks(place, builder, await builder.commit(await source.commit("HEAD")), standing)


class Shelf:
    """A trial's book that forgets, and nobody who says stop."""

    async def known(self, candidate: Candidate, judge: str, tier: str) -> None:
        """Nothing was tried before."""

    async def begin(self, submission: Submission) -> Trial:
        """The same trial each time."""
        one = submission
        return Trial(uuid7(), Cid(b""), one.tier, one.seed, one.judge, "intent", 1)

    def reach(self, trial: str, stage: str) -> None:
        """Nobody asks."""

    async def verdict(self, trial: str, verdict: Verdict, records: Mapping[str, bytes]) -> Cid:
        """It is not kept."""
        del trial, verdict, records
        return Cid(b"")

    async def read(self, candidate: Cid, verdict: str) -> Verdict:
        """None is kept."""
        raise LookupError(candidate, verdict)

    async def fail(self, trial: str, why: str) -> None:
        """Nor this."""

    async def check(self, what: str) -> None:
        """Always on."""

    def flagged(self) -> bool:
        """Never."""
        return False


class Trials:
    """Trials of one parent, each of another change, as far as the candidate's first test."""

    def __init__(self, place: Path, some: Forks, ward: Ward, source: Source) -> None:
        self._forks = some
        stages = (Lint(), Starts(), Trusted(self._hear))
        shelf = Shelf()
        self._shop = Workshop(
            place, source, some.standing, ward, stages, shelf, shelf, SystemClock()
        )
        self._scope = anyio.CancelScope()
        self._began = 0.0
        self.colds: list[float] = []

    def _hear(self, side: Side, _: float, ended: float) -> None:
        if side == "candidate":
            self.colds.append((ended - self._began) * 1_000)
            self._scope.cancel()

    async def run(self) -> None:
        """One."""
        order = Order(patch=self._forks.patch(), task="", seed="ab", effort="micro")
        with anyio.CancelScope() as self._scope:
            self._began = anyio.current_time()
            await run_trial(self._shop, order)
            raise RuntimeError("no test of the candidate was heard of")
