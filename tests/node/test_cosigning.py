"""Members cosign each other's logs; one that shows two faces is found out, with evidence."""

import json

import pytest
from witness_house import CLOCK, Node, size_of, town, until

from hermes.core.checkpoint import Checkpoint, Note, note_of
from hermes.identity.cosignature import check_cosignature
from hermes.identity.genesis import found
from hermes.mesh.envelope import Letter, seal, write
from hermes.mesh.link import Received
from hermes.mesh.witness_wire import Ask, Behind, Cosigned, Proof, Saw, hex_of, write_letter
from hermes.store.store import Store


async def letter(to, by, payload, seq=1):
    """A letter that did not go through the sender's own cosigning."""
    sent = Letter(to.name, "cosign", payload, ttl_ms=60_000)
    envelope = seal(by.key, sent, seq, CLOCK.now_ms())
    await to.post.take(Received(write(envelope), by.name, "test", durable=True))


def block_of(node):
    return node.genesis.record.block().data.hex()


async def test_members_cosign_what_grew(tmp_path):
    async with town(tmp_path, 3) as (desk, laptop, attic):
        for count in (3, 1, 40):
            await desk.write(count)
            note = await desk.sign()
            rows = await desk.cosigners(2)
            assert {one["node"] for one in rows} == {laptop.name, attic.name}
        told = await desk.witnesses()
        cosigned = note_of(told["note"])
        assert cosigned.text == note_of(note).text
        assert len(cosigned.signatures) == 3
        for witness in (laptop, attic):
            (line,) = [one for one in cosigned.signatures if one.name == witness.genesis.name]
            key = bytes.fromhex(witness.genesis.log)
            at = check_cosignature(cosigned.text, line, key, witness.genesis.name)
            assert abs(at - CLOCK.now_ms() / 1000) < 60
            seen = (await witness.witnesses())["seen"]
            assert [(one["node"], one["size"]) for one in seen] == [(desk.name, size_of(note))] or (
                len(seen) == 2
            )
            assert witness.alarms.lines() == []
        assert desk.alarms.lines() == []
        assert desk.reports == []


async def test_a_locked_signer_cosigns_the_next_one(tmp_path):
    async with town(tmp_path, 2) as (desk, laptop):
        laptop.locked = True
        await desk.write(2)
        note = await desk.sign()
        await until(laptop.store.witness.seen, lambda row: row and row.note == note, desk.name)
        await until(_reports, len, laptop)
        laptop.locked = False
        await desk.write()
        await desk.sign()
        await desk.cosigners(1)


async def _reports(node):
    return node.reports


async def test_two_logs_of_one_size_are_evidence(tmp_path):
    async with town(tmp_path, 3) as (rogue, laptop, attic):
        await rogue.write(4)
        honest = await rogue.sign()
        await rogue.cosigners(2)
        # Another face, of the same size, for the attic alone.
        forked, _ = await fork(tmp_path, rogue, 4)
        assert size_of(forked) == size_of(honest)
        await letter(attic, rogue, write_letter(Ask(block_of(rogue), forked, 4, ())))
        (fault,) = await attic.accusations()
        assert (fault.node, fault.kind) == (rogue.name, "split")
        assert {fault.first, fault.second} == {honest, forked}
        (said,) = await attic.alarm("cannot be trusted")
        assert "two different logs of 4 entries" in said
        # Nothing more is cosigned for it, and the alarm is there after a restart.
        await rogue.write()
        await rogue.sign()
        await rogue.cosigners(1)
        told = await attic.witnesses()
        assert [one["kind"] for one in told["faults"]] == ["split"]
        assert len(await attic.store.witness.faults()) == 1
        assert laptop.alarms.lines() == []


async def test_what_others_saw_shows_a_split_view(tmp_path):
    async with town(tmp_path, 3) as (rogue, laptop, attic):
        await rogue.write(4)
        await rogue.sign()
        await rogue.cosigners(2)
        other, _ = await fork(tmp_path, rogue, 4)
        # The attic is told by the laptop of a face that it was never shown.
        await letter(attic, laptop, write_letter(Saw(block_of(rogue), other)))
        (fault,) = await attic.accusations()
        assert fault.kind == "split"
        assert laptop.alarms.lines() == []


async def fork(tmp_path, node, size):
    """A note by the node's key on a log of other entries."""
    twin = Node(tmp_path / f"fork{size}", 0, [])
    twin.keys, twin.genesis = node.keys, node.genesis
    twin.base.mkdir()
    async with Store.open(twin.base / "hermes.db", CLOCK) as twin.store:
        await twin.write(size, "other")
        twin.path = await twin.store.log.consistency(4, size) if size > 4 else ()
        note = await twin.note()
    return note, twin.path


