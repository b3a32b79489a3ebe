import time
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import anyio
import msgspec
import pytest

from hermes.identity.hot import HotKey
from hermes.mesh.envelope import Letter, seal, write
from hermes.mesh.event import ENVELOPE, WRAP, Filter, Known, Rumour
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_catch_up import catch_up, pages, windows
from hermes.mesh.nostr_direct import DirectLink
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.nostr_parts import WHOLE, Parts, cut
from hermes.mesh.post import Post
from hermes.store.store import Store
from hermes.testing.relays import local_relay, meddler

ANNE, BERT = HotKey(b"\1" * 32), HotKey(b"\2" * 32)
FRIENDS = {ANNE.public, BERT.public}
NOTES = Filter(kinds=(1,))


def now():
    return int(time.time())


class Node:
    def __init__(self, post, link, wire, store):
        self.post, self.link, self.wire, self.store = post, link, wire, store


@pytest.fixture
def node(tmp_path, clock):
    """A node on real relays, with its own store; opened again it is the same node."""

    @asynccontextmanager
    async def opened(key, *urls, **rest):
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(
                Store.open(tmp_path / f"{key.public[:8]}.db", clock)
            )
            wire = await stack.enter_async_context(Wire(NostrKeys(key.secret), clock))
            await wire.connect(urls)
            link = NostrLink(wire, store.mesh, clock, known=FRIENDS.__contains__, **rest)
            post = Post(key, store.mesh, [link], clock, lambda who, _kind: who in FRIENDS)
            await stack.enter_async_context(post)
            yield Node(post, link, wire, store)

    return opened


def letter(text="hey", to=BERT):
    return Letter(to.public, "turn", text.encode(), "c1")


async def next_of(stream):
    with anyio.fail_after(20):
        return await stream.receive()


async def exchange(anne, bert, turns, text="hey"):
    name = await anne.post.send(letter(text))
    arrival = await next_of(turns)
    assert (arrival.envelope.id, arrival.envelope.data.decode()) == (name, text)
    await bert.post.settle(arrival.envelope)
    with anyio.fail_after(20):
        assert (await anne.post.outcome(name)).arrived


async def ready(*nodes):
    with anyio.fail_after(20):
        for one in nodes:
            await one.link.caught_up.wait()


async def test_a_letter_goes_over_a_relay_and_back_comes_its_receipt(node, relay):
    async with node(ANNE, relay) as anne, node(BERT, relay) as bert:
        turns = bert.post.received("turn")
        await ready(anne, bert)
        await exchange(anne, bert, turns)
        await exchange(anne, bert, turns, 'long "quoted" ' * 6_000)  # in parts
        assert (await bert.post.refused()) == ()


async def test_live_letters(node, relay):
    async with node(ANNE, relay) as anne, node(BERT, relay) as bert:
        events = bert.post.received("event")
        await ready(anne, bert)
        assert (await anne.post.send_live(Letter(BERT.public, "event", b"{}"))).taken
        assert not (await next_of(events)).durable


async def test_what_came_while_a_node_was_away_is_brought_once(node, relay):
    async with node(ANNE, relay) as anne:
        names = {await anne.post.send(letter(f"n{n}")) for n in range(20)}
        with anyio.fail_after(20):
            while len(await anne.wire.fetch(Filter(kinds=(WRAP,)), url=relay)) < 20:
                await anyio.lowlevel.checkpoint()
        async with node(BERT, relay) as bert:
            turns = bert.post.received("turn")
            got = set()
            for _ in names:
                arrival = await next_of(turns)
                got.add(arrival.envelope.id)
                await bert.post.settle(arrival.envelope)
            assert got == names
            for name in names:
                with anyio.fail_after(20):
                    assert (await anne.post.outcome(name)).arrived
    async with node(BERT, relay) as bert:
        turns = bert.post.received("turn")
        await ready(bert)
        with pytest.raises(anyio.WouldBlock):
            turns.receive_nowait()


