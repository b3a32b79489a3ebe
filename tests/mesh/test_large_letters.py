"""Letters above an event's size: real post offices, stores, chunks, endpoints; a cable between."""

import random
from contextlib import asynccontextmanager

import anyio
import pytest

from hermes.chain.listening import Door
from hermes.errors import BlobRefused
from hermes.identity.hot import HotKey
from hermes.mesh.blob_http import open_endpoint
from hermes.mesh.blob_seal import Reference
from hermes.mesh.consignment import (
    BLOB,
    MOST_LETTER,
    MOST_WHOLE,
    Consignment,
    read_consignment,
    write_consignment,
)
from hermes.mesh.envelope import MOST_PAYLOAD, Letter
from hermes.mesh.freight import Freight
from hermes.mesh.post import Post
from hermes.store.blob_chunks import OWN, Chunks, Quota
from hermes.store.statement import Unmet
from hermes.store.store import Store
from hermes.testing.links import Cable

ANNE, BERT, EVE = (HotKey(bytes([n]) * 32) for n in (1, 2, 9))
FRIENDS = {ANNE.public, BERT.public}
PAYLOAD = random.Random(7).randbytes(300_000)
LARGE = random.Random(8).randbytes(9 << 20)  # three chunks


def admits(sender, payload_type):
    return sender in FRIENDS and payload_type != "secret"


def unreported(part, error):
    raise AssertionError(f"{part}: {error!r}") from error


class Addresses:
    """Where endpoints are; `served` are the keys that have one."""

    def __init__(self):
        self.served = {}

    def of(self, me):
        return Own(self.served, me)


class Own:
    def __init__(self, served, me):
        self._served, self._me = served, me

    def own(self):
        return self._me in self._served

    def where(self, node):
        return self._served.get(node, "")


@pytest.fixture
def cable():
    return Cable()


@pytest.fixture
def addresses():
    return Addresses()


@pytest.fixture
def node(tmp_path, clock, cable, addresses):
    """A post office with freight; opened again it is the same node. `serves`: has an endpoint."""

    @asynccontextmanager
    async def opened(key, *, serves=True, room=1 << 30, quota=None):
        root = tmp_path / key.public[:8]
        async with (
            Store.open(tmp_path / f"{key.public[:8]}.db", clock) as store,
            served(key, root, quota, serves) as chunks,
        ):
            post = Post(key, store.mesh, (cable.end(key.public),), clock, admits)
            post.freight = Freight(key, chunks, addresses.of(key.public), clock, room)
            async with post:
                post.store, post.chunks = store, chunks
                yield post

    @asynccontextmanager
    async def served(key, root, quota, serves):
        chunks = await Chunks.open(root, quota)
        if not serves:
            yield chunks
            return
        door = Door.bound("127.0.0.1:0", "blobs", "another")
        known = FRIENDS.__contains__
        async with open_endpoint(chunks, door, known, clock, unreported):
            addresses.served[key.public] = f"http://{door.address}"
            try:
                yield chunks
            finally:
                addresses.served.pop(key.public)

    return opened


def letter(payload=PAYLOAD, to=BERT, **rest):
    return Letter(to.public, "blocks", payload, "c1", **rest)


async def next_of(stream):
    with anyio.fail_after(20):
        return await stream.receive()


async def outcome(post, name):
    with anyio.fail_after(20):
        return await post.outcome(name)


async def until(holds):
    with anyio.fail_after(10):
        while not await holds():  # noqa: ASYNC110 - disks and counters have no event
            await anyio.sleep(0.02)


async def emptied(chunks):
    async def is_empty():
        return not any(chunks.used(owner) for owner in (OWN, ANNE.public, BERT.public))

    await until(is_empty)


async def refused(post, reason):
    async def is_counted():
        return reason in {one.reason for one in await post.refused()}

    await until(is_counted)


@pytest.mark.parametrize(("annes", "berts"), [(True, False), (False, True), (True, True)])
async def test_one_endpoint_is_enough(node, annes, berts):
    async with node(ANNE, serves=annes) as anne, node(BERT, serves=berts) as bert:
        read = bert.received("blocks")
        name = await anne.send(letter(LARGE), lane="l")
        arrival = await next_of(read)
        assert arrival.envelope.data == LARGE
        assert (arrival.envelope.id, arrival.envelope.node_id) == (name, ANNE.public)
        assert (arrival.envelope.payload_type, arrival.envelope.conversation_id) == ("blocks", "c1")
        assert (arrival.durable, arrival.again) == (True, False)
        await bert.settle(arrival.envelope)
        assert (await outcome(anne, name)).arrived
        await emptied(anne.chunks)
        await emptied(bert.chunks)


async def test_its_effect_is_noted_with_it_and_once(node):
    async with node(ANNE) as anne, node(BERT) as bert:
        read = bert.received("blocks")
        name = await anne.send(letter())
        envelope = (await next_of(read)).envelope
        statement = bert.store.mesh.finishing(envelope.id)
        await bert.store._database.write(statement)
        await bert.settle(envelope, noted=True)
        assert (await outcome(anne, name)).arrived
        with pytest.raises(Unmet):
            await bert.store._database.write(statement)


async def test_without_any_endpoint_a_small_one_goes_in_parts_and_a_large_one_is_refused(node):
    async with node(ANNE, serves=False) as anne, node(BERT, serves=False) as bert:
        read = bert.received("blocks")
        await anne.send(letter(PAYLOAD))
        assert (await next_of(read)).envelope.data == PAYLOAD
        with pytest.raises(BlobRefused, match="endpoint") as raised:
            await anne.send(letter(b"x" * (MOST_PAYLOAD + 1)))
        assert raised.value.reason == "no endpoint"
        assert anne.chunks.used(OWN) == 0