async def test_a_log_that_is_no_continuation_is_evidence(tmp_path):
    async with town(tmp_path, 2) as (rogue, laptop):
        await rogue.write(4)
        honest = await rogue.sign()
        await rogue.cosigners(1)
        note, path = await fork(tmp_path, rogue, 9)
        await letter(laptop, rogue, write_letter(Ask(block_of(rogue), note, 4, hex_of(path))))
        (fault,) = await laptop.accusations()
        assert (fault.kind, fault.first, fault.second) == ("inconsistent", honest, note)
        await laptop.alarm("not a continuation of the one of 4")


async def test_a_proof_that_was_asked_for_and_does_not_hold_is_evidence(tmp_path):
    async with town(tmp_path, 3) as (rogue, laptop, attic):
        await rogue.write(4)
        await rogue.sign()
        await rogue.cosigners(2)
        note, path = await fork(tmp_path, rogue, 9)
        await letter(attic, laptop, write_letter(Saw(block_of(rogue), note)))
        await until(_pending, len, attic)
        await letter(attic, rogue, write_letter(Proof(4, 9, hex_of(path))))
        (fault,) = await attic.accusations()
        assert fault.kind == "inconsistent"


async def _pending(node):
    return node.cosigning._witnessing._pending


async def test_what_others_saw_is_proven_and_held(tmp_path):
    async with town(tmp_path, 3) as (desk, laptop, attic):
        await desk.write(4)
        await desk.sign()
        await desk.cosigners(2)
        await desk.write(5)
        note = await desk.note()
        await desk.store.checkpoints.add(note)  # nobody was asked yet
        await letter(attic, laptop, write_letter(Saw(block_of(desk), note)))
        row = await until(attic.store.witness.seen, lambda row: size_of(row.note) == 9, desk.name)
        assert row.note == note
        assert await attic.store.witness.faults() == ()


async def test_a_log_that_was_shortened_is_noticed_on_both_sides_and_forgiven_once_it_is_whole(
    tmp_path,
):
    async with town(tmp_path, 2) as (desk, laptop):
        await desk.write(3)
        early = await desk.sign()
        await desk.cosigners(1)
        await desk.write(3)
        await desk.sign()
        await desk.cosigners(1)
        # An older store was put back: it has the older note, and asks with it.
        await letter(laptop, desk, write_letter(Ask(block_of(desk), early, 3, ())))
        (fault,) = await laptop.accusations()
        assert fault.kind == "shortened"
        # The desk is told what the laptop saw, and here can still prove it.
        rows = await until(laptop.store.witness.faults, lambda rows: rows[0].over)
        assert len(rows) == 1
        (said,) = laptop.told
        assert "now shows a log of 3 entries, and had signed one of 6" in said
        await until(laptop.no_alarms, bool)
        await desk.write()
        await desk.sign()
        await until(_size_seen, lambda size: size == 7, laptop, desk)


async def _size_seen(node, other):
    return size_of((await node.store.witness.seen(other.name)).note)


async def test_a_store_that_was_put_back_learns_it_from_its_members(tmp_path):
    async with town(tmp_path, 2) as (desk, laptop):
        await desk.write(3)
        await desk.sign()
        longer, _ = await fork(tmp_path, desk, 8)
        await letter(desk, laptop, write_letter(Behind(8, longer)))
        (said,) = await desk.alarm("members saw 8 entries")
        assert "3 are here" in said
        replaced, _ = await fork(tmp_path, desk, 3)
        await letter(desk, laptop, write_letter(Behind(3, replaced)), 2)
        await desk.alarm("others are here in their place")


async def test_nobody_is_blamed_by_what_they_did_not_sign(tmp_path):
    async with town(tmp_path, 3) as (desk, laptop, attic):
        await desk.write(4)
        await desk.sign()
        await desk.cosigners(2)
        longer, _ = await fork(tmp_path, laptop, 4)  # by the laptop's key
        forged = longer.replace(laptop.genesis.name, desk.genesis.name)
        for seq, said in enumerate(
            (
                Saw(block_of(desk), forged),
                Saw(block_of(laptop), forged),
                Saw(block_of(desk), longer),
                Ask(block_of(desk), longer, 4),
                Ask(block_of(laptop), forged, 0),
                Behind(9, forged),
                Cosigned(block_of(laptop), 4, f"— {laptop.genesis.name} AAAAAAAA\n"),
                Cosigned(block_of(laptop), 4, "nonsense"),
                Proof(1, 4, ("00" * 32,)),
            ),
            start=2,
        ):
            await letter(attic, laptop, write_letter(said), seq)
        await until(_refused, lambda count: count == 9, attic)
        assert await attic.store.witness.faults() == ()
        assert attic.alarms.lines() == []