async def test_a_relay_that_dies_leaves_it_to_the_other(node, relay):
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(local_relay())
        async with node(ANNE, relay, second) as anne, node(BERT, relay, second) as bert:
            turns = bert.post.received("turn")
            await ready(anne, bert)
            await exchange(anne, bert, turns)
            await stack.aclose()
            await exchange(anne, bert, turns, "still here")


async def test_a_relay_that_drops_doubles_and_turns_around(node, relay):
    held = []

    def mischief(way, frame):
        if way != "down" or frame[0] != "EVENT":
            return [frame]
        held.append(frame)
        if len(held) % 3 == 1:
            return []
        return [frame, *reversed(held[-3:]), frame]

    async with meddler(relay, mischief) as bad, node(ANNE, bad) as anne, node(BERT, bad) as bert:
        turns = bert.post.received("turn")
        await ready(anne, bert)
        names = {await anne.post.send(letter(f"n{n}")) for n in range(12)}
        got = []
        for _ in names:
            arrival = await next_of(turns)
            got.append(arrival.envelope.id)
            await bert.post.settle(arrival.envelope)
        assert sorted(got) == sorted(names)


async def test_a_relay_that_delays_makes_it_late_and_once(node, relay):
    async with (
        meddler(relay, lambda _way, frame: [0.3, frame]) as slow,
        node(ANNE, slow) as anne,
        node(BERT, slow) as bert,
    ):
        turns = bert.post.received("turn")
        await ready(anne, bert)
        for number in range(3):
            await exchange(anne, bert, turns, f"n{number}")
        with pytest.raises(anyio.WouldBlock):
            turns.receive_nowait()


async def test_a_relay_that_says_ok_and_keeps_nothing(node, relay):
    """Its word counts for nothing: without a receipt the letter is sent again."""
    swallowed = []

    def lie(way, frame):
        if way == "up" and frame[0] == "EVENT" and frame[1]["kind"] == WRAP and not swallowed:
            swallowed.append(frame[1]["id"])
            frame[1]["content"] = "spoilt: the relay refuses it"
        elif way == "down" and frame[0] == "OK" and frame[1] in swallowed:
            assert not frame[2]
            frame = ["OK", frame[1], True, ""]
        return [frame]

    async with meddler(relay, lie) as liar, node(ANNE, liar) as anne, node(BERT, relay) as bert:
        turns = bert.post.received("turn")
        await ready(anne, bert)
        await exchange(anne, bert, turns)
        assert len(swallowed) == 1


async def test_a_flood_of_wraps_from_strangers_keeps_nobody_out(node, relay):
    eve = NostrKeys(b"\5" * 32)
    async with node(BERT, relay) as bert, node(ANNE, relay) as anne:
        turns = bert.post.received("turn")
        await ready(anne, bert)
        shut = HotKey(b"\5" * 32)
        for n in range(60):
            data = write(seal(shut, letter(f"buy {n}"), n, now() * 1000)).decode()
            tags = (("part", "ab" * 32, "0", "9"),) if n % 3 == 1 else ()
            content = data if n % 3 else "junk"
            rumour = eve.rumour(ENVELOPE, content, tags, now())
            wrap = eve.wrap(BERT.public, rumour, now() + 600, now=now(), live=False)
            if n % 5 == 4:
                wrap = eve.sign(WRAP, "no cipher", (("p", BERT.public),), now() - n)
            await anne.wire.publish(wrap)
        await exchange(anne, bert, turns)
        with pytest.raises(anyio.WouldBlock):
            turns.receive_nowait()
        reasons = {one.reason for one in await bert.post.refused()}
        assert reasons == {"not admitted", "malformed"}
        assert bert.link.refused["malformed"] == 12
        assert bert.link.refused["not admitted"] == 16


async def test_a_peer_dialled_directly_is_better_than_a_relay(node, relay, clock):
    async with local_relay() as own, node(BERT, own) as bert, node(ANNE, relay) as anne:
        turns = bert.post.received("turn")
        await ready(bert)
        async with Wire(anne.wire.keys, clock) as wire:
            direct = DirectLink(wire, clock, where=lambda to: (own,) if to == BERT.public else ())
            assert direct.quality() > anne.link.quality()
            envelope = seal(ANNE, letter(), 1, clock.now_ms())
            data, until = write(envelope), envelope.expires_at
            assert (await direct.send(BERT.public, data, expires_at=until, durable=True)).taken
            assert (await next_of(turns)).envelope == envelope
            lost = await direct.send(ANNE.public, data, expires_at=until, durable=True)
            assert lost.reason == "no relay in use"
            assert wire.urls == (own,)


