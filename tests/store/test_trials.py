import hashlib
import sqlite3

import anyio
import anyio.lowlevel
import msgspec
import pytest

from hermes.core.attestation import Attestation
from hermes.core.candidate import Candidate
from hermes.core.canonical import decode
from hermes.core.verdict import VERDICT_KIND
from hermes.errors import Refused
from hermes.store.adoptions import AdoptionRow, ApprovalRow
from hermes.store.store import Store
from hermes.store.trials import NewTrial, VerdictAct, candidate_block

PATCH = b"--- a/x\n+++ b/x\n"
CANDIDATE = Candidate(
    parent="1" * 40, patch=hashlib.sha256(PATCH).hexdigest(), tree="2" * 64, shape="3" * 64,
    task="faster", by="agent", goal="better",
)  # fmt: skip
NEW = NewTrial("fast", "ab", "1" * 40)


def act_of(trial, word="approve"):
    told = Attestation(VERDICT_KIND, "", {
        "trial": trial.id, "candidate": trial.candidate, "word": word, "judge": "1" * 40, "at": 7,
    })  # fmt: skip
    return VerdictAct(told.block(), word, "1" * 40, "", 7)


def approval_of(trial, verdict):
    fields = {
        "candidate": trial.candidate, "verdict": verdict, "answer": "approve", "who": "me",
        "door": "dm", "diff": "d" * 64, "reason": "", "at": 8,
    }  # fmt: skip
    block = Attestation("hermes/approval/1", "", fields).block()
    return block, msgspec.convert({"cid": block.cid, "by": "", **fields}, ApprovalRow)


def adoption_of(trial, verdict, tag="v0.2.0"):
    fields = {
        "candidate": trial.candidate, "verdict": verdict, "approvals": [], "tag": tag,
        "version": "4" * 40, "previous": "", "tree": "2" * 64, "at": 9,
    }  # fmt: skip
    block = Attestation("hermes/adoption/1", "", fields).block()
    return block, msgspec.convert({"cid": block.cid, "by": "", **fields}, AdoptionRow)


def outcome_of(adoption, outcome, why=""):
    fields = {"adoption": adoption, "outcome": outcome, "why": why, "at": 10}
    return Attestation("hermes/outcome/1", "", fields).block()


async def test_an_intent_is_there_before_the_verdict_and_after_a_restart(path, clock):
    async with Store.open(path, clock) as store:
        trial = await store.trials.begin(CANDIDATE, PATCH, b"shown", NEW)
        assert (trial.state, trial.word, trial.verdict) == ("intent", "", "")
    async with Store.open(path, clock) as store:
        assert await store.trials.list(9) == (trial,)
        row = await store.trials.candidate(trial.candidate)
        assert await store.blobs.get(row.given) == PATCH
        assert await store.blobs.get(row.diff) == b"shown"
        assert (await store.sweep()).digests == ()
        await store.trials.judge(trial, act_of(trial))
        assert await store.verify() == ()


async def test_what_a_dead_process_tried_is_ended_and_what_this_one_tries_is_not(path, clock):
    async with Store.open(path, clock) as store:
        dead = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
        other = msgspec.structs.replace(CANDIDATE, task="other")
        done = await store.trials.begin(other, PATCH, b"", NEW)
        await store.trials.judge(done, act_of(done))
    async with Store.open(path, clock) as store:
        mine = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
        await store.trials.bury()
        rows = [await store.trials.get(one.id) for one in (dead, done, mine)]
        assert [one.state for one in rows] == ["failed", "judged", "intent"]
        assert rows[0].why == "its process died"
        assert await store.trials.last_words(9) == ("failed", "approve")
        await store.trials.fail(mine.id, "")
        assert store.trials.live == {}


async def test_who_buries_while_a_trial_begins_spares_it(store):
    begun = []

    async def begin():
        begun.append(await store.trials.begin(CANDIDATE, PATCH, b"", NEW))

    async with anyio.create_task_group() as group:
        group.start_soon(begin)
        await anyio.lowlevel.checkpoint()
        group.start_soon(store.trials.bury)
    assert (await store.trials.get(begun[0].id)).state == "intent"


async def test_a_beginning_that_is_broken_off_is_no_live_trial(store):
    async with anyio.create_task_group() as group:
        group.start_soon(store.trials.begin, CANDIDATE, PATCH, b"", NEW)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert store.trials.live == {}
    await store.trials.bury()
    assert all(one.state == "failed" for one in await store.trials.list(9))


async def test_a_verdict_is_final(store):
    trial = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
    await store.trials.judge(trial, act_of(trial), b"a record")
    with pytest.raises(Refused, match="final"):
        await store.trials.judge(trial, act_of(trial, "reject"))
    assert (await store.trials.get(trial.id)).word == "approve"
    await store.trials.fail(trial.id, "too late")
    assert (await store.trials.get(trial.id)).state == "judged"


