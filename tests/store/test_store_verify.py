import re
import sqlite3
from contextlib import closing

import pytest

from hermes.core.ids import CallId, TurnId
from hermes.errors import StoreCorrupt
from hermes.store.store import Store
from tests.store.talk import chain, conversation


@pytest.fixture
async def filled(path, clock):
    async with Store.open(path, clock) as store:
        made = await conversation(store)
        await store.conversations.append(*chain(made, "one", "two", "three"))
        session = await store.conversations.open_session(made, 5)
        await store.conversations.close_session(session, 6)
        entry = await store.journal.intend(
            turn=TurnId("turn"), conversation=made, call=CallId("call"), tool="FileWrite",
            arguments="{}", changes=[("/file", b"before", b"after")],
        )  # fmt: skip
        await store.journal.outcome(entry, ok=True, text="done")
        await store.approvals.ask(
            call_id=CallId("call"), turn=TurnId("turn"), conversation=made, tool="Bash",
            arguments="{}", rule="Bash(ls:*)", at=7,
        )  # fmt: skip
        await store.approvals.answer(CallId("call"), "yes", "me")
        await store.memory.add("p", "fact", "the sky is blue")
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
    "DELETE FROM memory_blocks": "project_memory 1 has no block",
}


@pytest.mark.parametrize(("change", "found"), CHANGES.items())
async def test_each_change_is_found_and_named(filled, clock, change, found):
    with closing(sqlite3.connect(filled)) as database, database:
        assert database.execute(change).rowcount > 0
    async with Store.open(filled, clock) as store:
        problems = await store.verify()
    assert problems
    assert re.search(found, "\n".join(problems))


async def test_text_that_is_none_is_damage(filled, clock):
    with closing(sqlite3.connect(filled)) as database, database:
        database.execute("UPDATE messages SET text = CAST(x'ff' AS TEXT) WHERE seq = 1")
    async with Store.open(filled, clock) as store:
        with pytest.raises(StoreCorrupt):
            await store.verify()


async def test_progress_is_told(store):
    made = await conversation(store)
    await store.conversations.append(*chain(made, *map(str, range(1_200))))
    seen = []

    await store.verify(seen.append)

    assert seen == [500, 1_000, 1_200]
