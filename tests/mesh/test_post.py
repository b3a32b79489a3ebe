import random
from contextlib import asynccontextmanager

import anyio
import pytest

from hermes.identity.hot import HotKey
from hermes.mesh.envelope import Letter, seal, write
from hermes.mesh.link import Received
from hermes.mesh.post import Post
from hermes.store.statement import Unmet
from hermes.store.store import Store
from hermes.testing.links import Cable

ANNE, BERT, EVE = (HotKey(bytes([n]) * 32) for n in (1, 2, 9))
FRIENDS = {ANNE.public, BERT.public}


def admits(sender, _payload_type):
    return sender in FRIENDS


@pytest.fixture
def cable():
    return Cable()


@pytest.fixture
def office(tmp_path, clock, cable):
    """A node's post office with its own store; opened again it is the same node."""

    @asynccontextmanager
    async def opened(key, *links):
        async with Store.open(tmp_path / f"{key.public[:8]}.db", clock) as store:
            mine = links or (cable.end(key.public),)
            async with Post(key, store.mesh, mine, clock, admits) as post:
                post.store = store
                yield post

    return opened


def letter(text="hey", to=BERT, **rest):
    return Letter(to.public, "turn", text.encode(), "c1", **rest)


async def next_of(stream):
    with anyio.fail_after(10):
        return await stream.receive()


async def outcome(post, name):
    with anyio.fail_after(10):
        return await post.outcome(name)


async def test_arrives_once_and_is_acknowledged(office):
    async with office(ANNE) as anne, office(BERT) as bert:
        turns = bert.received("turn")
        name = await anne.send(letter())
        arrival = await next_of(turns)
        assert (arrival.envelope.id, arrival.envelope.data) == (name, b"hey")
        assert arrival.durable
        assert not arrival.again
        await bert.settle(arrival.envelope)
        assert (await outcome(anne, name)).arrived
        assert await anne.store.mesh.waiting() == ()


async def test_doubled_and_resent_it_has_one_effect(office, cable):
    cable.treat = lambda _to, data: [data, data, data]
    async with office(ANNE) as anne, office(BERT) as bert:
        turns = bert.received("turn")
        names = [await anne.send(letter(f"n{n}")) for n in range(20)]
        seen = []
        for _ in names:
            arrival = await next_of(turns)
            seen.append(arrival.envelope.id)
            await bert.settle(arrival.envelope)
        for name in names:
            assert (await outcome(anne, name)).arrived
        assert sorted(seen) == sorted(names)
        with pytest.raises(anyio.WouldBlock):
            turns.receive_nowait()
        refused = {one.reason for one in await bert.refused()}
        assert refused == {"replayed"}


@pytest.mark.slow
async def test_a_lossy_link_delivers_in_the_end(office, cable):
    chance = random.Random(7)
    cable.treat = lambda _to, data: [] if chance.random() < 2 / 3 else [data]
    async with office(ANNE) as anne, office(BERT) as bert:
        turns = bert.received("turn")
        name = await anne.send(letter())

        async def settle():
            await bert.settle((await turns.receive()).envelope)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(settle)
            for _ in range(50):
                await anne.present(BERT.public)  # so that the test need not wait for the next try
                with anyio.move_on_after(0.2):
                    assert (await anne.outcome(name)).arrived
                    return
            tasks.cancel_scope.cancel()
    raise AssertionError("it never arrived")


async def test_one_lane_keeps_its_order(office, cable):
    shuffled = []

    def late(to, data):
        if to != BERT.public:
            return [data]
        shuffled.append(data)
        return [data] if len(shuffled) % 2 else [shuffled[-2], data]

    cable.treat = late
    async with office(ANNE) as anne, office(BERT) as bert:
        turns = bert.received("turn")
        for n in range(10):
            await anne.send(letter(str(n)), lane="c1")
        got = []
        for _ in range(10):
            arrival = await next_of(turns)
            got.append(arrival.envelope.data)
            await bert.settle(arrival.envelope)
    assert got == [str(n).encode() for n in range(10)]


