"""Adoption, step by step: approved, written down, committed, laid, tested, switched to.

Each step is whole and lasting before the next begins, and each can be done again: what was cut
off goes on with the same command. Until the last step the old version is the one that runs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
import msgspec

from hermes.core.clock import Clock
from hermes.errors import HermesError, Refused
from hermes.store.adoptions import AdoptionRow, ApprovalRow, Outcome
from hermes.store.trials import CandidateRow
from hermes.successor.gate import Terms, check_word, opens
from hermes.successor.pointer import Notes
from hermes.successor.records import Records, Version, Word
from hermes.successor.stops import StopRules
from hermes.successor.versions import Leaf, Versions

_KEPT = 6
"""Versions whose files stay, so that one can go back that far."""

Told = Callable[[str], None]
"""Hears of each step that is done."""


class Found(msgspec.Struct, frozen=True):
    """What runs now: its tag ("": the installed code), its number, its git commit and checkout."""

    tag: str
    number: str
    commit: str
    source: Path


class Ground(Protocol):
    """What adoption needs of the house."""

    async def running(self) -> Found:
        """What runs; raises NotAvailable where no git knows."""
        ...

    async def tree(self, candidate: CandidateRow) -> Path:
        """The candidate's files, built again where they are gone."""
        ...

    async def test(self, tree: Path) -> None:
        """Start a version with a store of its own; raises SuccessorError when it does not work."""
        ...

    async def switch(self, tag: str) -> None:
        """Make a version the one that runs: at once, or by handing a node over to it soon."""
        ...

    async def left(self) -> None:
        """The version that runs here may have been left: let the one before come back."""
        ...


@dataclass(frozen=True)
class Gatehouse:
    """What decides and writes down."""

    records: Records
    stops: StopRules
    versions: Versions
    ground: Ground
    clock: Clock
    quorum: int = 0
    trusted: Callable[[], Awaitable[frozenset[str]]] | None = None


