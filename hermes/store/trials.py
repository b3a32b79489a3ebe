"""Candidates, trials and verdicts as rows over their blocks.

A trial's intent is on the disk before anything of it runs, and its verdict is final. Who signs,
and what follows from a verdict, is `hermes.successor`'s business.
"""

from typing import Literal

import msgspec

from hermes.core.candidate import CANDIDATE_KIND, Candidate
from hermes.core.canonical import Block, Value, encode
from hermes.core.clock import Clock
from hermes.core.ids import Cid, uuid7
from hermes.core.verdict import VERDICT_KIND
from hermes.errors import Refused
from hermes.store.acts import Acts
from hermes.store.blobs import blob_statement, digest_of
from hermes.store.blocks import block_statement, record, unwritable
from hermes.store.database import Database
from hermes.store.statement import Statement, Unmet

TRIAL_KIND = "hermes/trial/1"

_CANDIDATE = """INSERT INTO candidates
    (cid, parent, patch, tree, shape, task, source, goal, given, diff, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (cid) DO NOTHING"""
_TRIAL = """INSERT INTO trials (id, cid, candidate, tier, seed, judge, began)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_JUDGED = """UPDATE trials SET state = 'judged', ended = ? WHERE id = ? AND state <> 'judged'"""
_VERDICT = """INSERT INTO verdicts (cid, trial, candidate, word, judge, by, at)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_FAIL = "UPDATE trials SET state = 'failed', ended = ?, why = ? WHERE id = ? AND state = 'intent'"
_DIED = "its process died"
_BURY = """UPDATE trials SET state = 'failed', ended = ?, why = ?
    WHERE state = 'intent' AND id NOT IN (SELECT value FROM json_each(?))"""
_COLUMNS = """t.id, t.candidate, t.tier, t.seed, t.judge, t.state, t.began, t.ended,
    coalesce(v.cid, ''), coalesce(v.word, ''), t.why"""
_FROM = "FROM trials AS t LEFT JOIN verdicts AS v ON v.trial = t.id"
_KNOWN = f"""SELECT {_COLUMNS} {_FROM} JOIN candidates AS c ON c.cid = t.candidate
    WHERE v.word IN ('approve', 'reject')
    AND c.shape = ? AND c.parent = ? AND c.task = ? AND c.goal = ?
    AND t.judge = ? AND t.tier = ? ORDER BY t.seq DESC LIMIT 1"""
_CANDIDATES = """SELECT cid, parent, patch, tree, shape, task, source, goal, given, diff, at
    FROM candidates"""
_NAMED = """WHERE cid = ?1 OR cid LIKE ?2 ESCAPE '!'
    OR (length(?1) >= 6 AND cid LIKE ?3 ESCAPE '!')
    OR cid IN (SELECT candidate FROM trials WHERE id LIKE ?2 ESCAPE '!') LIMIT 2"""
_ENDED = f"""SELECT coalesce(v.word, t.state) {_FROM}
    WHERE t.state <> 'intent' AND t.ended > ? ORDER BY t.ended DESC, t.seq DESC LIMIT ?"""


class CandidateRow(msgspec.Struct, frozen=True):
    """A candidate as it is kept; `at` ms UTC.

    `given` and `diff` are digests of blobs: the patch as it came, the difference as it is shown.
    """

    cid: Cid
    parent: str
    patch: str
    tree: str
    shape: str
    task: str
    source: str
    goal: str
    given: str
    diff: str
    at: int


class TrialRow(msgspec.Struct, frozen=True):
    """A trial as it stands; `verdict` and `word` are empty without a verdict."""

    id: str
    candidate: Cid
    tier: str
    seed: str
    judge: str
    state: Literal["intent", "judged", "failed"]
    began: int
    ended: int | None
    verdict: str
    word: str
    why: str


class NewTrial(msgspec.Struct, frozen=True):
    """What a trial is begun with."""

    tier: str
    seed: str
    judge: str