async def test_a_full_outbox_survives_a_restart(office, cable):
    names = set()
    end = cable.end(ANNE.public)
    end.works = False
    async with office(ANNE, end) as anne:
        for n in range(100):
            names.add(await anne.send(letter(f"n{n}")))
    async with office(BERT) as bert:
        turns = bert.received("turn")
        async with office(ANNE) as anne:
            got = []
            for _ in range(100):
                arrival = await next_of(turns)
                got.append(arrival.envelope.id)
                await bert.settle(arrival.envelope)
            for name in names:
                await outcome(anne, name)
            assert await anne.store.mesh.waiting() == ()
    assert sorted(got) == sorted(names)


async def test_ended_between_receipt_and_effect_it_comes_again_and_says_so(office):
    async with office(ANNE) as anne:
        async with office(BERT) as bert:
            turns = bert.received("turn")
            name = await anne.send(letter())
            first = await next_of(turns)  # and the node dies before it does anything
        async with office(BERT) as bert:
            turns = bert.received("turn")
            second = await next_of(turns)
            assert second.envelope == first.envelope
            assert second.again
            await bert.settle(second.envelope)
            assert (await outcome(anne, name)).arrived
        async with office(BERT) as bert, anyio.create_task_group() as tasks:
            turns = bert.received("turn")
            await bert.take(Received(write(first.envelope), "", "test"))
            with pytest.raises(anyio.WouldBlock):
                turns.receive_nowait()
            tasks.cancel_scope.cancel()


async def test_the_effect_and_its_note_happen_together_or_not_at_all(office):
    async with office(ANNE) as anne, office(BERT) as bert:
        turns = bert.received("turn")
        name = await anne.send(letter())
        arrival = await next_of(turns)
        finishing = bert.store.mesh.finishing(name)
        await bert.store._database.write(finishing)
        with pytest.raises(Unmet):  # a second effect of the same envelope
            await bert.store._database.write(finishing)
        await bert.settle(arrival.envelope, noted=True)
        assert (await outcome(anne, name)).arrived


async def test_what_expires_is_reported(office, cable, clock):
    end = cable.end(ANNE.public)
    end.works = False
    async with office(ANNE, end) as anne:
        name = await anne.send(letter(ttl_ms=3_600_000))
        clock.ahead_ms = 3_600_001
        await anne.present(BERT.public)
        found = await outcome(anne, name)
        assert not found.arrived
        assert "in time" in found.reason
        (lost,) = await anne.lost(0)
        assert (lost.id, lost.recipient, lost.kind) == (name, BERT.public, "turn")


async def test_a_dead_link_leaves_it_to_the_other(office, cable):
    dead, good = Cable().end(ANNE.public, "dead"), cable.end(ANNE.public)
    async with office(BERT) as bert, office(ANNE, dead, good) as anne:
        turns = bert.received("turn")
        name = await anne.send(letter())
        await bert.settle((await next_of(turns)).envelope)
        assert (await outcome(anne, name)).arrived
        assert dead.sent < 5


async def test_withdrawn_it_is_not_sent(office, cable):
    end = cable.end(ANNE.public)
    end.works = False
    async with office(ANNE, end) as anne:
        name = await anne.send(letter())
        await anne.withdraw(name)
        assert await outcome(anne, name) == (name, "", False, "withdrawn")


async def test_a_type_that_nobody_reads_is_not_acknowledged(office):
    async with office(ANNE) as anne, office(BERT) as bert:
        name = await anne.send(letter())
        with anyio.fail_after(10):
            while not bert._in._counts["unclaimed", ANNE.public]:
                await anyio.lowlevel.checkpoint()
        turns = bert.received("turn")
        await anne.present(BERT.public)
        await bert.settle((await next_of(turns)).envelope)
        assert (await outcome(anne, name)).arrived


async def test_two_readers_of_one_type_are_a_mistake(office):
    async with office(BERT) as bert:
        turns = bert.received("turn", "event")
        with pytest.raises(ValueError, match="event"):
            bert.received("event")
        turns.close()


