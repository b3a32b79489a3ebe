"""What a person said is found beside memories, unless something later hides it."""

import pytest

from hermes.core.ids import ConversationId, SessionId, TurnId, uuid7
from hermes.core.message import Message, Text
from hermes.core.request import TurnRequest
from hermes.memory.past import asks_past, bare
from hermes.memory.recall import Recaller
from hermes.store.conversations import NewConversation
from hermes.testing.history.keep import root_of
from tests.memory.talk import DAY, NOW, PROJECT, lines, say


async def test_a_sentence_that_no_rule_knows_is_found_with_its_date(store, dial):
    await say(store, dial, "Before lunch: the kiln room smells of resin. Open the window.")
    (line,) = await lines(store, dial, "what does the kiln room smell of?")
    assert line == "said 2026-11-17: Before lunch: the kiln room smells of resin."


@pytest.mark.parametrize(
    "text",
    [
        "does the kiln smell of resin?",
        "Suppose the kiln smells of resin.",
        "Maybe the kiln smells of resin.",
        "Off the record: the kiln smells of resin.",
        "the kiln smells of resin, but forget I said so",
        "You needn't keep this: the kiln smells of resin.",
        "Translate into German: the kiln smells of resin.",
        "> the kiln smells of resin",
        "```\nthe kiln smells of resin\n```",
        "write that the kiln smells of resin",
        "In the walrus project the kiln smells of resin.",
        "my last company's kiln always smelled of resin",
        "the kiln password is resin-4711-smell",
        "Just for this rehearsal, the kiln smells of resin.",
    ],
)
async def test_what_is_not_stated_is_never_found(store, dial, text):
    await say(store, dial, text)
    assert await lines(store, dial, "what does the kiln smell of?") == []


@pytest.mark.parametrize(
    "text",
    [
        "Put this in your notebook: the kiln smells of resin.",
        "It is official, as of this spring the kiln smells of resin.",
        "from now on the kiln smells of resin",
        "Übrigens: the kiln smells of resin",
        "Not tar, resin. The kiln smells of resin.",
    ],
)
async def test_what_only_leads_to_a_statement_hides_none(store, dial, text):
    await say(store, dial, text)
    (line,) = await lines(store, dial, "what does the kiln smell of?")
    assert line == f"said 2026-11-17: {text.removeprefix('Not tar, resin. ')}"


async def test_only_typed_words_of_public_talk_here_are_found(store, dial):
    words = "the kiln smells of resin"
    await say(store, dial, words, private=True)
    await say(store, dial, words, project=1)
    conversation, session, turn = ConversationId(uuid7()), SessionId(uuid7()), TurnId(uuid7())
    text = f"look\n{words}"
    request = TurnRequest(
        turn_id=turn, text=text, typed=4, cwd=root_of(0), root=root_of(0),
        conversation_id=conversation, interactive=True,
    )  # fmt: skip
    piped = Message(
        conversation=conversation, session=session, turn=turn, role="user", parts=(Text(text),),
        at=NOW, node=store.node, salt=uuid7(), parents=(),
    )  # fmt: skip
    await store.turns.begin(request, (piped,), new=NewConversation(conversation, root_of(0)))
    assert await lines(store, dial, "what does the kiln smell of?") == []


async def test_what_is_said_later_hides_what_was_said_before(store, dial):
    await say(store, dial, "the kiln smells of resin", "the kiln smells of tar")
    assert await lines(store, dial, "what does the kiln smell of?") == [
        "said 2026-11-17: the kiln smells of tar"
    ]
    assert await lines(store, dial, "what did the kiln smell of before?") == [
        "said 2026-11-17: the kiln smells of tar",
        "said 2026-11-16, until 2026-11-17: the kiln smells of resin",
    ]


async def test_the_same_of_something_else_hides_nothing(store, dial):
    await say(store, dial, "the kiln smells of resin", "the attic smells of dust")
    assert await lines(store, dial, "what does the kiln smell of?", 1) == [
        "said 2026-11-16: the kiln smells of resin"
    ]


async def test_a_memory_hides_the_sentence_that_it_repeats_or_replaces(store, dial):
    await say(store, dial, "the kiln smells of resin")
    await store.memory.add(PROJECT, "fact", "the kiln smells of tar")
    assert await lines(store, dial, "what does the kiln smell of?") == ["the kiln smells of tar"]


async def test_a_superseded_memory_answers_questions_about_the_past(store, dial):
    old = await store.memory.add(PROJECT, "fact", "the kiln smells of resin")
    await store.memory.supersede(old, "the kiln smells of tar")
    dial.now += DAY
    assert await lines(store, dial, "what does the kiln smell of?") == ["the kiln smells of tar"]
    assert await lines(store, dial, "what did the kiln smell of previously?") == [
        "the kiln smells of tar",
        "until 2026-11-18: the kiln smells of resin",
    ]


async def test_what_is_forgotten_is_not_found_in_talk_either(store, dial):
    await say(store, dial, "the kiln smells of resin", "as ever, the kiln smells of resin")
    memory = await store.memory.add(PROJECT, "fact", "The kiln smells of resin")
    recaller = Recaller(store, dial)
    await recaller.forgetting(await store.memory.get(memory))
    await store.memory.forget(memory)
    assert await recaller.ask(PROJECT, "what does the kiln smell of?") == ()
    assert await recaller.ask(PROJECT, "what did the kiln smell of before?") == ()


async def test_what_has_an_end_is_over_after_it(store, dial):
    await say(store, dial, "Until 2026-11-25 the kiln is heated with peat.")
    question = "what is the kiln heated with?"
    assert len(await lines(store, dial, question)) == 1
    dial.now += 30 * DAY
    assert await lines(store, dial, question) == []


async def test_the_name_in_the_best_hit_is_followed(store, dial):
    await say(store, dial, "Odalys owns the kiln", "Odalys sleeps in Graz", "Bram sleeps in Porto")
    found = await lines(store, dial, "in which town does the owner of the kiln sleep?")
    assert [line.partition(": ")[2] for line in found][:2] == [
        "Odalys owns the kiln",
        "Odalys sleeps in Graz",
    ]


@pytest.mark.parametrize(
    ("question", "past"),
    [
        ("what was the port before it became 80?", True),
        ("which port did we use previously?", True),
        ("wie hieß der Server früher?", True),
        ("quel était le port avant ?", True),
        ("¿cuál era el puerto antes?", True),
        ("whom do I ask before I change billing?", False),
        ("what is the port?", False),
        ("que faire avant de livrer ?", False),
    ],
)
def test_questions_about_the_past_are_told_by_their_words(question, past):
    assert asks_past(question) is past


def test_a_question_about_the_past_loses_what_came_after():
    assert bare("what was the port before it became 80?") == "what was the port"


@pytest.mark.parametrize("query", ["", "?!", '"', "\0", "\ud800", "NEAR(a b)", "*", "a" * 99_999])
async def test_any_text_is_a_valid_question(store, dial, query):
    await say(store, dial, "the kiln smells of resin")
    await Recaller(store, dial).ask(PROJECT, query)
