"""The stage that decides: another process asks parent and candidate the same, and compares.

In-process tests can be forged by the code they test; this cannot see their insides and needs
not to. What it cannot find: code that behaves only while it is tested (a person reads the diff).
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from hermes.core.verdict import Evidence, Outcome
from hermes.successor.judge.alike import Intended, read_intended
from hermes.successor.judge.duel import LEAST, Finding, Told, pair
from hermes.successor.judge.lines import Broken
from hermes.successor.workbench import Workbench

_DECLARES = "intended:"
_REPLAYS = 2
_REPLAY_S = 600.0


class Acceptance:
    """The acceptance stage.

    A task declares intended differences in lines `intended: TOOL PATH HOW` (`read_intended`);
    they are shown to whoever decides, and only a person may adopt what needs one. The checks of
    `invariants` are never waived.
    """

    name: Literal["acceptance"] = "acceptance"
    decides = True

    async def judge(self, bench: Workbench) -> Evidence:
        """Duel for the budget's seconds; a finding is replayed from fresh state."""
        intended = declared(bench.task)
        bench.marks += [f"declared: {one.tool} {one.path} {one.how}" for one in intended]
        told = await _duel(bench, intended, bench.budget.acceptance_s)
        if told.limit:  # the machine's doing: once more, from fresh state
            told = await _duel(bench, intended, bench.budget.acceptance_s)
        again: list[Told] = []
        if told.finding:
            rounds = told.finding.rounds
            again = [await _duel(bench, intended, _REPLAY_S, rounds) for _ in range(_REPLAYS)]
        record = await bench.keep(msgspec.json.encode({"told": told, "again": again}))
        return Evidence(
            stage=self.name,
            outcome=_outcome(told, again),
            says=_says(told, again),
            ids=tuple(one.tool for one in (told.finding,) if one and one.tool),
            record=record,
        )


def declared(task: str) -> tuple[Intended, ...]:
    """The differences that a task declares; raises Usage."""
    lines = [line.strip() for line in task.splitlines()]
    words = [line.removeprefix(_DECLARES) for line in lines if line.startswith(_DECLARES)]
    return read_intended("\n".join(words))


async def _duel(
    bench: Workbench, intended: Sequence[Intended], seconds: float, rounds: int | None = None
) -> Told:
    try:
        async with pair(bench, "1", intended) as duel:
            return await duel.run(seconds, rounds)
    except Broken as broken:  # before anything of the candidate ran
        return Told(limit=f"a box that is not ready: {broken.message}")


def _outcome(told: Told, again: Sequence[Told]) -> Outcome:
    """What shows once more is a fault; what shows once only, of whose fault nobody knows."""
    if told.finding is None:
        return "pass" if told.rounds >= LEAST and not told.limit else "inconclusive"
    return "fail" if any(one.finding for one in again) else "inconclusive"


def _says(told: Told, again: Sequence[Told]) -> str:
    found: Finding | None = told.finding
    if found is None:
        calls = f"{told.calls} calls answered as the parent does, {told.kills} kills between"
        if told.limit:
            return f"{calls}; cut short by {told.limit}"
        few = f"; {told.rounds} rounds of at least {LEAST}: the machine is busy"
        return calls + (few if told.rounds < LEAST else "")
    seen = sum(one.finding is not None for one in again)
    where = f"{found.tool}: " if found.tool else ""
    return f"{where}{found.kind} (round {found.rounds}; {seen} of {len(again)} replays show it)"
