"""The stage `benchmarks`: is the candidate slower, and where that was promised, is it faster?

Fresh runs in interleaved pairs (`paired`), each in a box of its own and measured from outside.
What leads to a rejection, or to an approval for speed, was seen twice, on other inputs. Does not
see what only a long life shows: that is acceptance's.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import anyio.to_thread
import msgspec

from hermes.core.verdict import Evidence, Outcome, Ratio
from hermes.successor.judge.paired import Compared, Goal, Run, Side, Word, compare
from hermes.successor.judge.workloads import answer_of, listed, metered, named, runs_on
from hermes.successor.workbench import NOBODYS, Workbench

_MOST_S = 90.0
_LEAST_S = 2.0
_DECIDING = ("slower", "faster")
_SLOW = 8


class _Broken(Exception):
    """One side's answer settles it before any figure does; `theirs`: to the candidate's cost."""

    def __init__(self, says: str, *, theirs: bool) -> None:
        super().__init__(says)
        self.theirs = theirs


@dataclass
class Measured:
    """One benchmark: what its pairs show; `again`: the same on fresh seeds, where that is due."""

    name: str
    goal: Goal
    first: Compared | None = None
    again: Compared | None = None
    broken: str = ""
    theirs: bool = False
    took_s: float = 0.0
    runs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def word(self) -> Word:
        """The word that counts: one that decides was said twice."""
        if self.broken or self.first is None:
            return "inconclusive"
        first = self.first.word
        if first not in _DECIDING or (self.again is not None and self.again.word == first):
            return first
        return "ok" if first == "faster" and self.goal == "same" else "inconclusive"

    @property
    def shown(self) -> Compared | None:
        """The figures that are told: the later ones are not chosen for being extreme."""
        return self.again or self.first

    @property
    def ratio(self) -> Ratio | None:
        """As it stands in a verdict; None where nothing was measured."""
        if self.shown is None or not self.shown.pairs or self.broken:
            return None
        ratio = self.shown.ratio(self.name)
        return msgspec.structs.replace(ratio, word=self.word)


class Speed:
    """The stage."""

    name: Literal["benchmarks"] = "benchmarks"
    decides = True

    async def judge(self, bench: Workbench) -> Evidence:
        """Measure what runs on the change; the task's own benchmarks first."""
        names = await anyio.to_thread.run_sync(listed, bench.parent, bench.effort, bench.task)
        wanted = named(bench.task, names)
        run_on = [name for name in names if await runs_on(bench, name) is not False]
        done: list[Measured] = []
        for at, name in enumerate(run_on):
            promised = bench.goal == "better" and (name in wanted or not wanted)
            one = Measured(name, "better" if promised else "same")
            left = bench.budget.benchmarks_s - sum(each.took_s for each in done)
            share = left / (len(run_on) - at)
            await _measure(bench, one, share)
            done.append(one)
            if one.broken or one.word == "slower":
                break
        record = await bench.keep(msgspec.json.encode({"load": os.getloadavg(), "done": done}))
        outcome, says = _judged(bench, done, len(names))
        heavy = [one for one in done if one.shown and one.shown.heavier]
        bench.marks += [f"{one.name} takes {_heavier(one)} KiB more memory" for one in heavy]
        return Evidence(
            stage=self.name,
            outcome=outcome,
            says=says,
            ids=tuple(one.name for one in done),
            ratios=tuple(ratio for one in done if (ratio := one.ratio)),
            record=record,
        )


async def _measure(bench: Workbench, one: Measured, share_s: float) -> None:
    """Measure once, and again on fresh seeds where the first word would decide."""
    pairs = bench.budget.pairs
    for purpose in ("first", "again"):
        left = share_s - one.took_s
        chance = bench.chance(f"benchmark {one.name} {purpose}")
        answers: dict[int, dict[Side, str]] = {}

        async def run(side: Side, seed: int, answers: dict[int, dict[Side, str]] = answers) -> Run:
            return await _run(bench, one, (side, seed), answers)

        most_s = max(_LEAST_S, min(_MOST_S, left if one.first else left * 0.6))
        try:
            found = await compare(run, one.goal, chance, most_s=most_s, most_pairs=pairs)
        except _Broken as broken:
            one.broken, one.theirs = str(broken), broken.theirs
            return
        if one.first is not None:
            one.again = found
            return
        one.first = found
        if found.word not in _DECIDING or (found.word == "faster" and one.goal == "same"):
            return


async def _run(
    bench: Workbench, one: Measured, which: tuple[Side, int], answers: dict[int, dict[Side, str]]
) -> Run:
    """One side once; what it prints must be what the other side prints."""
    side, seed = which
    await bench.give_way()
    ended = await metered(bench, side, one.name, seed)
    said = answer_of(ended)
    if not said or ended.used is None:
        says = f"{one.name} does not run on the {side}: {_why(ended.why, ended.status)}"
        if ended.why == "wall clock" and (
            _slow(one, ended.wall_ms) or await _starved(bench, one.name, seed)
        ):
            raise _Broken(f"{says}; the machine is busy", theirs=False)
        theirs = side == "candidate" and ended.why != "machine memory"
        raise _Broken(says, theirs=theirs)
    both = answers.setdefault(seed, {})
    both[side] = said
    if len(set(both.values())) > 1:
        raise _Broken(f"{one.name} comes to another result than the parent's", theirs=True)
    # What was left running when it ended is in the watchdog's account only.
    cpu_s = max(ended.used.cpu_us / 1_000_000, ended.cpu_ms / 1_000)
    one.runs.append({"side": side, "seed": seed, "cpu": cpu_s, "wall": ended.wall_ms})
    found = Run(cpu_s, ended.wall_ms / 1_000, ended.used.peak)
    one.took_s += found.took_s
    return found


async def _starved(bench: Workbench, name: str, seed: int) -> bool:
    """Whether the parent, asked now, does not come to its end either; raises BudgetSpent."""
    bench.spend.check()
    return (await metered(bench, "parent", name, seed)).why in NOBODYS


def _slow(one: Measured, wall_ms: int) -> bool:
    """Whether the parent's runs, too, took a good part of what this one did not end in."""
    walls = [each["wall"] for each in one.runs if each["side"] == "parent"]
    return not walls or max(walls) * _SLOW > wall_ms


def _why(why: str, status: int) -> str:
    return f"exit code {status}" if why == "exit" else why


def _judged(bench: Workbench, done: Sequence[Measured], count: int) -> tuple[Outcome, str]:
    """The outcome and the line that says it."""
    told = ", ".join(f"{one.name} {_told(one)}" for one in done)
    for one in done:
        if one.broken:
            return ("fail" if one.theirs else "inconclusive"), one.broken
        if one.word == "slower":
            return "fail", told
    if not done:
        none = f"none of {count} benchmarks runs on what it changes"
        return ("fail" if bench.goal == "better" else "pass"), none
    unsure = any(one.word == "inconclusive" for one in done)
    if bench.goal == "better":
        kept = any(one.goal == "better" and one.word == "faster" for one in done)
        sure = all(one.goal == "better" or one.word != "inconclusive" for one in done)
        if kept and sure:
            return "pass", told
        return ("inconclusive" if unsure else "fail"), told
    return ("inconclusive" if unsure else "pass"), told


def _told(one: Measured) -> str:
    ratio = one.ratio
    if ratio is None:
        return one.word
    between = f"{ratio.low / 1000:.2f} to {ratio.high / 1000:.2f}"
    return f"{one.word} ({ratio.middle / 1000:.2f}, {between}, {ratio.pairs} pairs)"


def _heavier(one: Measured) -> int:
    return one.shown.heavier if one.shown else 0
