import re
import sqlite3
from contextlib import closing

import pytest

from hermes.core.canonical import encode
from hermes.core.ids import CallId
from hermes.store.architecture import Architecture, Architectures
from hermes.store.store import Store
from tests.store.talk import act, chain, conversation


@pytest.fixture
async def filled(path, clock):
    async with Store.open(path, clock) as store:
        made = await conversation(store)
        await store.conversations.append(*chain(made, "one", "two", "three"))
        session = await store.conversations.open_session(made, 5)
        await store.conversations.close_session(session, 6)
        await act(store, made)
        await store.approvals.answer(CallId("call"), "yes", "me")
        await store.memory.add("p", "fact", "the sky is blue")
        await store.memory.forget(await store.memory.add("p", "fact", "a secret"))
        for subject in ("one", "two"):
            soul = encode({"t": "hermes/soul/1", "by": "key", "soul": subject, "sig": ""})
            await store.acts.add("hermes/soul/1", subject, soul)
        parts = {"soul": b"I am Hermes."}
        await Architectures(store.acts, clock).record(Architecture("2.0", "model", "00", parts))
        assert await store.verify() == ()
    return path


CHANGES = {
    "UPDATE messages SET text = 'two!' WHERE text = 'two'": "text differs",
    "UPDATE messages SET role = 'assistant' WHERE seq = 1": "role differs",
    "UPDATE messages SET at = 3 WHERE seq = 1": "at differs",
    "DELETE FROM message_parents": "parents differs",
    "DELETE FROM messages WHERE seq = 2": "missing from the table",
    "UPDATE blocks SET data = data || x'00' WHERE seq = 1": "bytes were changed",
    "UPDATE blocks SET data = x'a0' WHERE seq = 1": "bytes were changed",
    "UPDATE blocks SET data = NULL WHERE seq = 1": "were not erased",
    "UPDATE blocks SET kind = 'hermes/other/1' WHERE seq = 1": "not of kind",
    "DELETE FROM blocks WHERE seq = 1": "has no block",
    "UPDATE sessions SET opened = 4": "sessions .* opened differs",
    "UPDATE sessions SET closed = 4": "sessions .* closed differs",
    "UPDATE journal SET arguments = '[]'": "journal .* arguments differs",
    "UPDATE journal SET changes = '[]'": "journal .* changes differs",
    "UPDATE journal SET outcome_text = 'failed'": "journal .* outcome_text differs",
    "UPDATE approvals SET answer = 'no'": "approvals .* answer differs",
    "UPDATE approvals SET rule = 'Bash(*)'": "approvals .* rule differs",
    "UPDATE blobs SET data = x'00'": "blob .* changed",
    "UPDATE memory_blocks SET erased = 3 WHERE memory = 2": "bytes are missing",
    "UPDATE memory_blocks SET erased_cid = NULL WHERE memory = 2": "bytes are missing",
    "UPDATE blocks SET kind = 'hermes/intent/1' WHERE data IS NULL": "bytes are missing",
    "UPDATE journal SET changes = '['": "journal .* changes differs",
    "UPDATE blobs SET size = 1": "blob .* size differs",
    "DELETE FROM memory_blocks": "project_memory 1 has no block",
    "UPDATE acts SET kind = 'hermes/genesis/1' WHERE seq = 1": "acts 1: kind differs",
    "UPDATE acts SET subject = 'another' WHERE seq = 1": "acts 1: subject differs",
    "UPDATE acts SET subject = 'another' WHERE seq = 3": "acts 3: subject differs",
    "UPDATE acts SET cid = 'bafy' WHERE seq = 2": "acts 2: its block bafy is missing",
    "DELETE FROM acts WHERE seq = 2": "acts 2: it is missing",
    "UPDATE blocks SET seq = 99 WHERE seq = 3": "block 3 is missing",
    "UPDATE blocks SET seq = -3 WHERE seq = 3": "block -3 .* stands outside the log",
    "DELETE FROM blocks WHERE seq = (SELECT max(seq) FROM blocks)": "only 14 blocks",
    "UPDATE log_state SET size = size - 1": "blocks 15 to 15 are not in the log",
    "UPDATE log_state SET size = 'many'": "state is missing or malformed",
    "UPDATE log_state SET hashes = zeroblob(128)": "frontier was changed at 0, 1, 2, 3",
    "UPDATE log_state SET hashes = zeroblob(64)": "frontier was changed: their number",
    "DELETE FROM log_state": "state is missing or malformed",
    "INSERT INTO log_tiles VALUES (0, 0, x'', x'')": "log tile 0/0: there can be no such tile",
}


@pytest.mark.parametrize(("change", "found"), CHANGES.items())
async def test_each_change_is_found_and_named(filled, clock, change, found):
    with closing(sqlite3.connect(filled)) as database, database:
        assert database.execute(change).rowcount > 0
    async with Store.open(filled, clock) as store:
        problems = await store.verify()
    assert problems
    assert re.search(found, "\n".join(problems))


async def test_text_that_is_no_unicode_is_named_too(filled, clock):
    with closing(sqlite3.connect(filled)) as database, database:
        database.execute("UPDATE messages SET text = CAST(x'ff' AS TEXT) WHERE seq = 1")
        database.execute("UPDATE sessions SET conversation = CAST(x'ff' AS TEXT)")
    async with Store.open(filled, clock) as store:
        problems = await store.verify()
    assert [re.sub(r" \S{36,}:", "", one) for one in problems] == [
        "message text differs from its block",
        "sessions conversation differs from its block",
    ]


async def test_progress_is_told(store):
    made = await conversation(store)
    await store.conversations.append(*chain(made, *map(str, range(1_200))))
    seen = []

    await store.verify(lambda done, total: seen.append((done, total)))

    assert seen == [(512, 1_200), (1_024, 1_200), (1_200, 1_200)]


async def test_the_subject_of_each_kind_of_act_is_compared(path, clock):
    kinds = {
        "hermes/genesis/1": {"soul": "s"},
        "hermes/soul/1": {"soul": "s"},
        "hermes/member/1": {"node": "s"},
        "hermes/revoked/1": {"node": "s"},
        "hermes/handoff/1": {"new": "s"},
        "hermes/accepted/1": {"handoff": "s"},
    }
    async with Store.open(path, clock) as store:
        for kind, fields in kinds.items():
            block = encode({"t": kind, **fields})
            await store.acts.add(kind, block.cid if "genesis" in kind else "s", block)
        other = encode({"t": "hermes/other/1", "words": "any"})
        await store.acts.add("hermes/other/1", "nobody vouches for this", other)
        assert await store.verify() == ()
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("UPDATE acts SET subject = subject || 'x'")
        assert await store.verify() == tuple(
            f"acts {seq}: subject differs from its block" for seq in range(1, len(kinds) + 1)
        )