@pytest.mark.parametrize(
    ("change", "judge", "known"),
    [
        ({"by": "person", "patch": "9" * 64, "tree": "8" * 64}, "1" * 40, True),
        ({"task": "smaller"}, "1" * 40, False),
        ({"goal": "same"}, "1" * 40, False),
        ({"parent": "5" * 40}, "1" * 40, False),
        ({}, "6" * 40, False),
    ],
)
async def test_the_same_shape_task_and_judge_are_known(store, change, judge, known):
    trial = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
    other = msgspec.structs.replace(CANDIDATE, **change)
    assert await store.trials.known(other, judge, "fast") is None
    await store.trials.judge(trial, act_of(trial))
    found = await store.trials.known(other, judge, "fast")
    assert (found is not None) == known


async def test_what_could_not_be_decided_is_tried_again(store):
    trial = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
    await store.trials.judge(trial, act_of(trial, "inconclusive"))
    assert await store.trials.known(CANDIDATE, "1" * 40, "fast") is None
    assert (await store.trials.begin(CANDIDATE, PATCH, b"", NEW)).id != trial.id


async def test_a_failed_trial_is_begun_anew(store):
    trial = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
    await store.trials.fail(trial.id, "the disk was full")
    assert (await store.trials.get(trial.id)).why == "the disk was full"
    assert (await store.trials.begin(CANDIDATE, PATCH, b"", NEW)).id != trial.id
    assert await store.trials.last_words(5) == ("failed",)


async def test_a_candidate_is_named_by_its_content(store):
    trial = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
    assert trial.candidate == candidate_block(CANDIDATE).cid
    told = decode(candidate_block(CANDIDATE).data)
    assert told == {"t": "hermes/candidate/1", **msgspec.to_builtins(CANDIDATE)}
    for name in (trial.candidate, trial.candidate[:20], trial.candidate[-8:], trial.id[:13]):
        (row,) = await store.trials.named(name)
        assert row.cid == trial.candidate
    for name in ("nothing", "%", "_" * 59, trial.candidate[-3:]):
        assert await store.trials.named(name) == ()
    other = msgspec.structs.replace(CANDIDATE, task="other")
    await store.trials.begin(other, PATCH, b"", NEW)
    assert len(await store.trials.named("bafyrei")) == 2


async def test_counts_and_words(store, clock):
    before = clock.now_ms()
    for number, word in enumerate(("approve", "reject", "inconclusive")):
        candidate = msgspec.structs.replace(CANDIDATE, task=str(number))
        trial = await store.trials.begin(candidate, PATCH, b"", NEW)
        await store.trials.judge(trial, act_of(trial, word))
    assert await store.trials.begun_since(before) == 3
    assert await store.trials.begun_since(clock.now_ms()) == 0
    assert await store.trials.last_words(2) == ("inconclusive", "reject")
    assert await store.trials.last_words(9, clock.now_ms()) == ()


async def test_approved_adopted_and_what_came_of_it(store):
    trial = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
    act = act_of(trial)
    await store.trials.judge(trial, act)
    book = store.adoptions
    await book.answer("hermes/approval/1", *approval_of(trial, act.block.cid))
    (said,) = await book.answers(trial.candidate)
    assert (said.answer, said.who, said.door) == ("approve", "me", "dm")

    block, row = adoption_of(trial, act.block.cid)
    await book.adopt("hermes/adoption/1", block, row)
    assert await book.tagged("v0.2.0") == row
    kept = outcome_of(row.cid, "kept")
    await book.end("hermes/outcome/1", kept, row.cid, "kept", "")
    back = outcome_of(row.cid, "rolled back", "slow")
    await book.end("hermes/outcome/1", back, row.cid, "rolled back", "slow")
    with pytest.raises(Refused, match="already"):
        await book.end("hermes/outcome/1", kept, row.cid, "kept", "")
    (ended,) = await book.of(trial.candidate)
    assert (ended.outcome, ended.why) == ("rolled back", "slow")
    assert await store.verify() == ()


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE candidates SET tree = 'x'", "candidates"),
        ("UPDATE trials SET seed = 'x'", "trials"),
        ("UPDATE verdicts SET word = 'approve'", "verdicts"),
        ("UPDATE gate_approvals SET answer = 'reject'", "gate_approvals"),
        ("UPDATE adoptions SET tree = 'x'", "adoptions"),
        ("UPDATE adoptions SET outcome = 'kept'", "adoptions"),
        ("UPDATE acts SET subject = 'x' WHERE kind = 'hermes/verdict/1'", "acts"),
        ("UPDATE acts SET subject = 'x' WHERE kind = 'hermes/outcome/1'", "acts"),
    ],
)
async def test_a_row_that_was_changed_is_named(path, clock, sql, named):
    async with Store.open(path, clock) as store:
        trial = await store.trials.begin(CANDIDATE, PATCH, b"", NEW)
        act = act_of(trial, "reject")
        await store.trials.judge(trial, act)
        await store.adoptions.answer("hermes/approval/1", *approval_of(trial, act.block.cid))
        block, row = adoption_of(trial, act.block.cid)
        await store.adoptions.adopt("hermes/adoption/1", block, row)
        failed = outcome_of(row.cid, "failed", "it fell")
        await store.adoptions.end("hermes/outcome/1", failed, row.cid, "failed", "it fell")
        assert await store.verify() == ()
    with sqlite3.connect(path) as database:
        assert database.execute(sql).rowcount
    database.close()
    async with Store.open(path, clock) as store:
        assert any(one.startswith(named) for one in await store.verify())
