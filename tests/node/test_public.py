"""What an instance shows to anybody: brought to relays, read back, and what of it counts."""

from contextlib import asynccontextmanager

import msgspec
import pytest
from witness_house import CLOCK, Node

from hermes.core.canonical import encode
from hermes.core.checkpoint import note_of
from hermes.errors import ProofInvalid
from hermes.identity.attest import make
from hermes.identity.cosignature import with_lines
from hermes.mesh.event import Filter
from hermes.mesh.lookup import Told, judge
from hermes.mesh.members import Card
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_lookup import look_at
from hermes.mesh.public import (
    ANCHOR,
    ATTESTATION,
    CARD,
    CHECKPOINT,
    LINEAGE,
    STATUS,
    anchor_notice,
    attestation_notice,
    checkpoint_notice,
    lineage_notices,
    lineage_of_events,
    presence_notices,
    relay_list_notice,
    relays_listed,
)
from hermes.node.notices import Board
from hermes.store.store import Store
from hermes.testing.relays import local_relay, meddler


class SkewedClock:
    """The machine's clock, off by as much as a test wants."""

    ahead_ms = 0

    def now_ms(self):
        return CLOCK.now_ms() + self.ahead_ms


KINDS = (CARD, STATUS, 10002, CHECKPOINT, ATTESTATION, ANCHOR, LINEAGE)
CARD_SHOWN = Card(
    7, 9, capabilities=("chat",), models=("ember",), load=3, release="9.9", relays=("ws://here",)
)


@asynccontextmanager
async def logs(base, number, *sizes, word="entry"):
    """A node whose log was signed at these sizes; its store is gone again."""
    node = Node(base / f"{word}{number}", number, [])
    node.base.mkdir(parents=True)
    node.notes = {}
    async with Store.open(node.base / "hermes.db", CLOCK) as node.store:
        for size in sizes:
            await node.write(size - node.said, word)
            node.notes[size] = await node.note()
    yield node


@pytest.fixture
async def node(tmp_path):
    async with logs(tmp_path, 1, 3, 5) as found:
        yield found


@pytest.fixture
async def relay():
    async with local_relay() as url:
        yield url.rstrip("/")


@asynccontextmanager
async def board(node, *urls, clock=CLOCK):
    async with Wire(NostrKeys(node.keys.nostr_secret()), clock) as wire:
        await wire.connect(urls)
        yield Board(wire, clock, KINDS), wire


def record(node):
    block = node.genesis.record.block()
    return attestation_notice(block.cid, "hermes/genesis/1", block.data)


async def shown(node, url, note):
    """Everything that a node shows, at a relay."""
    async with board(node, url) as (made, _):
        made.put(record(node))
        made.put(checkpoint_notice(node.genesis.name, note))
        assert await made.bring([url])


async def test_what_is_brought_is_read_and_held_by_the_keys_of_the_record(node, relay, tmp_path):
    async with logs(tmp_path, 2, 1) as witness, board(node, relay) as (made, _):
        line = witness.keys.cosign_note(note_of(node.notes[5]).text, 1_700_000_000)
        cosigned = with_lines(note_of(node.notes[5]), (line,)).format()
        soul = make(
            node.keys,
            "attest",
            "hermes/soul/1",
            {"soul": "11" * 32, "genesis": node.genesis.cid, "at": 5, "previous": ""},
        ).block()
        until = CLOCK.now_ms() // 1000 + 60
        walk = bytes(range(256)) * 300
        for one in (
            record(node),
            attestation_notice(soul.cid, "hermes/soul/1", soul.data),
            checkpoint_notice(node.genesis.name, cosigned, [witness.name]),
            anchor_notice("ab" * 32, b"raw"),
            relay_list_notice([relay]),
            *presence_notices(CARD_SHOWN, until),
            *lineage_notices(walk),
        ):
            made.put(one)
        assert await made.bring([relay])
        before = await look_at(node.name, [relay])
        assert before.unknown == (witness.genesis.name,)  # it does not show its own record yet
        async with board(witness, relay) as (theirs, _):
            theirs.put(record(witness))
            assert await theirs.bring([relay])
        found = await look_at(node.name, [relay])
        assert found.genesis.cid == node.genesis.cid
        assert [one.soul for one in found.souls] == ["11" * 32]
        assert (found.size, found.note) == (5, cosigned)
        assert [(one.key, one.at_s) for one in found.cosigners] == [(witness.name, 1_700_000_000)]
        assert found.unknown == ()
        assert found.anchors == ("ab" * 32,)
        assert found.lineage == walk
        assert found.card["models"] == ["ember"] or found.card["models"] == ("ember",)
        assert found.here_until == until * 1000
        assert found.reads_at == (relay,)
        assert found.relays == {relay: ""}
        assert found.spoilt == 0