@pytest.mark.slow
@pytest.mark.parametrize("speaks", [True, False])
async def test_missed_events_are_brought_with_and_without_negentropy(wire, bob, relay, speaks):
    def deaf(way, frame):
        if way == "up" and frame[0].startswith("NEG-") and not speaks:
            return []
        return [frame]

    made = [bob.sign(1, f"n{n}", (), now() - n // 2) for n in range(450)]
    async with meddler(relay, deaf) as url:
        await wire.connect([relay, url])
        for one in made:
            await wire.publish(one, [relay])
        known = [Known(one.id, one.created_at) for one in made[:100]]
        groups = [group async for group in catch_up(wire, NOTES, known, url)]
    found = [event.id for group in groups for event in group]
    assert sorted(found) == sorted(one.id for one in made[100:])
    assert all(len(group) <= 500 for group in groups)


async def test_pages_end_with_what_is_known_left_out(wire, bob, relay):
    await wire.connect([relay])
    made = [bob.sign(1, f"n{n}", (), now() - n) for n in range(20)]
    for one in made:
        await wire.publish(one)
    known = [Known(one.id, one.created_at) for one in made]
    assert [group async for group in pages(wire, NOTES, known, relay)] == []


def test_windows_hold_everything_once():
    known = [Known(f"{n:064x}", n // 7) for n in range(50_000)]
    cut_up = windows(Filter(kinds=(1,), since=0), known)
    assert len(cut_up) == 3
    assert sum(len(there) for _, there in cut_up) == len(known)
    assert all(len(there) < 20_010 for _, there in cut_up)
    for (before, _), (after, _) in pairwise(cut_up):
        assert before.until == after.since - 1
    assert (cut_up[0][0].since, cut_up[-1][0].until) == (0, None)


@pytest.mark.parametrize("size", [0, 1, WHOLE, WHOLE + 1, 20_000 * 3, 200_000])
def test_parts_make_the_whole_again_in_any_order(alice, size):
    data = b"x" * size
    parts = Parts()
    rumours = [
        msgspec.structs.replace(alice.rumour(ENVELOPE, content, tags, 1), wrap=str(n))
        for n, (content, tags) in enumerate(cut(data))
    ]
    found = [parts.take(one) for one in reversed(rumours)]
    assert found[:-1] == [None] * (len(rumours) - 1)
    assert found[-1] == (data, tuple(str(n) for n in range(len(rumours))))


@pytest.mark.parametrize(
    "tag",
    [
        ("part",),
        ("part", "ab"),
        ("part", "ab" * 32, "0", "0"),
        ("part", "ab" * 32, "1", "1"),
        ("part", "ab" * 32, "-1", "2"),
        ("part", "ab" * 32, "0", "999"),
        ("part", "ab" * 32, "0", "9999999999"),
        ("part", "AB" * 32, "0", "1"),
        ("part", "ab" * 32, "0", "1"),  # another digest than the content's
    ],
)
def test_parts_that_are_none(alice, tag):
    assert Parts().take(alice.rumour(ENVELOPE, "aGV5", (tag,), 1)) is None


def test_half_sent_floods_push_out_only_their_own_sender(alice, bob):
    parts = Parts()
    big = cut(b"y" * 60_000)
    first, *others = [alice.rumour(ENVELOPE, *one, 1) for one in big]
    assert parts.take(first) is None
    for n in range(500):
        content, tags = cut(b"%03d" * 20_000 % ((n,) * 20_000))[0]
        half = Rumour(bob.public, 1, ENVELOPE, tags, content, wrap=str(n))
        assert parts.take(half) is None
    assert len(parts.given_up) > 50
    assert parts.take(others[0]) is None
    whole = parts.take(others[1])
    assert whole is not None
    assert whole[0] == b"y" * 60_000
