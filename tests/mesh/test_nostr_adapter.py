import time

import anyio
import msgspec
import pytest

from hermes.errors import EnvelopeRefused, RelayRefused
from hermes.mesh.event import ENVELOPE, WRAP, Filter, Known
from hermes.mesh.nostr_keys import event_of, genuine
from hermes.mesh.nostr_lane import Lane, new_client
from hermes.testing.relays import local_relay, meddler

NOTES = Filter(kinds=(1,))


def now():
    return int(time.time())


def notes(keys, count, kind=1, at=None):
    return [keys.sign(kind, f"n{n}", (), (at or now()) - n) for n in range(count)]


def as_it_is(_way, frame):
    return [frame]


async def test_publishes_fetches_and_hears(wire, bob, relay):
    assert await wire.connect([relay]) == {relay: ""}
    async with wire.subscribe(Filter(kinds=(1,), authors=(bob.public,))) as ear:
        made = bob.sign(1, "hey", (("t", "x"),), now())
        assert await wire.publish(made) == {relay: ""}
        with anyio.fail_after(5):
            heard = await anext(aiter(ear))
    assert heard.event == made
    assert heard.url == relay
    assert await wire.fetch(NOTES, url=relay) == (made,)
    assert wire.health(relay).score > 0.5


async def test_a_relay_that_is_not_there(wire, bob, relay):
    dead = "ws://127.0.0.1:9"
    found = await wire.connect([dead, relay])
    assert found[relay] == ""
    assert "refused" in found[dead]
    told = await wire.publish(bob.sign(1, "hey", (), now()))
    assert told[relay] == ""
    assert "left alone" in told[dead]
    assert wire.urls == (relay, dead)
    with pytest.raises(RelayRefused):
        await wire.fetch(NOTES, url=dead)
    with pytest.raises(RelayRefused):
        await wire.fetch(NOTES, url="ws://127.0.0.1:10")
    with pytest.raises(RelayRefused, match="no address"):
        await wire.connect(["http://127.0.0.1:9"])


async def test_what_a_relay_refuses_is_told_with_its_words(wire, bob, relay):
    await wire.connect([relay])
    told = await wire.publish(bob.sign(1, "x" * 1_000_000, (), now()))
    assert "exceeds maximum" in told[relay]
    again = await wire.publish(bob.sign(1, "small", (), now()))
    assert again == {relay: ""}


async def test_an_altered_copy_of_a_known_event_is_not_let_in(wire, bob, relay):
    made = bob.sign(1, "pay 1", (), now())

    def lie(way, frame):
        if way == "down" and frame[0] == "EVENT" and lie.now:
            frame[2]["content"] = "pay 1000"
        return [frame]

    lie.now = False
    async with meddler(relay, lie) as liar:
        await wire.connect([liar])
        assert await wire.publish(made) == {liar: ""}
        assert await wire.fetch(NOTES, url=liar) == (made,)
        lie.now = True
        assert await wire.fetch(NOTES, url=liar) == ()
        async with wire.subscribe(NOTES) as ear:
            lie.now = False
            honest = bob.sign(1, "another", (), now())
            await wire.publish(honest)
            with anyio.fail_after(5):
                assert (await anext(aiter(ear))).event.content != "pay 1000"
    assert wire.lies == 1


async def test_events_that_nobody_asked_for_are_not_let_in(wire, alice, bob, relay):
    other = msgspec.json.decode(alice.sign(1, "of another", (), now()).json)

    def push(way, frame):
        if way == "down" and frame[0] == "EOSE":
            return [["EVENT", frame[1], other], ["EVENT", "never-asked", other], frame]
        return [frame]

    async with meddler(relay, push) as liar:
        await wire.connect([liar])
        mine = bob.sign(1, "his", (), now())
        await wire.publish(mine)
        assert await wire.fetch(Filter(authors=(bob.public,)), url=liar) == (mine,)


@pytest.mark.parametrize(
    "junk",
    [
        *("", "null", "[]", "{", '["EVENT"]', '["EVENT","s",{"id":1}]', "\u0000", "[" * 9_000),
        '["EVENT","s",{"id":"\\ud800"}]',
        pytest.param('["EVENT","s",{"content":"' + "x" * 1_000_000 + '"}]', id="a megabyte"),
    ],
)
async def test_junk_from_a_relay_harms_nobody(wire, bob, relay, junk):
    def chatter(way, frame):
        return [junk, frame] if way == "down" else [frame]

    async with meddler(relay, chatter) as chatterbox:
        await wire.connect([chatterbox])
        made = bob.sign(1, "hey", (), now())
        assert await wire.publish(made) == {chatterbox: ""}
        assert await wire.fetch(NOTES, url=chatterbox) == (made,)


async def test_a_relay_that_answers_nothing_is_given_up(wire, bob, relay):
    async with meddler(relay, lambda way, frame: [] if way == "down" else [frame]) as mute:
        await wire.connect([mute])
        assert await wire.fetch(NOTES, url=mute, timeout_s=0.2) == ()


