"""What became of each message of a conversation."""

from hypothesis import given
from hypothesis import strategies as st

from hermes.core.model import ChatMessage
from hermes.prompt.account import Share, account
from hermes.prompt.budget import Cut, apply_cut, fit, size_of

TALK = [
    ChatMessage("user", "the first words " * 20),
    ChatMessage("assistant", "yes"),
    ChatMessage("user", "the task"),
    ChatMessage("assistant", "one"),
    ChatMessage("tool", "r" * 2_000),
    ChatMessage("assistant", "two"),
    ChatMessage("tool", "s" * 2_000),
    ChatMessage("assistant", "three"),
]


def test_every_message_is_somewhere():
    cut = Cut(results=7, dropped=2, gap=3, gap_end=5, digest="what was", told=2)
    found = account(TALK, cut)
    assert found.summarised.messages == 2
    assert found.summarised.shown == len("what was")
    assert found.dropped.messages == 2  # the steps, of which nothing tells
    assert found.shortened.messages == 1
    assert found.kept.messages == 3
    whole = account(TALK, Cut())
    assert whole.kept == Share(8, sum(map(size_of, TALK)), sum(map(size_of, TALK)))


_messages = st.lists(
    st.builds(
        ChatMessage,
        st.sampled_from(["user", "assistant", "tool"]),
        st.text(max_size=30) | st.integers(300, 3_000).map("x".__mul__),
    ),
    min_size=1,
    max_size=20,
)


@given(_messages, st.integers(200, 10_000), st.booleans())
def test_the_shares_are_the_conversation(messages, budget, soft):
    cut = fit(messages, budget, Cut(), soft=soft)
    found = account(messages, cut)
    shares = (found.kept, found.shortened, found.summarised, found.dropped)
    assert sum(share.messages for share in shares) == len(messages)
    assert sum(share.bytes for share in shares) == sum(map(size_of, messages))
    assert found.kept.messages + found.shortened.messages == len(apply_cut(messages, cut))
