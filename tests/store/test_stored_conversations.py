import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.core.ids import CallId, ConversationId, uuid7
from hermes.core.message import Text, ToolCall, ToolResult, block_of
from hermes.errors import ConversationUnknown, StoreError
from tests.store.talk import chain, conversation, message


async def test_a_conversation_is_listed_with_its_first_words(store):
    made = await conversation(store, "fix  the\nbug please" + "x" * 100, "done")

    info = await store.conversations.get(made)

    assert info.title.startswith("fix the bug please")
    assert len(info.title) == 80
    assert info.messages == 2
    assert info.root == "/root"
    assert not info.private


async def test_a_given_title_stays(store):
    made = ConversationId(uuid7())
    await store.conversations.create(conversation=made, title="mine", root="/", private=True)
    await store.conversations.append(message("words", made))

    info = await store.conversations.get(made)

    assert (info.title, info.private) == ("mine", True)


async def test_the_list_is_newest_first_and_by_root(store):
    first = await conversation(store, root="/a")
    second = await conversation(store, root="/b")
    third = await conversation(store, root="/a")

    everything = [info.id for info in await store.conversations.list(10, 0)]
    of_a = [info.id for info in await store.conversations.list(10, 0, root="/a")]
    page = [info.id for info in await store.conversations.list(1, 1)]

    assert everything == [third, second, first]
    assert of_a == [third, first]
    assert page == [second]


async def test_history_is_oldest_first_and_equal_to_what_was_appended(store):
    made = await conversation(store)
    messages = chain(made, "one", "two", "three")
    await store.conversations.append(*messages[:2])
    cids = await store.conversations.append(messages[2])

    history = await store.conversations.history(made)

    assert [stored.message for stored in history] == messages
    assert [stored.cid for stored in history] == [block_of(one).cid for one in messages]
    assert (await store.conversations.get(made)).heads == cids


async def test_appending_twice_changes_nothing(store):
    made = await conversation(store)
    messages = chain(made, "one", "two")
    await store.conversations.append(*messages)
    before = await store.conversations.get(made)
    await store.conversations.append(*messages)

    assert await store.conversations.get(made) == before
    assert len(await store.conversations.history(made)) == 2
    assert len(await store.search.messages("one")) == 1


async def test_a_merge_keeps_branches_together_and_counts_its_past_once(store):
    made = await conversation(store)
    base = chain(made, "base")
    fork = (block_of(base[0]).cid,)
    left = chain(made, "left 1", "left 2", parents=fork)
    right = chain(made, "right 1", "right 2", parents=fork)
    ends = (block_of(left[-1]).cid, block_of(right[-1]).cid)
    merge = message("merge", made, ends)
    # Committed alternately, as two nodes would.
    for one in (*base, left[0], right[0], left[1], right[1]):
        await store.conversations.append(one)
    await store.conversations.set_heads(made, ends)
    assert (await store.conversations.get(made)).messages == 5
    await store.conversations.append(merge)

    history = await store.conversations.history(made)

    assert [stored.message.text for stored in history] == [
        "base", "left 1", "left 2", "right 1", "right 2", "merge",
    ]  # fmt: skip
    assert (await store.conversations.get(made)).messages == 6


async def test_undo_moves_the_head_and_loses_nothing(store):
    made = await conversation(store)
    messages = chain(made, "one", "two", "three")
    cids = await store.conversations.append(*messages)

    await store.conversations.set_heads(made, cids[:1])

    assert [s.message.text for s in await store.conversations.history(made)] == ["one"]
    assert (await store.conversations.get(made)).messages == 1
    assert [hit.cid for hit in await store.search.messages("three")] == [cids[2]]
    await store.conversations.set_heads(made, ())
    assert await store.conversations.history(made) == ()


async def test_a_fork_shares_the_past_and_then_goes_its_own_way(store):
    made = await conversation(store, "shared")
    await store.conversations.set_private(made, private=True)
    new = ConversationId(uuid7())

    info = await store.conversations.fork(made, new)
    await store.conversations.append(message("only here", new, info.heads))

    assert (info.id, info.title, info.private, info.messages) == (new, "shared", True, 1)
    texts = [s.message.text for s in await store.conversations.history(new)]
    assert texts == ["shared", "only here"]
    assert len(await store.conversations.history(made)) == 1


