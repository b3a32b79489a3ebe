"""Is the candidate slower? Fresh runs in interleaved pairs, looked at a few times, in three values.

Batches one after the other and minima "find" changes in identical code (notes: 37 and 78 % of
trials); pairs at looks 10, 20, 40, 80 with Pocock's bound do not. CPU time decides; wall time is
a coarser guard, because waiting costs no CPU. Does not see what only a cache or a lock would show
on other machines.
"""

import math
import random
import statistics
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, NamedTuple

from hermes.core.verdict import Ratio
from hermes.successor.judge.ranks import Interval, interval

LOOKS = (10, 20, 40, 80)
ALPHA = 0.0182
"""At each of four looks, 5 % together (Pocock 1977)."""
_DEAD = math.log(1.01)
_LIMIT = math.log(1.05)
_WALL = math.log(1.10)
_WALL_ALPHA = 0.05
_MEMORY_KIB, _MEMORY_SHARE = 1_024, 0.03
_STRETCH = 4

Goal = Literal["better", "same"]
Side = Literal["parent", "candidate"]
Word = Literal["slower", "ok", "faster", "not faster", "inconclusive"]


class Run(NamedTuple):
    """What one fresh run cost: seconds of CPU and wall, peak memory in KiB."""

    cpu_s: float
    wall_s: float
    peak_kib: int

    @property
    def took_s(self) -> float:
        """What it counts against a budget: on a busy machine not all of the wall time."""
        return max(self.cpu_s, self.wall_s / _STRETCH)


Runner = Callable[[Side, int], Awaitable[Run]]
"""Runs one side once in a process of its own; the number seeds its hashes, equal within a pair."""


class Compared(NamedTuple):
    """What the pairs show; `heavier`: KiB by which the candidate's peak is more than it may be."""

    word: Word
    cpu: Interval
    wall: Interval
    pairs: int
    heavier: int

    def ratio(self, name: str) -> Ratio:
        """As it stands in a verdict: in thousandths."""
        low, high = (_thousandths(one) for one in self.cpu[1:])
        return Ratio(name, self.word, _thousandths(self.cpu.middle), low, high, self.pairs)


async def compare(
    run: Runner,
    goal: Goal,
    chance: random.Random,
    *,
    most_s: float = 90.0,
    most_pairs: int = LOOKS[-1],
) -> Compared:
    """Measure until something is shown, no later than so many seconds (`took_s`) or pairs."""
    for side in _sides("AB"):
        await run(side, 0)  # fills the page cache; not counted
    seen: list[tuple[Run, Run]] = []
    took = 0.0
    for look in (one for one in LOOKS if one <= most_pairs):
        while len(seen) < look and took < most_s:
            seen += await _quad(run, chance)
            took += sum(one.took_s for pair in seen[-2:] for one in pair)
        if len(seen) < look:
            break
        if found := decide(seen, goal):
            return found
    return _compared("inconclusive", seen)


def decide(seen: Sequence[tuple[Run, Run]], goal: Goal) -> Compared | None:
    """What so many pairs show; None: not enough yet."""
    found = _compared("inconclusive", seen)
    word = _word(found.cpu, goal)
    if found.wall.low > _WALL:
        word = "slower"
    return found._replace(word=word) if word else None


def _word(cpu: Interval, goal: Goal) -> Word | None:
    if cpu.low > _DEAD:
        return "slower"
    if cpu.high < -_DEAD:
        return "faster"
    if goal == "same":
        return "ok" if cpu.high < _LIMIT else None
    return "not faster" if cpu.low > -_LIMIT else None


async def _quad(run: Runner, chance: random.Random) -> list[tuple[Run, Run]]:
    """Two pairs in the order ABBA or BAAB, so that a drift hits both sides alike."""
    order = chance.choice(("ABBA", "BAAB"))
    seeds = [chance.getrandbits(32) | 1 for _ in range(2)]
    runs = [await run(side, seeds[at // 2]) for at, side in enumerate(_sides(order))]
    pairs = []
    for at in (0, 2):
        first, second = runs[at : at + 2]
        pairs.append((first, second) if order[at] == "A" else (second, first))
    return pairs


def _sides(order: str) -> list[Side]:
    return ["parent" if one == "A" else "candidate" for one in order]


def _compared(word: Word, seen: Sequence[tuple[Run, Run]]) -> Compared:
    cpu = interval([_log(b.cpu_s, a.cpu_s) for a, b in seen], ALPHA)
    wall = interval([_log(b.wall_s, a.wall_s) for a, b in seen], _WALL_ALPHA)
    return Compared(word, cpu, wall, len(seen), _heavier(seen))


def _heavier(seen: Sequence[tuple[Run, Run]]) -> int:
    if not seen:
        return 0
    parent = statistics.median(a.peak_kib for a, _ in seen)
    candidate = statistics.median(b.peak_kib for _, b in seen)
    over = candidate - parent
    return round(over) if over > max(_MEMORY_KIB, _MEMORY_SHARE * parent) else 0


def _log(candidate: float, parent: float) -> float:
    return math.log(max(candidate, 1e-6) / max(parent, 1e-6))


def _thousandths(log_ratio: float) -> int:
    if math.isinf(log_ratio):
        return 0 if log_ratio < 0 else 1_000_000
    return round(1_000 * math.exp(log_ratio))