async def test_only_what_is_new_goes_out_and_a_relay_that_forgot_gets_it_again(node):
    clock = SkewedClock()
    up = []

    def count(way, frame):
        if way == "up" and frame[0] == "EVENT":
            up.append(frame[1]["kind"])
        return [frame]

    async with local_relay() as real, meddler(real, count) as url:
        async with board(node, url, clock=clock) as (made, wire):
            made.put(record(node))
            made.put(checkpoint_notice(node.genesis.name, node.notes[3]))
            for _ in range(3):
                assert await made.bring([url])
            assert sorted(up) == [CHECKPOINT, ATTESTATION]
            made.put(checkpoint_notice(node.genesis.name, node.notes[5]))
            assert await made.bring([url])
            assert up.count(CHECKPOINT) == 2
            stored = await wire.fetch(Filter(kinds=(CHECKPOINT,)), url=url)
            assert [one.content for one in stored] == [node.notes[5]]
        async with board(node, url, clock=clock) as (made, _):  # another start
            made.put(record(node))
            made.put(checkpoint_notice(node.genesis.name, node.notes[5]))
            assert await made.bring([url])
            assert len(up) == 3
        async with local_relay() as other, board(node, other, clock=clock) as (made, wire):
            made.put(record(node))
            assert await made.bring([other])
            assert len(await wire.fetch(Filter(kinds=(ATTESTATION,)), url=other)) == 1


async def test_a_notice_takes_the_place_of_one_from_a_clock_that_was_ahead(node, relay):
    clock = SkewedClock()
    clock.ahead_ms = 300_000
    async with board(node, relay, clock=clock) as (made, _):
        made.put(checkpoint_notice(node.genesis.name, node.notes[3]))
        assert await made.bring([relay])
    async with board(node, relay) as (made, wire):
        made.put(checkpoint_notice(node.genesis.name, node.notes[5]))
        assert await made.bring([relay])
        (stored,) = await wire.fetch(Filter(kinds=(CHECKPOINT,)), url=relay)
        assert stored.content == node.notes[5]


async def test_a_relay_that_says_no_keeps_nothing_else_back(node):
    said = []

    def refuse(way, frame):
        if way == "up" and frame[0] == "EVENT" and frame[1]["kind"] == ATTESTATION:
            said.append(frame[1]["id"])
        if way == "down" and frame[0] == "OK" and frame[1] in said:
            return [["OK", frame[1], False, "restricted: not here"]]
        return [frame]

    async with (
        local_relay() as real,
        meddler(real, refuse) as url,
        board(node, url) as (made, wire),
    ):
        made.put(record(node))
        made.put(checkpoint_notice(node.genesis.name, node.notes[3]))
        assert await made.bring([url])
        assert await made.bring([url])
        assert len(said) == 1
        assert await wire.fetch(Filter(kinds=(CHECKPOINT,)), url=url)
        made.ask_again()
        assert await made.bring([url])
        assert len(said) == 2


async def test_a_relay_that_is_down_is_tried_again(node):
    async with board(node, "ws://127.0.0.1:9") as (made, _):
        made.put(record(node))
        assert not await made.bring(["ws://127.0.0.1:9"])


async def test_an_older_checkpoint_at_one_relay_is_seen_and_rolled_back_by_all_is_refused(
    node, relay
):
    async with local_relay() as second:
        other = second.rstrip("/")
        await shown(node, relay, node.notes[5])
        await shown(node, other, node.notes[3])
        found = await look_at(node.name, [relay, other])
        assert found.size == 5
        assert found.relays == {relay: "", other: "older: 3 of 5 entries"}
        with pytest.raises(ProofInvalid, match="rolled back: the relays show 3 entries, 5 were"):
            await look_at(node.name, [other], found.note)
        down = await look_at(node.name, [relay, "ws://127.0.0.1:9"], found.note)
        assert "refused" in down.relays["ws://127.0.0.1:9"]


async def test_two_faces_are_told_with_both_notes(node, relay, tmp_path):
    async with logs(tmp_path, 1, 5, word="other") as twin, local_relay() as second:
        other = second.rstrip("/")
        await shown(node, relay, node.notes[5])
        await shown(twin, other, twin.notes[5])
        with pytest.raises(ProofInvalid, match="two genesis records"):
            await look_at(node.name, [relay, other])
    async with local_relay() as third:
        other = third.rstrip("/")
        twin.genesis = node.genesis
        await shown(twin, other, twin.notes[5])
        with pytest.raises(ProofInvalid, match="two faces") as raised:
            await look_at(node.name, [relay, other])
        assert node.notes[5] in raised.value.message
        assert twin.notes[5] in raised.value.message
        with pytest.raises(ProofInvalid, match="two faces"):
            await look_at(node.name, [other], node.notes[5])


