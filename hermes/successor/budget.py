"""What a trial may use, by tier of effort, and what it has used so far.

The figures come from `ci/budgets.json` in the parent's own tree: a candidate cannot give itself
more.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import anyio
import msgspec

from hermes.core.candidate import Effort
from hermes.core.verdict import Spent
from hermes.errors import BudgetSpent, SettingsInvalid
from hermes.sandbox.box import Ended
from hermes.sandbox.limits import Limits

__all__ = ["DEFAULTS", "PLACE", "Budget", "Effort", "Spend", "read_budget"]

PLACE = "ci/budgets.json"
_MIB = 1 << 20
_MOST = 1 << 20
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Some = Annotated[int, msgspec.Meta(ge=1)]
_Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Budget(msgspec.Struct, frozen=True):
    """The budget of one trial: of all boxes together, then of one box.

    `wall_s`, `cpu_s` and `tokens` are for the whole trial; `acceptance_s`, `benchmarks_s` and
    `tests_s` each for one stage; `pairs` for one benchmark. `box_*` bound one box. The wall time
    is several times what a trial needs: on a busy machine the stages' seconds are stretched.
    """

    wall_s: _Seconds = 1_500.0
    cpu_s: _Seconds = 900.0
    tokens: _Count = 20_000
    pairs: _Some = 40
    acceptance_s: _Seconds = 10.0
    benchmarks_s: _Seconds = 120.0
    tests_s: _Seconds = 120.0
    box_wall_s: _Seconds = 120.0
    box_cpu_s: _Some = 60
    box_memory_mib: _Some = 1024
    box_tree_memory_mib: _Some = 1536
    box_processes: _Some = 64
    box_disk_mib: _Some = 128
    box_inodes: _Some = 20_000

    def limits(self) -> Limits:
        """The limits of one box."""
        return Limits(
            memory=self.box_memory_mib * _MIB,
            tree_memory=self.box_tree_memory_mib * _MIB,
            processes=self.box_processes,
            disk=self.box_disk_mib * _MIB,
            inodes=self.box_inodes,
            cpu_s=self.box_cpu_s,
            wall_s=self.box_wall_s,
        )


DEFAULTS: Mapping[Effort, Budget] = {
    "micro": Budget(
        wall_s=300.0,
        cpu_s=90.0,
        tokens=2_000,
        pairs=10,
        acceptance_s=2.0,
        benchmarks_s=30.0,
        tests_s=30.0,
    ),
    "fast": Budget(),
    "full": Budget(
        wall_s=7_200.0,
        cpu_s=5_400.0,
        tokens=200_000,
        pairs=80,
        acceptance_s=60.0,
        benchmarks_s=900.0,
        tests_s=900.0,
        box_wall_s=900.0,
        box_cpu_s=900,
    ),
}


class _File(msgspec.Struct, frozen=True):
    """What this module reads of the file; other keys are other readers'."""

    tiers: dict[Effort, Budget] = {}


def read_budget(tree: Path, effort: Effort) -> Budget:
    """The budget that a tree gives a tier; its own defaults where the tree is older. Blocking."""
    place = tree / PLACE
    try:
        with place.open("rb") as file:
            found = msgspec.json.decode(file.read(_MOST), type=_File)
    except FileNotFoundError:
        return DEFAULTS[effort]
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsInvalid(f"{PLACE} of the parent: {error}", "mend it and commit") from error
    return found.tiers.get(effort, DEFAULTS[effort])


class Spend:
    """What a trial has used; boxes of one trial may end in any order."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._began = anyio.current_time()
        self._cpu_ms = self._peak_kib = self._processes = 0
        self.tokens = 0
        self.limits: list[str] = []

    @property
    def left_s(self) -> float:
        """Seconds of wall time that are left."""
        return self._budget.wall_s - (anyio.current_time() - self._began)

    def check(self) -> None:
        """Raise BudgetSpent where nothing is left."""
        if self.left_s <= 0:
            self._over("wall", f"{self._budget.wall_s:.0f} s of wall time")
        if self._cpu_ms >= self._budget.cpu_s * 1000:
            self._over("cpu", f"{self._budget.cpu_s:.0f} s of processor time")

    @property
    def left_tokens(self) -> int:
        """Tokens that are left."""
        return max(0, self._budget.tokens - self.tokens)

    def fits_tokens(self, count: int) -> None:
        """Raise BudgetSpent where so many tokens are not left."""
        if count > self.left_tokens:
            self._over("tokens", f"{self._budget.tokens} tokens")

    def take_tokens(self, count: int) -> None:
        """Count tokens that were used; what a model used beyond the budget is counted too."""
        self.tokens += count

    def add(self, ended: Ended) -> None:
        """Count a box that has ended."""
        self._cpu_ms += ended.cpu_ms
        self._peak_kib = max(self._peak_kib, ended.peak >> 10)
        self._processes = max(self._processes, ended.processes)
        if ended.why not in {"exit", "signal"}:
            self.note(ended.why)

    def note(self, limit: str) -> None:
        """Remember a limit that was run into, once."""
        if limit not in self.limits:
            self.limits.append(limit)

    def spent(self) -> Spent:
        """Everything so far."""
        return Spent(
            wall_ms=round((anyio.current_time() - self._began) * 1000),
            cpu_ms=self._cpu_ms,
            peak_kib=self._peak_kib,
            processes=self._processes,
            tokens=self.tokens,
        )

    def _over(self, limit: str, what: str) -> None:
        self.note(limit)
        raise BudgetSpent(f"the trial's budget of {what} is spent", f"raise it in {PLACE}")