async def test_a_relay_that_hangs_up_is_dialled_again(wire, clock, bob, relay):
    def cut(way, frame):
        if way == "up" and frame[0] == "EVENT" and frame[1]["content"] == "cut":
            return [None]
        return [frame]

    async with meddler(relay, cut) as shaky:
        await wire.connect([shaky])
        said = await wire.publish(bob.sign(1, "cut", (), now()))
        assert said[shaky]
        clock.ahead_ms = 60_000  # past the wait after a failure
        assert await wire.publish(bob.sign(1, "again", (), now())) == {shaky: ""}
        assert len(await wire.fetch(NOTES, url=shaky)) == 1


async def test_each_event_once_from_two_relays(wire, bob, relay):
    async with local_relay() as other:
        await wire.connect([relay, other])
        async with wire.subscribe(NOTES) as ear:
            first, last = notes(bob, 2)
            for one in (first, last):
                assert set((await wire.publish(one)).values()) == {""}
            stream = aiter(ear)
            with anyio.fail_after(5):
                heard = [(await anext(stream)).event for _ in range(2)]
    assert sorted(one.id for one in heard) == sorted([first.id, last.id])


async def test_an_ear_hears_a_relay_that_came_later(wire, bob, relay):
    async with wire.subscribe(NOTES) as ear:
        await wire.connect([relay])
        made = bob.sign(1, "hey", (), now())
        await wire.publish(made)
        with anyio.fail_after(5):
            assert (await anext(aiter(ear))).event == made
        await wire.leave(relay)
        assert wire.urls == ()


async def test_missing_names_what_we_lack(wire, bob, relay):
    await wire.connect([relay])
    made = notes(bob, 30)
    for one in made:
        await wire.publish(one)
    known = [Known(one.id, one.created_at) for one in made[:25]]
    assert set(await wire.missing(NOTES, known, relay)) == {one.id for one in made[25:]}
    assert await wire.missing(NOTES, [Known(one.id, one.created_at) for one in made], relay) == ()


async def test_a_lane_is_renewed_before_the_relay_cuts_it(wire, alice, relay):
    lane = Lane(lambda: new_client(alice), relay, 4, lambda: True)
    used = []
    for one in notes(alice, 10):
        async with lane.relay() as connection:
            await connection.send_event(event_of(one))
            used.append(connection)
    async with lane.relay() as held:
        for _ in range(8):
            async with lane.relay():
                pass
        await held.send_event(event_of(alice.sign(1, "by the old one", (), now())))
    await lane.close()
    assert [used.count(one) for one in dict.fromkeys(used)] == [4, 4, 2]
    await wire.connect([relay])
    assert len(await wire.fetch(NOTES, url=relay)) == 11


async def test_many_at_once_on_a_lane_that_is_renewed(wire, bob, relay):
    await wire.connect([relay])
    wire._stations[relay].mouth._most = 7
    told = []

    async def say(event):
        told.append(await wire.publish(event))

    async with anyio.create_task_group() as tasks:
        for one in notes(bob, 60):
            tasks.start_soon(say, one)
    assert told == [{relay: ""}] * 60


async def test_wraps_open_for_their_reader_alone(alice, bob):
    rumour = alice.rumour(ENVELOPE, "secret", (("part", "1"),), now())
    for live in (False, True):
        wrap = alice.wrap(bob.public, rumour, now() + 60, now=now(), live=live)
        assert genuine(wrap)
        assert "secret" not in wrap.json
        assert alice.public not in wrap.json
        opened = bob.unwrap(wrap)
        assert (opened.pubkey, opened.content, opened.id) == (alice.public, "secret", rumour.id)
        assert (opened.wrap, opened.live, opened.tag("part")) == (wrap.id, live, "1")
        with pytest.raises(EnvelopeRefused, match="not for us"):
            alice.unwrap(wrap)
        stolen = msgspec.structs.replace(wrap, tags=(("p", alice.public),))
        assert not genuine(stolen)
        with pytest.raises(EnvelopeRefused, match="decrypt"):
            alice.unwrap(stolen)


async def test_a_rumour_under_anothers_name_is_forged(alice, bob):
    rumour = alice.rumour(ENVELOPE, "I am Bob", (), now())
    false = msgspec.structs.replace(rumour, pubkey=bob.public)
    wrap = alice.wrap(bob.public, false, now() + 60, now=now(), live=False)
    assert bob.unwrap(wrap).pubkey == alice.public  # the seal names its true author


async def test_what_is_no_wrap(alice, bob):
    with pytest.raises(EnvelopeRefused):
        bob.unwrap(alice.sign(1, "x", (("p", bob.public),), now()))
    with pytest.raises(EnvelopeRefused):
        bob.unwrap(alice.sign(WRAP, "no cipher", (("p", bob.public),), now()))