async def test_a_relay_that_gives_anothers_events_gives_nothing(node, relay, tmp_path):
    async with logs(tmp_path, 2, 4) as other:
        await shown(node, relay, node.notes[5])
        await shown(other, relay, other.notes[4])

        def swap(way, frame):
            """Whoever is asked for, the other one is given."""
            if way == "up" and frame[0] == "REQ":
                for wish in frame[2:]:
                    if wish.get("authors") == [node.name]:
                        wish["authors"] = [other.name]
            return [frame]

        async with meddler(relay, swap) as liar:
            with pytest.raises(ProofInvalid, match="no genesis record by this key"):
                await look_at(node.name, [liar])
            found = await look_at(node.name, [liar, relay])
            assert found.size == 5
            assert found.relays[relay] == ""
            assert found.relays[liar]


def event(node, notice, at=1_700_000_000):
    return NostrKeys(node.keys.nostr_secret()).sign(notice.kind, notice.content, notice.tags, at)


async def test_what_the_keys_of_the_record_did_not_sign_is_left_out(node, tmp_path):
    async with logs(tmp_path, 2, 4) as other:
        good = [
            event(node, record(node)),
            event(node, checkpoint_notice(node.genesis.name, node.notes[3])),
        ]
        text = encode({"t": "x"}).data
        spoilt = [
            event(node, attestation_notice("bafynone", "hermes/soul/1", text)),
            event(
                node,
                attestation_notice(
                    "bafyother", "hermes/genesis/1", other.genesis.record.block().data
                ),
            ),
            event(node, checkpoint_notice(other.genesis.name, other.notes[4])),
        ]
        found = judge(node.name, {"a": Told(tuple(good + spoilt))}, 0)
        assert (found.size, found.spoilt) == (3, 2)
        stolen = checkpoint_notice(node.genesis.name, other.notes[4])
        found = judge(node.name, {"a": Told((good[0], event(node, stolen)))}, 0)
        assert (found.note, found.relays["a"]) == ("", "")
        assert found.spoilt == 1
        with pytest.raises(ProofInvalid, match="no genesis record"):
            judge(node.name, {"a": Told((event(node, record(other)),))}, 0)
        with pytest.raises(ProofInvalid, match="no genesis record"):
            judge(node.name, {}, 0)


def test_a_walk_in_pieces_is_whole_or_none():
    keys = NostrKeys(b"\5" * 32)

    def events(data, at):
        return [keys.sign(one.kind, one.content, one.tags, at) for one in lineage_notices(data)]

    old, new = events(b"o" * 70_000, 1), events(b"n" * 100_000, 2)
    assert len(new) == 4
    assert lineage_of_events([*old, *new]) == b"n" * 100_000
    assert lineage_of_events([]) == b""
    for lost in range(4):
        with pytest.raises(ProofInvalid, match="only a part"):
            lineage_of_events([one for number, one in enumerate(new) if number != lost])
    swapped = msgspec.structs.replace(new[0], content=new[3].content)
    with pytest.raises(ProofInvalid, match="do not belong together"):
        lineage_of_events([swapped, *new[1:]])
    bad = tuple(("n", "99999999") if tag[0] == "n" else tag for tag in new[0].tags)
    many = [msgspec.structs.replace(one, tags=bad) for one in new]
    with pytest.raises(ProofInvalid, match="no number"):
        lineage_of_events(many)


def test_a_relay_list_gives_addresses_to_write_to():
    keys = NostrKeys(b"\5" * 32)
    tags = (
        ("r", "wss://one.example/"),
        ("r", "wss://two.example", "write"),
        ("r", "wss://three.example", "read"),
        ("r", "http://four.example"),
        ("r", "ws://" + "x" * 200),
        ("r", "ws://with space"),
        ("r",),
        ("relay", "wss://five.example"),
        ("r", "wss://one.example"),
        *(("r", f"wss://more{n}.example") for n in range(20)),
    )
    found = relays_listed(keys.sign(10002, "", tags, 1))
    assert found[:2] == ("wss://one.example", "wss://three.example")
    assert len(found) == 8
    assert relays_listed(keys.sign(10050, "", tags, 1)) == ("wss://five.example",)