async def test_unknown_conversations_are_named(store):
    nobody = ConversationId(uuid7())
    calls = (
        lambda: store.conversations.get(nobody),
        lambda: store.conversations.history(nobody),
        lambda: store.conversations.append(message("lost", nobody)),
        lambda: store.conversations.set_heads(nobody, ()),
        lambda: store.conversations.set_title(nobody, "t"),
        lambda: store.conversations.set_private(nobody, private=True),
        lambda: store.conversations.fork(nobody, ConversationId(uuid7())),
    )
    for call in calls:
        with pytest.raises(ConversationUnknown, match=nobody):
            await call()
    assert await store.search.messages("lost") == ()
    assert await store.verify() == ()


async def test_an_id_taken_twice_is_refused(store):
    made = await conversation(store, "first")

    with pytest.raises(StoreError, match="UNIQUE"):
        await store.conversations.create(conversation=made, title="", root="/", private=False)


async def test_a_prefix_is_completed_when_it_is_long_and_unique(store):
    for identity in ("aaaaaaaa-1", "aaaaaaaa-2", "bbbbbbbb-1"):
        await store.conversations.create(
            conversation=ConversationId(identity), title="", root="/", private=False
        )

    assert await store.conversations.resolve("BBBBBB") == "bbbbbbbb-1"
    assert await store.conversations.resolve("aaaaaaaa-2") == "aaaaaaaa-2"
    for prefix, why in (("aaaaaa", "several"), ("bbb", "too short"), ("cccccc", "no conv")):
        with pytest.raises(ConversationUnknown, match=why):
            await store.conversations.resolve(prefix)


async def test_sessions_open_and_close_once(store):
    made = await conversation(store)
    first = await store.conversations.open_session(made, 1)
    await store.conversations.close_session(first, 2)
    await store.conversations.close_session(first, 3)
    second = await store.conversations.open_session(made, 4)

    assert first != second
    assert (await store.size())["blocks"] == 3
    assert await store.verify() == ()
    with pytest.raises(StoreError, match="no session"):
        await store.conversations.close_session(uuid7(), 1)


async def test_a_long_history_is_whole(store):
    made = await conversation(store)
    await store.conversations.append(*chain(made, *map(str, range(10_000))))

    with anyio.fail_after(20):
        history = await store.conversations.history(made)

    assert [stored.message.text for stored in history] == list(map(str, range(10_000)))


async def test_text_that_is_no_unicode_is_refused(store):
    made = await conversation(store, "before")

    with pytest.raises(StoreError, match="cannot be stored"):
        await store.conversations.append(message("half a pair: \ud83d", made))
    with pytest.raises(StoreError):
        await store.conversations.set_title(made, "\ud83d")
    with pytest.raises(StoreError):
        await store.conversations.resolve("abcdef\ud83d")
    with pytest.raises(StoreError):
        await store.memory.add("p", "fact", "\ud83d")

    assert len(await store.conversations.history(made)) == 1


_text = st.text(st.characters(codec="utf-8"))
_parts = st.one_of(
    st.builds(Text, _text),
    st.builds(ToolCall, st.builds(CallId, _text), _text, _text),
    st.builds(ToolResult, st.builds(CallId, _text), _text, _text, st.booleans(), st.booleans()),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(_parts, max_size=4).map(tuple),
    raw=_text,
    at=st.integers(0, 2**62),
    role=st.sampled_from(["user", "assistant", "tool", "system"]),
)
async def test_whatever_a_message_holds_comes_back(store, parts, raw, at, role):
    made = await conversation(store)
    plain = message("", made)
    sent = type(plain)(
        made, plain.session, plain.turn, role, parts, at, plain.node, plain.salt, (), raw
    )
    await store.conversations.append(sent)

    (stored,) = await store.conversations.history(made)

    assert stored.message == sent
    assert stored.cid == block_of(sent).cid
    assert await store.verify() == ()