async def test_live_letters_come_once_and_are_not_kept(office, cable):
    cable.treat = lambda _to, data: [data, data]
    async with office(ANNE) as anne, office(BERT) as bert:
        events = bert.received("event")
        assert (await anne.send_live(Letter(BERT.public, "event", b"{}"))).taken
        arrival = await next_of(events)
        assert not arrival.durable
        with pytest.raises(anyio.WouldBlock):
            events.receive_nowait()
        assert await bert.store.mesh.came() == ()
        nobody = Letter(EVE.public, "event", b"{}")
        assert not (await anne.send_live(nobody)).taken


async def test_strangers_and_liars_are_counted_and_get_no_answer(office, cable, clock):
    eve = cable.end(EVE.public)
    now = clock.now_ms()
    good = seal(ANNE, letter(), 1, now)
    data = write(good)
    async with office(BERT) as bert:
        turns = bert.received("turn")
        for one in (
            Received(write(seal(EVE, letter(), 1, now)), EVE.public, "cable"),
            Received(data.replace(b'"hey"', b'"pay"'), ANNE.public, "cable"),
            Received(data, EVE.public, "cable"),
            Received(b"junk", "", "cable"),
            Received(b"\xff" * 100, "", "cable"),
            Received(b"[" * 4_000_000, "", "cable"),
            Received(write(seal(ANNE, letter(to=EVE), 1, now)), ANNE.public, "cable"),
            Received(write(seal(ANNE, letter(ttl_ms=1), 1, now - 9)), ANNE.public, "cable"),
            Received(write(seal(ANNE, letter(), 1, now + 3_600_000)), ANNE.public, "cable"),
        ):
            assert await bert.take(one)
        with pytest.raises(anyio.WouldBlock):
            turns.receive_nowait()
        assert {(one.reason, one.sender, one.times) for one in await bert.refused()} == {
            ("not admitted", "", 1),
            ("forged", ANNE.public, 1),
            ("forged", "", 1),
            ("malformed", "", 2),
            ("too large", "", 1),
            ("not for us", ANNE.public, 1),
            ("stale", ANNE.public, 1),
            ("early", ANNE.public, 1),
        }
    assert eve.done == []
    assert not eve.waiting


async def test_an_ack_by_another_is_no_ack(office, cable, clock):
    end = cable.end(ANNE.public)
    async with office(ANNE, end) as anne:
        name = await anne.send(letter())
        false = seal(EVE, Letter(ANNE.public, "ack", b'{"ids":["%s"]}' % name.encode()), 1, 1)
        FRIENDS.add(EVE.public)
        try:
            at = clock.now_ms()
            false = seal(EVE, Letter(ANNE.public, "ack", b'{"ids":["%s"]}' % name.encode()), 1, at)
            await anne.take(Received(write(false), EVE.public, "cable", durable=False))
        finally:
            FRIENDS.remove(EVE.public)
        assert [one.id for one in await anne.store.mesh.waiting()] == [name]


async def test_a_clock_an_hour_ahead_loses_nothing(office, clock):
    async with office(ANNE) as anne, office(BERT) as bert:
        turns = bert.received("turn")
        clock.ahead_ms = 3_600_000  # while Anne seals
        sealed = anne._sealed(letter())
        clock.ahead_ms = 0
        assert await bert.take(Received(write(sealed), ANNE.public, "test"))
        assert [one.reason for one in await bert.refused()] == ["early"]
        clock.ahead_ms = 3_000_000  # the same letter, sent again fifty minutes later
        await bert.take(Received(write(sealed), ANNE.public, "test"))
        assert (await next_of(turns)).envelope == sealed


async def test_a_link_that_knows_no_way_costs_no_pause(tmp_path, cable):
    """The next best link is tried at once: here no pause would ever end."""

    class Still:
        def now_ms(self):
            return 1_800_000_000_000

    nowhere = Cable().end(ANNE.public, "a better one")
    good = cable.end(ANNE.public)
    bert = cable.end(BERT.public)
    async with (
        Store.open(tmp_path / "anne.db", Still()) as store,
        Post(ANNE, store.mesh, (nowhere, good), Still(), admits) as anne,
    ):
        await anne.send(letter())
        with anyio.fail_after(10):
            await anext(bert.receive())
        assert nowhere.sent == 1