class Trials:
    """What was tried here, and what became of it.

    `live`: what this process tries just now, and how far it is; nobody else has this store.
    """

    def __init__(self, database: Database, acts: Acts, clock: Clock) -> None:
        self._database = database
        self._acts = acts
        self._clock = clock
        self.live: dict[str, str] = {}

    async def begin(
        self, candidate: Candidate, patch: bytes, diff: bytes, new: NewTrial
    ) -> TrialRow:
        """Write a trial's intent, with the candidate and its texts; on disk when this returns.

        `patch` is what somebody gave, `diff` what it makes of the tree, as it is shown.
        """
        block, now = candidate_block(candidate), self._clock.now_ms()
        trial = uuid7()
        fields: dict[str, Value] = {
            "id": trial, "candidate": block.cid, "tier": new.tier, "seed": new.seed,
            "judge": new.judge, "at": now,
        }  # fmt: skip
        intent, kept = record(TRIAL_KIND, (block.cid,), fields)
        about = (
            block.cid, candidate.parent, candidate.patch, candidate.tree, candidate.shape,
            candidate.task, candidate.by, candidate.goal, digest_of(patch), digest_of(diff), now,
        )  # fmt: skip
        self.live[trial] = ""  # before it is written: whoever buries meanwhile spares it
        try:
            await self._database.write(
                self._buried(),
                blob_statement(patch),
                blob_statement(diff),
                block_statement(CANDIDATE_KIND, block),
                kept,
                Statement(_CANDIDATE, about),
                Statement(_TRIAL, (trial, intent, block.cid, new.tier, new.seed, new.judge, now)),
            )
            return (await self._rows("WHERE t.id = ?", (trial,)))[0]
        except BaseException:
            self.live.pop(trial)  # nobody was told of it: the next one to bury ends it
            raise

    async def judge(self, trial: TrialRow, verdict: "VerdictAct", *records: bytes) -> None:
        """Keep a verdict with its records, in one write; raises Refused when there is one."""
        row = (
            verdict.block.cid, trial.id, trial.candidate, verdict.word, verdict.judge, verdict.by,
            verdict.at,
        )  # fmt: skip
        try:
            await self._acts.add(
                VERDICT_KIND,
                trial.candidate,
                verdict.block,
                *map(blob_statement, records),
                Statement(_JUDGED, (self._clock.now_ms(), trial.id), expect=1),
                Statement(_VERDICT, row),
            )
        except Unmet as error:
            raise Refused(f"trial {trial.id} has a verdict, and a verdict is final") from error
        self.live.pop(trial.id, None)

    async def fail(self, trial: str, why: str) -> None:
        """Note that a trial ended without a verdict."""
        await self._database.write(Statement(_FAIL, (self._clock.now_ms(), why[:1000], trial)))
        self.live.pop(trial, None)

    async def bury(self) -> None:
        """End the intents of processes that died over them: they count as failures."""
        await self._database.write(self._buried())

    def _buried(self) -> Statement:
        live = msgspec.json.encode(list(self.live)).decode()
        return Statement(_BURY, (self._clock.now_ms(), _DIED, live))

    async def get(self, trial: str) -> TrialRow | None:
        """One trial."""
        found = await self._rows("WHERE t.id = ?", (trial,))
        return found[0] if found else None

    async def known(self, candidate: Candidate, judge: str, tier: str) -> TrialRow | None:
        """The newest verdict on the same shape, parent, task and goal by the same judge."""
        about = (candidate.shape, candidate.parent, candidate.task, candidate.goal, judge, tier)
        rows = await self._database.read(_KNOWN, about)
        return TrialRow(*rows[0]) if rows else None

    async def list(self, most: int) -> tuple[TrialRow, ...]:
        """The newest trials, newest first."""
        return await self._rows("ORDER BY t.seq DESC LIMIT ?", (most,))

    async def of(self, candidate: Cid) -> tuple[TrialRow, ...]:
        """Every trial of a candidate, newest first."""
        return await self._rows("WHERE t.candidate = ? ORDER BY t.seq DESC", (candidate,))

    async def named(self, name: str) -> tuple[CandidateRow, ...]:
        """The candidates that a CID, how it begins or ends, or a trial's id names: two at most."""
        plain = name.strip().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        which = (name.strip(), f"{plain}%", f"%{plain}")
        rows = await self._database.read(f"{_CANDIDATES} {_NAMED}", which)
        return tuple(CandidateRow(*row) for row in rows)

    async def candidate(self, cid: str) -> CandidateRow | None:
        """One candidate by its whole CID."""
        rows = await self._database.read(f"{_CANDIDATES} WHERE cid = ?", (cid,))
        return CandidateRow(*rows[0]) if rows else None

    async def begun_since(self, moment: int) -> int:
        """How many trials began after a moment (ms UTC)."""
        rows = await self._database.read("SELECT count(*) FROM trials WHERE began > ?", (moment,))
        return int(rows[0][0])

    async def last_words(self, most: int, since: int = 0) -> tuple[str, ...]:
        """How the last trials ended, newest first: a verdict's word, or `failed`."""
        return tuple(row[0] for row in await self._database.read(_ENDED, (since, most)))

    async def _rows(self, rest: str, values: tuple[str | int, ...]) -> tuple[TrialRow, ...]:
        rows = await self._database.read(
            f"SELECT {_COLUMNS} {_FROM} {rest}",
            values,
        )
        return tuple(TrialRow(*row) for row in rows)


class VerdictAct(msgspec.Struct, frozen=True):
    """A verdict's block, and what its row says of it; `by` is empty where nobody signed."""

    block: Block
    word: str
    judge: str
    by: str
    at: int


def candidate_block(candidate: Candidate) -> Block:
    """A candidate's canonical block: the same change is the same name, whoever writes it."""
    try:
        return encode({"t": CANDIDATE_KIND, **msgspec.to_builtins(candidate)})
    except ValueError as error:
        raise unwritable(error) from error
