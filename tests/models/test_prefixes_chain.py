"""Chains: two requests share exactly the messages that they begin with."""

from hypothesis import given
from hypothesis import strategies as st

from hermes.core.model import ChatMessage, ModelRequest, ToolSpec
from hermes.models.prefixes_chain import begins, chain_of, length_of, shared_bytes, shared_tokens

TOOL = ToolSpec("FileRead", "Read a file.", {"type": "object"})
MESSAGES = st.lists(
    st.builds(ChatMessage, st.sampled_from(["user", "assistant"]), st.text(max_size=20)), max_size=6
)


def asking(messages, system="s", tools=()) -> ModelRequest:
    return ModelRequest(system, tuple(messages), tools)


@given(MESSAGES, MESSAGES, MESSAGES)
def test_what_is_shared_is_the_common_beginning(common, one, other):
    mine, theirs = asking(common + one), asking(common + other)
    same = 0
    for a, b in zip(mine.messages, theirs.messages, strict=False):
        if a != b:
            break
        same += 1
    first, second = chain_of(mine), chain_of(theirs)
    assert shared_bytes(first, second) == shared_bytes(second, first) == first[same].end
    assert begins(first, chain_of(asking(common)))
    assert begins(first, second) == (mine.messages[: len(theirs.messages)] == theirs.messages)


@given(MESSAGES)
def test_another_system_or_other_tools_share_nothing(messages):
    chain = chain_of(asking(messages))
    assert shared_bytes(chain, chain_of(asking(messages, system="other"))) == 0
    assert shared_bytes(chain, chain_of(asking(messages, tools=(TOOL,)))) == 0


def test_two_short_messages_are_not_one_long():
    apart = chain_of(asking([ChatMessage("user", "a"), ChatMessage("user", "b")]))
    whole = chain_of(asking([ChatMessage("user", "ab")]))
    assert shared_bytes(apart, whole) == apart[0].end


def test_tokens_are_shared_in_proportion():
    short = chain_of(asking([ChatMessage("user", "x" * 1_000)]))
    longer = chain_of(
        asking([ChatMessage("user", "x" * 1_000), ChatMessage("assistant", "y" * 1_000)])
    )
    assert shared_tokens(longer, short, 300) == 300
    assert 140 < shared_tokens(short, longer, 300) < 160
    assert shared_tokens(short, (), 300) == 0
    assert length_of(()) == 0
