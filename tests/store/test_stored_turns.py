import hashlib
from functools import partial

import anyio
import pytest

from hermes.core.ids import CallId, ConversationId, SessionId, TurnId, uuid7
from hermes.errors import ConversationUnknown, StoreError
from hermes.store.conversations import NewConversation
from hermes.store.store import Store
from tests.store.talk import conversation, message, request


async def test_a_turn_begins_with_its_conversation_in_one_transaction(store):
    new = NewConversation(ConversationId(uuid7()), "/root", private=True)
    asked = request("hello")

    record, fresh = await store.turns.begin(asked, (message("hello", new.id),), new=new)

    assert fresh
    assert (record.state, record.attempts, record.finished) == ("running", 1, None)
    assert record.conversation == new.id
    assert record.request.text == "hello"
    assert record.request.api_key == ""
    info = await store.conversations.get(new.id)
    assert (info.messages, info.title, info.private) == (1, "hello", True)
    await store.conversations.close_session(SessionId("session"), 1)
    assert await store.verify() == ()


async def test_the_key_of_a_model_is_never_on_disk(path, clock):
    async with Store.open(path, clock) as store:
        made = await conversation(store)
        await store.turns.begin(request(), (message("hello", made),))

    files = [file.read_bytes() for file in path.parent.iterdir()]
    assert any(b"hello" in data for data in files)
    assert not any(b"secret" in data for data in files)


async def test_beginning_twice_is_beginning_once(store):
    made = await conversation(store)
    asked = request()
    begin = partial(store.turns.begin, asked)
    results = []

    async def one(text: str) -> None:
        results.append(await begin((message(text, made),)))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(one, str(number))

    assert sorted(fresh for _, fresh in results) == [False] * 7 + [True]
    assert len({record.id for record, _ in results}) == 1
    assert len(await store.conversations.history(made)) == 1
    assert len(await store.turns.list(made)) == 1


async def test_a_turn_in_an_unknown_conversation_leaves_nothing(store):
    nobody = ConversationId(uuid7())
    asked = request()

    with pytest.raises(ConversationUnknown):
        await store.turns.begin(asked, (message("lost", nobody),))

    assert await store.turns.get(asked.turn_id) is None
    assert (await store.size())["blocks"] == 0


async def test_a_turn_ends_together_with_its_last_message(store):
    made = await conversation(store, "before")
    asked = request()
    record, _ = await store.turns.begin(asked, (message("hello", made),))
    assert await store.turns.unfinished() == (record,)
    assert await store.turns.attempt(record.id) == 2
    heads = (await store.conversations.get(made)).heads
    final = message("answer", made, heads, role="assistant")

    await store.turns.finish(
        record.id, "finished", text="answer", usage={"steps": 2}, messages=(final,)
    )

    ended = await store.turns.get(record.id)
    assert ended is not None
    assert (ended.state, ended.text, ended.usage) == ("finished", "answer", {"steps": 2})
    assert ended.finished is not None
    assert await store.turns.unfinished() == ()
    assert [s.message.text for s in await store.conversations.history(made)][-1] == "answer"


async def test_a_turn_that_nobody_began_cannot_end(store):
    made = await conversation(store)

    with pytest.raises(StoreError):
        await store.turns.finish(TurnId("none"), "failed", messages=(message("x", made),))
    with pytest.raises(StoreError):
        await store.turns.attempt(TurnId("none"))

    assert await store.conversations.history(made) == ()


async def _intend(store, made, turn="turn", changes=()):
    return await store.journal.intend(
        turn=TurnId(turn),
        conversation=made,
        call=CallId("call"),
        tool="FileWrite",
        arguments='{"path": "a"}',
        changes=changes,
    )


