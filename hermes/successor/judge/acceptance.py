"""The stage that decides: another process asks parent and candidate the same, and compares.

In-process tests can be forged by the code they test; this cannot see their insides and needs
not to. What it cannot find: code that behaves only while it is tested (a person reads the diff).
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from hermes.core.verdict import Evidence, Outcome
from hermes.successor.judge.alike import Intended
from hermes.successor.judge.duel import LEAST, Finding, Told, pair
from hermes.successor.workbench import Workbench

_REPLAYS = 2
_REPLAY_S = 600.0


class Acceptance:
    """The acceptance stage; `intended` are the differences that the patch declares."""

    name: Literal["acceptance"] = "acceptance"
    decides = True

    def __init__(self, intended: Sequence[Intended] = ()) -> None:
        self._intended = tuple(intended)

    async def judge(self, bench: Workbench) -> Evidence:
        """Duel for the budget's seconds; a finding is replayed from fresh state."""
        told = await self._duel(bench, "1", bench.budget.acceptance_s)
        again: list[Told] = []
        if told.finding:
            rounds = told.finding.rounds
            again = [await self._duel(bench, "1", _REPLAY_S, rounds) for _ in range(_REPLAYS)]
        record = await bench.keep(msgspec.json.encode({"told": told, "again": again}))
        return Evidence(
            stage=self.name,
            outcome=_outcome(told, again),
            says=_says(told, again),
            ids=tuple(one.tool for one in (told.finding,) if one and one.tool),
            record=record,
        )

    async def _duel(
        self, bench: Workbench, seed: str, seconds: float, rounds: int | None = None
    ) -> Told:
        async with pair(bench, seed, self._intended) as duel:
            return await duel.run(seconds, rounds)


def _outcome(told: Told, again: Sequence[Told]) -> Outcome:
    """What shows once more is a fault; what shows once only, of whose fault nobody knows."""
    if told.finding is None:
        return "pass" if told.rounds >= LEAST and not told.limit else "inconclusive"
    return "fail" if any(one.finding for one in again) else "inconclusive"


def _says(told: Told, again: Sequence[Told]) -> str:
    found: Finding | None = told.finding
    if found is None:
        short = f", ended by {told.limit}" if told.limit else ""
        return f"{told.calls} calls answered as the parent does, {told.kills} kills between{short}"
    seen = sum(one.finding is not None for one in again)
    where = f"{found.tool}: " if found.tool else ""
    return f"{where}{found.kind} (round {found.rounds}; {seen} of {len(again)} replays show it)"