async def _refused(node):
    return sum(node.cosigning.refused.values())


HUGE = {
    "a huge proof": {"t": "ask", "genesis": "00", "note": "x", "old": 1, "path": ["00" * 32] * 64},
    "a hash of another length": {"t": "proof", "old": 1, "new": 2, "path": ["00" * 33]},
    "a huge note": {"t": "saw", "genesis": "00", "note": "x" * 5_000},
    "a huge record": {"t": "saw", "genesis": "00" * 5_000, "note": "x"},
    "a negative size": {"t": "prove", "old": -1, "new": 2},
    "a size beyond all": {"t": "prove", "old": 1, "new": 1 << 62},
    "a size that shrinks": {"t": "prove", "old": 3, "new": 2},
    "a log it never was": {"t": "prove", "old": 3, "new": 2_000_000},
    "an unknown letter": {"t": "hello"},
    "an unknown field": {"t": "prove", "old": 1, "new": 2, "more": 1},
    "no letter": [1, 2],
    "a record that is none": {"t": "ask", "genesis": "00", "note": "x", "old": 0},
}


@pytest.mark.parametrize("what", HUGE)
async def test_what_nobody_would_send_has_no_effect(tmp_path, what):
    async with town(tmp_path, 2) as (desk, laptop):
        await desk.write(4)
        await desk.sign()
        await desk.cosigners(1)
        await letter(desk, laptop, json.dumps(HUGE[what]).encode())
        await until(_refused, lambda count: count == 1, desk)
        assert desk.reports == []
        await desk.write()
        await desk.sign()
        await desk.cosigners(1)


async def test_a_stranger_is_not_heard(tmp_path):
    async with town(tmp_path, 2) as (desk, laptop):
        stranger = Node(tmp_path / "s", 9, [])
        note, _ = await fork(tmp_path, stranger, 4)
        await letter(desk, stranger, write_letter(Ask(block_of(stranger), note, 0)))
        refused = await until(desk.post.refused, len)
        assert {one.reason for one in refused} == {"not admitted"}
        # Nor through a member: whoever is no member has no log here.
        await letter(desk, laptop, write_letter(Saw(block_of(stranger), note)))
        await until(_refused, lambda count: count == 1, desk)
        assert await desk.store.witness.seen(stranger.name) is None


async def test_a_flood_of_one_member_leaves_the_others_heard(tmp_path):
    async with town(tmp_path, 3) as (desk, laptop, attic):
        for seq in range(130):
            await letter(desk, laptop, b'{"t":"prove","old":1,"new":2}', seq + 1)
        await until(_refused, lambda count: count == 130, desk)
        assert desk.cosigning.refused["too much"] == 10
        await attic.write()
        await attic.sign()
        await attic.cosigners(2)


async def test_a_second_genesis_record_of_one_key_is_evidence(tmp_path):
    async with town(tmp_path, 2) as (rogue, laptop):
        await rogue.write(2)
        await rogue.sign()
        await rogue.cosigners(1)
        again = found(rogue.keys, rogue.genesis.soul, 77_777)
        block = again.record.block().data.hex()
        await letter(laptop, rogue, write_letter(Ask(block, await rogue.note(), 2)))
        (fault,) = await laptop.accusations()
        assert (fault.kind, fault.second) == ("refounded", block)
        await laptop.alarm("two genesis records")


async def test_evidence_without_end_does_not_fill_the_disk(tmp_path):
    async with town(tmp_path, 2) as (rogue, laptop):
        await rogue.write(4)
        await rogue.sign()
        await rogue.cosigners(1)
        for seq in range(20):
            text = Checkpoint(rogue.genesis.name, 4, bytes([seq]) * 32).text
            note = Note(text, (rogue.keys.sign_note(text),)).format()
            await letter(laptop, rogue, write_letter(Ask(block_of(rogue), note, 4)), seq + 1)
        await letter(laptop, rogue, b"{}", 30)
        await until(_refused, lambda count: count == 1, laptop)
        assert len(await laptop.store.witness.faults()) == 16