async def test_the_journal_keeps_what_was_there(store):
    made = await conversation(store, "hello")
    changes = [("/a", b"old", b"new"), ("/b", None, b"made"), ("/c", b"", None)]
    entry = await _intend(store, made, changes=changes)

    (pending,) = await store.journal.pending()

    assert pending.id == entry
    assert pending.outcome is None
    digests = [(c.path, c.before, c.after) for c in pending.changes]
    assert digests == [(path, _sha(old), _sha(new)) for path, old, new in changes]
    assert await store.journal.before(pending, "/a") == b"old"
    assert await store.journal.before(pending, "/b") is None
    assert await store.journal.before(pending, "/c") == b""
    assert await store.journal.before(pending, "/d") is None


def _sha(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


async def test_an_outcome_is_committed_with_the_message_that_reports_it(store):
    made = await conversation(store)
    entry = await _intend(store, made)
    told = message("done", made, role="tool")

    await store.journal.outcome(entry, ok=True, text="done", messages=(told,))

    assert await store.journal.pending() == ()
    (closed,) = await store.journal.of_turn(TurnId("turn"))
    assert closed.outcome is not None
    assert (closed.outcome.ok, closed.outcome.text) == (True, "done")
    assert [s.message for s in await store.conversations.history(made)] == [told]
    with pytest.raises(StoreError):
        await store.journal.outcome(entry, ok=False, text="again")
    assert await store.verify() == ()


async def test_unfinished_writes_are_found_and_reported_once(store):
    made = await conversation(store)
    first = await _intend(store, made, "one")
    second = await _intend(store, made, "two")

    assert [e.id for e in await store.journal.pending()] == [first, second]
    assert [e.id for e in await store.journal.pending(TurnId("two"))] == [second]
    await store.journal.report_interrupted(first)

    (told,) = await store.journal.of_turn(TurnId("one"))
    assert told.outcome is not None
    assert (told.outcome.word, told.outcome.ok) == ("interrupted", False)
    assert [e.id for e in await store.journal.pending()] == [second]


async def test_undone_entries_are_marked(store):
    made = await conversation(store)
    entry = await _intend(store, made)
    await store.journal.mark_undone(())
    await store.journal.mark_undone((entry,))

    (marked,) = await store.journal.of_turn(TurnId("turn"))
    assert marked.undone is not None


async def _ask(store, made, call="call", turn="turn"):
    await store.approvals.ask(
        call_id=CallId(call), turn=TurnId(turn), conversation=made, tool="Bash",
        arguments="{}", rule="Bash(ls:*)", diff="", at=5,
    )  # fmt: skip


async def test_the_first_answer_wins(store):
    made = await conversation(store)
    await _ask(store, made)
    won = []

    async def one(by: str) -> None:
        if await store.approvals.answer(CallId("call"), "yes", by):
            won.append(by)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(one, f"front end {number}")

    (asked,) = await store.approvals.of_turn(TurnId("turn"))
    assert [asked.by] == won
    assert asked.answer == "yes"
    assert not await store.approvals.answer(CallId("call"), "no", "late")
    assert (await store.size())["blocks"] == 2
    assert await store.verify() == ()


async def test_open_questions_are_listed_and_asked_once(store):
    made, other = await conversation(store), await conversation(store)
    await _ask(store, made)
    await _ask(store, made)
    await _ask(store, other, turn="other")

    assert len(await store.approvals.open()) == 2
    (asked,) = await store.approvals.open(made)
    assert (asked.rule, asked.answer) == ("Bash(ls:*)", None)
    assert await store.approvals.answer(CallId("call"), "no", "me", "why")
    assert await store.approvals.open(other) == ()
    assert len(await store.approvals.open(made)) == 1


async def test_a_call_id_that_a_model_repeats_is_asked_again(store):
    made = await conversation(store)
    for answer in ("yes", "no"):
        await _ask(store, made)
        assert await store.approvals.answer(CallId("call"), answer, "me")

    answers = [a.answer for a in await store.approvals.of_turn(TurnId("turn"))]
    assert answers == ["yes", "no"]


async def test_blobs_are_kept_once(store):
    digest = await store.blobs.put(b"bytes")
    assert await store.blobs.put(b"bytes") == digest == _sha(b"bytes")
    assert await store.blobs.get(digest) == b"bytes"
    assert await store.blobs.get("none") is None
    assert (await store.size())["blob_bytes"] == 5