class Adopting:
    """Takes approved candidates to versions, and versions back."""

    def __init__(self, house: Gatehouse, told: Told = lambda _step: None) -> None:
        self._house = house
        self._records = house.records
        self._pointer = house.versions.pointer
        self._told = told
        self._one = anyio.Lock()

    async def say(self, name: str, word: Word) -> tuple[CandidateRow, ApprovalRow]:
        """Write down a person's or a node's word; raises Refused where it could open nothing."""
        candidate = await self._records.candidate(name)
        trial, verdict = await self._records.judged(candidate.cid)
        if word.diff != candidate.diff:
            raise Refused(
                "that is not the difference that this candidate makes",
                f"look at it: hermes successor show {name}",
            )
        if word.answer == "approve":
            await self._house.stops.check("adoption")
            check_word(verdict, by_person=word.door != "node")
        row = await self._records.say(candidate.cid, trial.verdict, word)
        self._told("approved" if word.answer == "approve" else "rejected")
        return candidate, row

    async def adopt(self, name: str, step: str = "minor") -> AdoptionRow:
        """Adopt what is approved, or go on where that was cut off; raises Refused, Halted, …."""
        async with self._one:
            candidate = await self._records.candidate(name)
            await self._house.stops.check("adoption")
            approvals = await self._opened(candidate)
            await self.mend()
            found = await self._house.ground.running()
            self._check_place(candidate, found)
            row = await self._begun(candidate, found) or await self._begin(
                candidate, approvals, found, step
            )
            await self._keep("a next version follows it")
            await self._carry_out(row, candidate)
            return row

    async def roll_back(self, why: str) -> str:
        """Go back to the version before; gives its tag ("": the installed code)."""
        async with self._one:
            await self.mend()
            notes = await anyio.to_thread.run_sync(self._pointer.notes)
            current = await anyio.to_thread.run_sync(self._pointer.current)
            if not current:
                raise Refused("the installed code runs: there is no version to leave")
            if notes.tag != current:
                notes = await self._noted(current)
                await anyio.to_thread.run_sync(self._pointer.note, notes)
            back = await anyio.to_thread.run_sync(self._pointer.leave, why)
            self._told("rolled back")
            await self.mend()
            await self._house.ground.left()
            return back

    async def mend(self) -> Notes:
        """Bring notes, link and books together after whatever cut them off."""
        notes = await anyio.to_thread.run_sync(self._pointer.mend)
        if notes.stage == "left":
            await self._end(notes.tag, "rolled back", notes.why)
            await anyio.to_thread.run_sync(self._pointer.note, Notes())
        elif notes.stage == "kept":
            await self._end(notes.tag, "kept", notes.why)
            before = await self._noted(notes.tag)
            old = [row.tag for row in await self._records.adoptions()][:-_KEPT]
            await self._house.versions.prune([tag for tag in old if tag != notes.previous])
            await anyio.to_thread.run_sync(self._pointer.note, before)
        return await anyio.to_thread.run_sync(self._pointer.notes)

    async def fail(self, tag: str, why: str) -> None:
        """A version that was to take over did not come up."""
        notes = await anyio.to_thread.run_sync(self._pointer.notes)
        if notes.stage == "trying" and notes.tag == tag:
            await anyio.to_thread.run_sync(self._pointer.note, Notes())
        await self._end(tag, "failed", why)

    async def keep(self, why: str = "probation passed") -> None:
        """The version that is on probation has proved itself."""
        async with self._one:
            await self._keep(why)

    async def _keep(self, why: str) -> None:
        notes = await anyio.to_thread.run_sync(self._pointer.notes)
        if notes.stage == "probation":
            kept = replace(notes, stage="kept", why=why)
            await anyio.to_thread.run_sync(self._pointer.note, kept)
            await anyio.to_thread.run_sync(self._pointer.forget_starts)
            self._told("kept")
        await self.mend()

    async def _opened(self, candidate: CandidateRow) -> tuple[ApprovalRow, ...]:
        trial, verdict = await self._records.judged(candidate.cid)
        house = self._house
        trusted = await house.trusted() if house.trusted else frozenset[str]()
        terms = Terms(trial.verdict, candidate.diff, house.quorum, trusted)
        return opens(verdict, await self._records.words(candidate.cid), terms)

    def _check_place(self, candidate: CandidateRow, found: Found) -> None:
        if candidate.parent != found.commit:
            raise Refused(
                f"it was judged on {candidate.parent[:12]}, and {found.commit[:12]} runs",
                "try it again on what runs: hermes successor run",
            )

    async def _begun(self, candidate: CandidateRow, found: Found) -> AdoptionRow | None:
        """An adoption that was cut off before its version ran."""
        for row in reversed(await self._records.adoptions(candidate.cid)):
            if row.outcome is None and row.tag != found.tag:
                return row
        return None

    async def _begin(
        self,
        candidate: CandidateRow,
        approvals: tuple[ApprovalRow, ...],
        found: Found,
        step: str,
    ) -> AdoptionRow:
        versions = self._house.versions
        tree = await self._house.ground.tree(candidate)
        at = self._house.clock.now_ms()
        about = _message(candidate, approvals)
        commit = await versions.commit(found.source, candidate.parent, tree, about, at)
        tags = {row.tag for row in await self._records.adoptions()}
        tag = await versions.next_tag(found.number, step, tags)
        version = Version(tag, commit, found.tag)
        row = await self._records.adopt(candidate, approvals, version)
        self._told("written down")
        return row

    async def _carry_out(self, row: AdoptionRow, candidate: CandidateRow) -> None:
        versions = self._house.versions
        try:
            tree = await self._house.ground.tree(candidate)
            await versions.name(row.tag, row.version, f"{row.tag}\n\nadoption: {row.cid}\n")
            self._told("committed")
            await versions.stage(tree, Leaf(row.tag, row.version, row.tree, row.previous))
            self._told("laid")
            await self._house.ground.test(self._pointer.place(row.tag))
            self._told("tested")
            await self._house.stops.check("adoption")
            notes = Notes("trying", row.tag, row.previous, row.cid, self._house.clock.now_ms())
            await anyio.to_thread.run_sync(self._pointer.note, notes)
            await anyio.to_thread.run_sync(self._pointer.forget_starts)
            await self._house.ground.switch(row.tag)
            self._told("switched")
        except HermesError as error:
            await self._end(row.tag, "failed", error.message)
            raise

    async def _end(self, tag: str, outcome: Outcome, why: str) -> None:
        row = await self._records.adopted(tag)
        if row is not None and row.outcome != outcome:
            await self._records.end(row.cid, outcome, why)

    async def _noted(self, tag: str) -> Notes:
        """Notes on a version that runs and has proved itself: what came before it."""
        leaf = await self._house.versions.running(tag)
        row = await self._records.adopted(tag)
        previous = leaf.previous if leaf else ""
        return Notes("", tag, previous, row.cid if row else "", row.at if row else 0)


def _message(candidate: CandidateRow, approvals: tuple[ApprovalRow, ...]) -> str:
    first = candidate.task.strip().split("\n")[0][:60] or "A change of this runtime"
    told = [first, "", f"candidate: {candidate.cid}", f"verdict: {approvals[-1].verdict}"]
    return "\n".join([*told, *(f"approval: {one.cid}" for one in approvals), ""])