async def test_letters_of_a_lane_keep_their_order_whatever_their_size(node):
    async with node(ANNE) as anne, node(BERT) as bert:
        read = bert.received("blocks")
        sizes = [10, MOST_WHOLE + 1, 20, 600_000, 30]
        for size in sizes:
            await anne.send(letter(bytes(size)), lane="turn")
        came = []
        for _ in sizes:
            arrival = await next_of(read)
            came.append(len(arrival.envelope.data))
            await bert.settle(arrival.envelope)
        assert came == sizes


async def test_what_is_too_much_is_refused_and_leaves_nothing(node):
    async with node(ANNE, room=580_000) as anne:
        with pytest.raises(BlobRefused, match="at most"):
            await anne.send(letter(bytes(MOST_LETTER + 1)))
        await anne.send(letter())
        with pytest.raises(BlobRefused) as raised:
            await anne.send(letter())
        assert raised.value.reason == "over quota"
        held = len(anne.chunks.owned(OWN))
        with pytest.raises(ValueError, match="30 days"):
            await anne.send(letter(bytes(MOST_WHOLE + 1), ttl_ms=0))
        assert len(anne.chunks.owned(OWN)) == held == 2


async def test_a_recipient_without_room_gets_it_once_there_is_some(node):
    async with node(BERT, quota=Quota(each=1_000)), node(ANNE, serves=False) as anne:
        name = await anne.send(letter())

        async def is_told():
            return "no room" in anne.freight.out.hold(name, 0)

        await until(is_told)
    async with node(BERT) as bert, node(ANNE, serves=False) as anne:
        read = bert.received("blocks")
        await anne.present(BERT.public)
        assert (await next_of(read)).envelope.data == PAYLOAD


async def test_both_begin_again_and_nothing_is_lost(node, addresses):
    async with node(ANNE, serves=False) as anne:
        addresses.served[ANNE.public] = "http://127.0.0.1:1"  # nobody is there just now
        name = await anne.send(letter())
    async with node(ANNE), node(BERT, serves=False) as bert:  # noted, nobody reads
        await until(bert.store.mesh.came)
    async with node(ANNE) as anne, node(BERT, serves=False) as bert:
        arrival = await next_of(bert.received("blocks"))
        assert (arrival.envelope.id, arrival.envelope.data) == (name, PAYLOAD)
        assert arrival.again
        await bert.settle(arrival.envelope)
        assert (await outcome(anne, name)).arrived


async def test_what_was_fetched_stays_over_a_restart(node):
    async with node(ANNE) as anne, node(BERT, serves=False) as bert:  # whom nobody reads for
        name = await anne.send(letter(LARGE))

        async def is_fetched():
            return len(bert.chunks.owned(OWN)) == 4

        await until(is_fetched)
    async with node(BERT, serves=False) as bert:  # and Anne is gone
        arrival = await next_of(bert.received("blocks"))
        assert (arrival.envelope.id, arrival.envelope.data, arrival.again) == (name, LARGE, True)


async def test_what_expires_is_reported_and_its_chunks_go(node, clock):
    async with node(ANNE, serves=False) as anne, node(BERT) as bert:
        bert.received("blocks")  # nobody settles
        name = await anne.send(letter(ttl_ms=60_000))

        async def is_there():
            return bert.chunks.used(ANNE.public)

        await until(is_there)
        clock.ahead_ms = 61_000
        found = await outcome(anne, name)
        assert not found.arrived
        await emptied(anne.chunks)
        assert [one.id for one in await anne.lost(0)] == [name]


async def test_chunks_that_no_letter_needs_are_removed_at_the_next_start(node):
    async with node(ANNE) as anne:
        await anne.send(letter())
        kept = set(anne.chunks.owned(OWN))
        await anne.freight.out._blobs.keep(b"of a letter that was never on its way")
    async with node(ANNE) as anne:
        assert set(anne.chunks.owned(OWN)) == kept


def note(payload_type="blocks", size=10, **change):
    reference = Reference(1, size, "ab" * 32, "cd" * 32)
    return write_consignment(Consignment(payload_type, reference))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{}", "malformed"),
        (b"[[[[[", "malformed"),
        (note(BLOB), "malformed"),
        (note("ack"), "malformed"),
        (note("secret"), "not admitted"),
        (note(size=MOST_LETTER + 1), "too large"),
    ],
    ids=["empty", "nonsense", "a note of a note", "an ack", "not admitted", "too large"],
)
async def test_notes_that_are_none_are_counted_and_never_acknowledged(node, payload, reason):
    async with node(ANNE) as anne, node(BERT) as bert:
        bert.received("blocks", "secret")
        await anne.send(Letter(BERT.public, BLOB, payload))
        await refused(bert, reason)
        assert len(await anne.store.mesh.waiting()) == 1


async def test_chunks_that_were_not_sealed_by_the_sender_are_refused(node):
    async with node(ANNE) as anne, node(BERT) as bert:
        bert.received("blocks")
        _, consignment = await anne.freight.out.seal(letter())
        wrong = Reference(1, 300_000, consignment.reference.root, "00" * 32)
        body = write_consignment(Consignment("blocks", wrong))
        await anne.send(Letter(BERT.public, BLOB, body))
        await refused(bert, "forged")
        await emptied(bert.chunks)


def test_a_note_never_shows_its_key():
    assert "cd" * 32 not in repr(read_consignment(note()))
