"""Joined text: nothing lost, nothing out of order, nothing but text ever held."""

import math

import anyio
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.event import Event, Notice, TextDelta, TurnFinished, Usage
from hermes.core.ids import ConversationId, TurnId
from hermes.gateway.gather import gathered


def head(turn="t"):
    """The fields of every event."""
    return {"conversation_id": ConversationId("c"), "turn_id": TurnId(turn), "at": 1}


def text(words, turn="t"):
    """More of an answer."""
    return TextDelta(**head(turn), text=words)


def flat(events):
    """Events as they would read letter by letter."""
    for event in events:
        if isinstance(event, TextDelta):
            yield from ((event.turn_id, letter) for letter in event.text)
        else:
            yield event


@given(
    st.lists(
        st.one_of(
            st.builds(text, st.text(min_size=1, max_size=3), st.sampled_from("ab")),
            st.builds(lambda words: Notice(**head(), text=words), st.text(max_size=3)),
        )
    ),
    st.sampled_from([0.0, 0.001, 1000.0]),
)
def test_everything_comes_once_and_in_order(events, pause_s):
    async def main():
        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        with send, receive:
            for event in events:
                send.send_nowait(event)
            send.close()
            return [event async for event in gathered(receive, pause_s)]

    came = anyio.run(main)
    assert list(flat(came)) == list(flat(events))
    assert len(came) <= len(events)


async def test_only_text_after_text_waits():
    send, receive = anyio.create_memory_object_stream[Event](math.inf)
    with send, receive, anyio.fail_after(20):
        came = gathered(receive, 1000.0)
        send.send_nowait(text("a"))
        assert await anext(came) == text("a")
        send.send_nowait(text("b"))
        send.send_nowait(text("c"))
        over = TurnFinished(**head(), text="abc", usage=Usage())
        send.send_nowait(over)
        assert await anext(came) == text("bc")
        assert await anext(came) == over
        await came.aclose()


async def test_what_was_held_leaves_in_time():
    send, receive = anyio.create_memory_object_stream[Event](math.inf)
    with send, receive, anyio.fail_after(20):
        came = gathered(receive, 0.01)
        send.send_nowait(text("a"))
        assert await anext(came) == text("a")
        send.send_nowait(text("b"))
        assert await anext(came) == text("b")
        await came.aclose()
