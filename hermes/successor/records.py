"""The successor's books: trials, verdicts, approvals and adoptions, signed and in the log.

Order of writes: intent before trial, verdict before anything that follows from it.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from hermes.core.attestation import attestation_of
from hermes.core.candidate import Candidate
from hermes.core.canonical import Block, Value
from hermes.core.ids import Cid
from hermes.core.verdict import VERDICT_KIND, Verdict
from hermes.errors import Refused, SuccessorError, Usage
from hermes.store.adoptions import AdoptionRow, Answer, ApprovalRow, Door, Outcome
from hermes.store.store import Store
from hermes.store.trials import CandidateRow, NewTrial, TrialRow, VerdictAct
from hermes.successor.books import Submission, Trial
from hermes.successor.signing import Signing

APPROVAL_KIND = "hermes/approval/1"
ADOPTION_KIND = "hermes/adoption/1"
TAKEN_KIND = "hermes/taken/1"
OUTCOME_KIND = "hermes/outcome/1"
_VERDICT_MOST = 384 * 1024
_IDS_SHOWN = 64
_Row = TypeVar("_Row", ApprovalRow, AdoptionRow)


class Word(msgspec.Struct, frozen=True):
    """What somebody says of a candidate: `who`, through which `door`, having seen `diff`."""

    answer: Answer
    who: str
    door: Door
    diff: str
    reason: str = ""


class Version(msgspec.Struct, frozen=True):
    """The version that a candidate is to become; `commit` in the repository of versions."""

    tag: str
    commit: str
    previous: str


class Records:
    """Everything that is written down of changes of this runtime (`books.Book`, and the gate's)."""

    def __init__(self, store: Store, signing: Signing) -> None:
        self._store = store
        self._signing = signing

    async def known(self, candidate: Candidate, judge: str, tier: str) -> Trial | None:
        """The judged trial of the same change, task, goal and judge; None: it is new."""
        found = await self._store.trials.known(candidate, judge, tier)
        return _trial(found) if found else None

    async def begin(self, submission: Submission) -> Trial:
        """Write an intent; durable when this returns."""
        new = NewTrial(submission.tier, submission.seed, submission.judge)
        row = await self._store.trials.begin(
            submission.candidate, submission.patch, submission.diff.encode(), new
        )
        return _trial(row)

    def reach(self, trial: str, stage: str) -> None:
        """Say how far a trial is, to whoever lists them meanwhile."""
        self._store.trials.live[trial] = stage

    async def verdict(self, trial: str, verdict: Verdict, records: Mapping[str, bytes]) -> Cid:
        """Keep and sign a verdict; raises Refused when the trial has one."""
        row = await self._known(trial)
        if row.state == "judged":
            raise Refused(f"trial {trial} has a verdict, and a verdict is final")
        if verdict.candidate != row.candidate:
            raise Refused("the verdict is on another candidate than the trial")
        fields = {"trial": trial, **_plain(_bounded(verdict))}
        del fields["at"]
        made = await self._signing.may(VERDICT_KIND, fields)
        at = made.fields["at"]
        assert isinstance(at, int)
        act = VerdictAct(made.block(), verdict.word, verdict.judge, made.by, at)
        await self._store.trials.judge(row, act, *records.values())
        return act.block.cid

    async def fail(self, trial: str, why: str) -> None:
        """A trial ended without a verdict: the machine's fault or a stop, not the candidate's."""
        await self._store.trials.fail(trial, why)

    async def candidate(self, name: str) -> CandidateRow:
        """The candidate that a CID, a trial's id, or the beginning of one names; raises Usage."""
        found = await self._store.trials.named(name) if name.strip() else ()
        if len(found) != 1:
            raise Usage(
                f"{'several candidates are' if found else 'no candidate is'} called {name!r}",
                "see: hermes successor list",
            )
        return found[0]

    async def judged(self, candidate: Cid) -> tuple[TrialRow, Verdict]:
        """The newest verdict on a candidate and its trial; raises Refused when there is none."""
        for row in await self._store.trials.of(candidate):
            if row.verdict:
                return row, await self.read(candidate, row.verdict)
        raise Refused("there is no verdict on this candidate yet", "run: hermes successor run")

    async def read(self, candidate: Cid, verdict: str) -> Verdict:
        """A verdict back from its block; raises Usage."""
        for act in reversed(await self._store.acts.list(VERDICT_KIND, candidate)):
            if act.cid == verdict:
                told = dict(attestation_of(act.data).fields)
                told.pop("trial", None)
                return msgspec.convert(told, Verdict)
        raise Usage(f"no verdict is called {verdict}")

    async def say(self, candidate: Cid, verdict: str, word: Word) -> ApprovalRow:
        """Write down somebody's word on a candidate; raises IdentityError when it is locked."""
        fields: dict[str, Value] = {
            "candidate": candidate, "verdict": verdict, "answer": word.answer,
            "who": word.who[:1000], "door": word.door, "diff": word.diff,
            "reason": word.reason[:1000],
        }  # fmt: skip
        block, row = await self._signed(APPROVAL_KIND, fields, ApprovalRow)
        await self._store.adoptions.answer(APPROVAL_KIND, block, row)
        return row

    async def words(self, candidate: Cid) -> tuple[ApprovalRow, ...]:
        """Every word on a candidate, oldest first."""
        return await self._store.adoptions.answers(candidate)

    async def adopt(
        self, candidate: CandidateRow, approvals: tuple[ApprovalRow, ...], version: Version
    ) -> AdoptionRow:
        """Write down that a candidate becomes a version: before any of it is done."""
        fields: dict[str, Value] = {
            "candidate": candidate.cid, "verdict": approvals[-1].verdict,
            "approvals": [one.cid for one in approvals], "tag": version.tag,
            "version": version.commit, "previous": version.previous, "tree": candidate.tree,
        }  # fmt: skip
        block, row = await self._signed(ADOPTION_KIND, fields, AdoptionRow)
        await self._store.adoptions.adopt(ADOPTION_KIND, block, row)
        return row

    async def adoptions(self, candidate: Cid | None = None) -> tuple[AdoptionRow, ...]:
        """Every adoption, or those of one candidate; oldest first."""
        if candidate is None:
            return await self._store.adoptions.list()
        return await self._store.adoptions.of(candidate)

    async def adopted(self, tag: str) -> AdoptionRow | None:
        """The adoption that made a version."""
        return await self._store.adoptions.tagged(tag)

    async def untaken(self, tag: str) -> AdoptionRow | None:
        """The adoption that made a version, while that version has not said it took over."""
        row = await self.adopted(tag) if tag else None
        if row is None or await self._store.acts.latest(TAKEN_KIND, row.cid):
            return None
        return row

    async def take(self, row: AdoptionRow, tree: str) -> None:
        """The new version's own word that it has taken over; `tree`: what it found itself to be.

        Raises SuccessorError where that is not what was adopted, IdentityError when it is locked.
        """
        if tree != row.tree:
            raise SuccessorError(
                f"the files of {row.tag} are not those that were adopted",
                "go back: hermes successor rollback",
            )
        fields: dict[str, Value] = {
            "adoption": row.cid, "tag": row.tag, "version": row.version, "tree": tree,
        }  # fmt: skip
        made = await self._signing.must(TAKEN_KIND, fields)
        await self._store.acts.add(TAKEN_KIND, row.cid, made.block())

    async def end(self, adoption: Cid, outcome: Outcome, why: str) -> None:
        """Write down what became of an adoption; what is known already stays."""
        fields: dict[str, Value] = {"adoption": adoption, "outcome": outcome, "why": why[:1000]}
        made = await self._signing.may(OUTCOME_KIND, fields)
        await self._store.adoptions.end(OUTCOME_KIND, made.block(), adoption, outcome, why[:1000])

    async def _signed(
        self, kind: str, fields: dict[str, Value], row: type[_Row]
    ) -> tuple[Block, _Row]:
        made = await self._signing.must(kind, fields)
        block = made.block()
        return block, msgspec.convert({"cid": block.cid, "by": made.by, **made.fields}, row)

    async def _known(self, trial: str) -> TrialRow:
        row = await self._store.trials.get(trial)
        if row is None:
            raise Usage(f"no trial is called {trial!r}", "see: hermes successor list")
        return row


def _plain(verdict: Verdict) -> dict[str, Value]:
    """As canonical values: lists where there are tuples."""
    told: dict[str, Value] = msgspec.json.decode(msgspec.json.encode(verdict))
    return told


def _bounded(verdict: Verdict) -> Verdict:
    """Small enough for the signer's door: of many ids the first are named, all are in the record.

    Raises Refused when it is too large even so.
    """
    if len(msgspec.json.encode(verdict)) <= _VERDICT_MOST:
        return verdict
    evidence = tuple(
        msgspec.structs.replace(one, ids=one.ids[:_IDS_SHOWN]) for one in verdict.evidence
    )
    smaller = msgspec.structs.replace(verdict, evidence=evidence)
    if len(msgspec.json.encode(smaller)) > _VERDICT_MOST:
        raise Refused("the verdict is too large to be signed")
    return smaller


def _trial(row: TrialRow) -> Trial:
    return Trial(
        row.id, row.candidate, row.tier, row.seed, row.judge, row.state, row.began, row.ended,
        row.verdict, row.word, row.why,
    )  # fmt: skip
