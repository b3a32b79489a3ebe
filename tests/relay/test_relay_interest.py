"""What is handed on, to whom; messages in pieces; words that hide."""

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay_people import author_at

from relay.fragments import Fragments
from relay.frames import FrameTooLarge, masked_frame, split
from relay.interest import Interest

kinds = st.one_of(st.none(), st.frozensets(st.integers(0, 5), max_size=3))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("asks"), st.integers(0, 2), st.sampled_from("abc"), st.lists(kinds)),
        st.tuples(st.just("ends"), st.integers(0, 2), st.sampled_from("abc"), st.just([])),
        st.tuples(st.just("leaves"), st.integers(0, 2), st.just(""), st.just([])),
    ),
    max_size=30,
)


def question(name, filters):
    said = [{} if some is None else {"kinds": sorted(some)} for some in filters]
    return msgspec.json.encode(["REQ", name, *said])


@given(steps)
def test_nobody_who_asked_is_passed_over(done):
    """Whoever asked and did not close: what he wants counts; and all is over when all left."""
    interest, wanted = Interest(), {}
    for what, who, name, filters in done:
        if what == "asks":
            interest.asks(who, question(name, filters))
            wanted.setdefault(who, {})[name] = filters
        elif what == "ends":
            interest.ends(who, name)
            wanted.get(who, {}).pop(name, None)
        else:
            interest.leaves(who)
            wanted.pop(who, None)
        asked = [some for names in wanted.values() for each in names.values() for some in each]
        for kind in range(6):
            if any(some is None or kind in some for some in asked):
                assert interest.has(kind)
    for who in range(3):
        interest.leaves(who)
    assert not any(map(interest.has, range(6)))


@pytest.mark.parametrize(
    "said",
    [
        '["REQ"]',
        '["REQ",7,{}]',
        '["REQ","x",{"kinds":"1"}]',
        '["REQ","x",{"kinds":[1.5]}]',
        "[" * 9,
    ],
)
def test_what_cannot_be_read_counts_as_everything(said):
    interest = Interest()
    interest.asks(1, said.encode())
    assert interest.has(7)


def test_interest_is_bounded():
    interest = Interest()
    for name in range(5_000):
        interest.asks(1, question(str(name), [{name}]))
    interest.asks(2, question("large", [frozenset(range(9_000, 12_000))]))
    assert len(interest._open[1]) <= 201
    assert interest.has(65_000)
    interest.leaves(1)
    interest.leaves(2)
    assert not interest.has(1)


@given(st.binary(max_size=70_000), st.lists(st.integers(0, 70_000), max_size=5))
def test_pieces_become_the_message(content, cuts):
    at = sorted(min(cut, len(content)) for cut in cuts)
    pieces = [content[a:b] for a, b in zip([0, *at], [*at, len(content)], strict=True)]
    wire = bytearray()
    for number, piece in enumerate(pieces):
        frame = bytearray(masked_frame(0 if number else 1, piece).raw)
        frame[0] = (frame[0] & 0x0F) | (0x80 if number == len(pieces) - 1 else 0)
        wire += frame + masked_frame(9, b"ping").raw
    fragments = Fragments(1 << 20)
    found = [whole for frame in split(wire, 1 << 20) if (whole := fragments.take(frame))]
    (message,) = [one for one in found if one.is_text]
    assert message.content() == content
    assert len(found) == len(pieces) + 1
    assert split(bytearray(message.raw), 1 << 20) == [message]


def test_endless_pieces_are_cut_off():
    fragments = Fragments(1_000)
    begun = bytearray(masked_frame(1, b"x" * 600).raw)
    begun[0] = 1
    (first,) = split(begun, 1 << 20)
    more = bytearray(masked_frame(0, b"x" * 600).raw)
    more[0] = 0
    (second,) = split(more, 1 << 20)
    assert fragments.take(first) is None
    with pytest.raises(FrameTooLarge):
        fragments.take(second)


async def test_messages_in_pieces(relay, author, other):
    await other.client.say_in_pieces(["REQ", "live", {"kinds": [7_777], "limit": 0}])
    assert (await other.client.hear())[0] == "EOSE"
    event = author.event(7_777, "in pieces")
    await author.client.say_in_pieces(["EVENT", event])
    assert await author.client.verdict(event["id"]) == (True, "")
    assert (await other.client.hear())[2]["id"] == event["id"]


async def test_subscribers_hear_after_others_came_and_went(relay, author, other):
    await other.client.say(["REQ", "a", {"kinds": [7_778], "limit": 0}])
    await other.client.hear()
    async with author_at(relay) as third:
        await third.client.say(["REQ", "a", {"kinds": [7_778], "limit": 0}])
        await third.client.hear()
        await third.client.say(["CLOSE", "a"])
    event = await author.post(7_778)
    assert (await other.client.hear())[2]["id"] == event["id"]


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
async def test_what_is_said_with_the_handshake_is_heard_like_the_rest(relay, author, end):
    """Else it would go by the door: COUNT unasked, subscriptions unknown."""
    await author.post(1)
    count = masked_frame(1, msgspec.json.encode(["COUNT", "c", {"authors": [author.key]}])).raw
    ask = masked_frame(1, msgspec.json.encode(["REQ", "q", {"kinds": [7_779], "limit": 0}])).raw
    handshake = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with await anyio.connect_tcp("127.0.0.1", int(relay.url.rsplit(":", 1)[1])) as stream:
        await stream.send(handshake.replace(b"\r\n", end) + count + ask)
        data = b""
        with anyio.fail_after(20):
            while b"EOSE" not in data or b"CLOSED" not in data:
                data += await stream.receive()
            assert b'["COUNT"' not in data
            event = await author.post(7_779)
            while event["id"].encode() not in data:
                data += await stream.receive()


@pytest.mark.parametrize("hidden", ["pieces", "spaces", "escape"])
async def test_a_word_that_hides_is_no_way_in(author, stranger, hidden):
    """COUNT is for those who are known, however it is written."""
    await author.post(1)
    said = ["COUNT", "c", {"authors": [author.key]}]
    if hidden == "pieces":
        await stranger.client.say_in_pieces(said)
    else:
        text = msgspec.json.encode(said).decode()
        spaced = text.replace("[", "[" + " " * 40, 1)
        await stranger.client.say(spaced if hidden == "spaces" else text.replace("C", "\\u0043", 1))
    assert (await stranger.client.hear())[0] in {"CLOSED", "NOTICE"}
