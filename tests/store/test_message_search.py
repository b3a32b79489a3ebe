from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.store.talk import chain, conversation


async def _texts(store, query, **more):
    found = await store.search.messages(query, **more)
    return [hit.snippet for hit in found]


async def test_every_word_has_to_be_there(store):
    await conversation(store, "red apple", "green apple", "red wine")

    assert await _texts(store, "apple") == ["green apple", "red apple"]
    assert await _texts(store, "apple RED") == ["red apple"]
    assert await _texts(store, "apple blue") == []
    assert await _texts(store, "apple", limit=1) == ["green apple"]


async def test_quotes_keep_a_phrase_together(store):
    await conversation(store, "one two three", "two one three")

    assert await _texts(store, '"one two" three') == ["one two three"]
    assert len(await _texts(store, "one two")) == 2
    assert await _texts(store, "two-one") == ["two one three"]
    assert await _texts(store, '"one two') == ["two one three", "one two three"]


async def test_operators_are_words(store):
    await conversation(store, "cats and dogs", "cats", "cats or near not dogs")

    assert await _texts(store, "cats AND dogs") == ["cats and dogs"]
    assert await _texts(store, "cats OR dogs") == ["cats or near not dogs"]
    assert await _texts(store, "text:cats") == []
    assert await _texts(store, "cat*") == []
    assert len(await _texts(store, "(cats) ^cats -cats + ?")) == 3


async def test_accents_and_case_do_not_matter(store):
    await conversation(store, "Ein schönes Café", "ναὶ ΣΟΦΙΑ", "日本語 テキスト")

    assert await _texts(store, "cafe SCHONES") == ["Ein schönes Café"]
    assert await _texts(store, "σοφια") == ["ναὶ ΣΟΦΙΑ"]
    assert await _texts(store, "日本語") == ["日本語 テキスト"]


async def test_a_conversation_can_be_searched_alone(store):
    first = await conversation(store, "shared word here")
    second = await conversation(store, "shared word there")

    (hit,) = await store.search.messages("shared", conversation=first)
    assert (hit.conversation, hit.snippet) == (first, "shared word here")
    assert (hit.turn, hit.role) == ("turn", "user")
    assert len(await store.search.messages("shared word")) == 2
    # The conversation's own name is no word of its messages.
    assert await store.search.messages(second) == ()
    assert await store.search.messages(second.replace("-", "")) == ()


async def test_the_best_come_first_when_asked_for(store):
    await conversation(store, "needle needle needle", "a needle in " + "hay " * 50)

    best = await store.search.messages("needle", newest=False)
    newest = await store.search.messages("needle")

    assert best[0].snippet == "needle needle needle"
    assert newest[0].snippet.startswith("a needle")


async def test_a_snippet_is_short_and_around_the_match(store):
    await conversation(store, "before " * 500 + "needle" + " after" * 500)

    (snippet,) = await _texts(store, "needle")

    assert "needle" in snippet
    assert len(snippet) < 300


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.one_of(st.text(), st.text('"*:()^-+ANDORNTE{}\0\ud800 aword')))
@example('"')
@example("a\0b")
@example("\ud800x")
@example("NEAR(a b, 2)")
@example("x " * 2000)
@example('""""')
async def test_no_query_is_an_error(store, query):
    for newest in (True, False):
        await store.search.messages(query, newest=newest)
    await store.search.messages(query, conversation=query)
    await store.memory.recall("p", query)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.from_regex(r"[a-z0-9äöü]{1,12}", fullmatch=True), min_size=1, max_size=8))
async def test_a_message_is_found_by_each_of_its_words(store, words):
    made = await conversation(store)
    cids = await store.conversations.append(*chain(made, " ".join(words)))

    for query in (*words, " ".join(words), f'"{" ".join(words)}"'):
        assert [h.cid for h in await store.search.messages(query, conversation=made)] == [*cids]
