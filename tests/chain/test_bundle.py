import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.chain.anchored import payload_of_anchor, read
from hermes.chain.bundle import Reader, bundle_of, varint
from hermes.chain.headers import Headers, headers_of
from hermes.chain.offline import verify_bundle
from hermes.chain.work import sha256d, shown
from hermes.core.anchor import AnchorKind, Payload
from hermes.core.canonical import encode
from hermes.core.message import Message, Text, block_of
from hermes.errors import ProofInvalid
from hermes.testing.proofs import Maker, log_of

FIXTURES = Path(__file__).with_name("fixtures")
COIN = (bytes(range(32)), 1, 5000, b"\x00\x14" + bytes(20))
DIGEST = "597a45f534c753126f4b9cbdd94405bbac0d38539e810d8ff3ac5d107ce3f757"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def message(text, salt="5a" * 16):
    return block_of(
        Message(
            conversation="0199a000-0000-7000-8000-000000000001",
            session="0199a000-0000-7000-8000-000000000002",
            turn="0199a000-0000-7000-8000-000000000003",
            role="user",
            parts=(Text(text),),
            at=1_794_999_000_000,
            node="n",
            salt=salt,
        )
    )


BLOCKS = [message(f"message {number}") for number in range(5)]
LOG = log_of([block.cid for block in BLOCKS])


@pytest.fixture(scope="module")
def maker():
    return Maker()


@pytest.fixture(scope="module")
def made(maker):
    return maker.bundle(
        LOG, BLOCKS[3].cid, 3, earlier=3, batches=1, depth=1, message=BLOCKS[3].data
    )


def spoilt(made, **parts):
    return msgspec.structs.replace(made.bundle, **parts).encode()


def refused(data, trusted, why=None):
    with pytest.raises(ProofInvalid, match=why):
        verify_bundle(data, trusted)


def test_a_bundle_says_what_it_proves(maker, made):
    found = verify_bundle(made.bundle.encode(), made.headers)
    assert found.leaf == BLOCKS[3].cid
    assert (found.index, found.size, found.earlier, found.before) == (3, 5, 3, "checkpoint")
    assert found.root == LOG.checkpoint(5).root.hex()
    assert (found.network, found.height, found.blocks) == ("regtest", 1, 1)
    assert found.block == made.headers.hash_at(1) == shown(sha256d(made.bundle.header))
    assert found.rests_on == made.headers.hash_at(0)
    assert found.time == 1_795_000_600_000
    assert (found.nostr, found.genesis) == (maker.genesis.nostr, maker.genesis.cid)
    assert (found.content.role, found.content.text) == ("user", "message 3")


def test_a_blocks_hash_is_enough(made):
    block = made.headers.hash_at(1)
    found = verify_bundle(made.bundle.encode(), block)
    assert (found.height, found.blocks, found.rests_on) == (None, None, block)
    refused(made.bundle.encode(), made.headers.hash_at(0), "another block")
    refused(made.bundle.encode(), block.upper(), "lower case")
    refused(made.bundle.encode(), "", "64 hex")


@pytest.mark.parametrize("earlier", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("index", [0, 2, 4])
def test_every_leaf_is_proven_after_every_earlier_anchor(maker, earlier, index):
    made = maker.bundle(
        LOG, BLOCKS[index].cid, index, earlier=earlier, deposits=index // 2, batches=earlier // 2
    )
    data = made.bundle.encode()
    assert bundle_of(data) == made.bundle
    found = verify_bundle(data, made.headers)
    assert found.earlier == (earlier or None)
    assert found.before == ("checkpoint" if earlier else "genesis")
    assert found.content is None


def _flipped(data, bit):
    bad = bytearray(data)
    bad[bit // 8] ^= 1 << bit % 8
    return bytes(bad)


@pytest.mark.parametrize("part", range(4))
def test_every_flipped_bit_is_refused(made, part):
    data = made.bundle.encode()
    accepted = []
    for bit in range(part, len(data) * 8, 4):
        try:
            verify_bundle(_flipped(data, bit), made.headers)
        except ProofInvalid:
            continue
        accepted.append(bit)
    assert accepted == []


@pytest.mark.slow
def test_every_flipped_bit_of_a_larger_bundle_is_refused_by_a_pinned_block(maker):
    blocks = [encode({"t": "x", "n": number}) for number in range(5000)]
    log = log_of([block.cid for block in blocks])
    made = maker.bundle(log, blocks[2345].cid, 2345, earlier=3001, deposits=1, depth=9)
    data, block = made.bundle.encode(), made.headers.hash_at(1)
    verify_bundle(data, block)
    assert len(data) * 8 > 20_000
    for bit in range(len(data) * 8):
        with pytest.raises(ProofInvalid):
            verify_bundle(_flipped(data, bit), block)


def test_every_truncation_and_extension_is_refused(made):
    data = made.bundle.encode()
    for size in range(len(data)):
        refused(data[:size], made.headers)
    for more in (b"\0", b"\xff", data[:4], data):
        refused(data + more, made.headers, "follow the bundle")
    for place in range(0, len(data), 7):
        refused(data[:place] + b"\0" + data[place:], made.headers)


@given(st.binary(max_size=400))
def test_noise_is_refused(noise):
    with pytest.raises(ProofInvalid):
        bundle_of(b"HRMB\x01\x00" + noise)


def test_a_number_has_one_encoding():
    for number in (0, 1, 127, 128, 300, 2**14 - 1, 2**14, 2**63 - 1):
        raw = varint(number)
        read = Reader(raw)
        assert read.number() == number
        read.end()
    for longer in (b"\x80\x00", b"\xff\x00", b"\x81\x80\x00", b"\xff" * 9 + b"\x01"):
        with pytest.raises(ProofInvalid):
            Reader(longer).number()
    for outside in (-1, 2**63):
        with pytest.raises(ValueError, match="no varint"):
            varint(outside)


def test_another_version_or_an_unknown_part_is_refused(made):
    data = made.bundle.encode()
    refused(data[:4] + b"\x02" + data[5:], made.headers, "version 2 is unknown")
    refused(data[:5] + b"\x07" + data[6:], made.headers, "does not know")
    refused(b"HRMA" + data[4:], made.headers, "no proof bundle")
    refused(b"", made.headers, "no proof bundle")


def test_headers_of_another_chain_or_that_end_too_early_are_refused(made):
    data = made.bundle.encode()
    refused(data, Headers("regtest", 0, made.headers.at(0)), "not among the headers 0 to 0")
    elsewhere = Maker(network="signet").bundle(LOG, BLOCKS[3].cid, 3)
    refused(elsewhere.bundle.encode(), elsewhere.headers, "of signet, the headers are of regtest")


def test_parts_of_another_proof_do_not_fit(maker, made):
    other = maker.bundle(LOG, BLOCKS[1].cid, 1, earlier=2, depth=1)
    for name in ("leaf", "index", "inclusion", "earlier", "consistency", "transaction", "spent"):
        refused(spoilt(made, **{name: getattr(other.bundle, name)}), made.headers)
    refused(spoilt(made, lineage=()), made.headers, "does not reach an anchor of the log")
    refused(spoilt(made, lineage=made.bundle.lineage * 2), made.headers, "goes on behind")
    refused(spoilt(made, lineage=other.bundle.spent), made.headers, "skips a move")
    refused(spoilt(made, spent=()), made.headers, "one earlier transaction for each input")
    refused(spoilt(made, earlier=None, consistency=()), made.headers, "only grew since")
    refused(spoilt(made, message=BLOCKS[2].data), made.headers, "not the leaf's")


def test_somebody_elses_genesis_record_is_refused(made):
    stranger = Maker(b"\x08" * 32)
    genesis = stranger.genesis.record.block().data
    refused(spoilt(made, genesis=genesis), made.headers, "signature")
    text = stranger._checkpoint(made.bundle.checkpoint).text
    signature = stranger.keys.sign_note(text).signature
    refused(spoilt(made, genesis=genesis, signature=signature), made.headers, "commits to another")


def test_an_anchor_of_a_strangers_coin_is_refused():
    """The log's key alone anchors nothing: the coin must be the identity's."""
    robbed = Maker(payer=Maker(b"\x08" * 32))
    made = robbed.bundle(LOG, BLOCKS[3].cid, 3, earlier=3)
    refused(made.bundle.encode(), made.headers, "not the identity's")


def test_a_handoff_vouches_for_the_old_log(maker):
    made = maker.bundle(LOG, BLOCKS[4].cid, 4, earlier=3, handoff=bytes(range(32)))
    assert verify_bundle(made.bundle.encode(), made.headers).size == 5
    other = Maker(b"\x08" * 32).bundle(LOG, BLOCKS[4].cid, 4, earlier=3, handoff=bytes(32))
    parts = {name: getattr(other.bundle, name) for name in ("transaction", "spent", "header")}
    refused(spoilt(made, **parts), other.headers, "commits to another")


def test_a_signature_has_one_form(made):
    """A high S would be mined, and so would another hash type; a proof has neither."""
    raw = made.bundle.transaction
    good = read(raw).inputs[0].witness[0]
    cut = 4 + good[3]  # where S begins: its tag
    high = (ORDER - int.from_bytes(good[cut + 2 : -1], "big")).to_bytes(33, "big")
    twisted = good[:1] + bytes((cut + 33,)) + good[2:cut] + b"\x02\x21" + high + b"\x01"
    changed = raw.replace(bytes((len(good),)) + good, bytes((len(twisted),)) + twisted)
    assert read(changed).txid == read(raw).txid
    refused(spoilt(made, transaction=changed), made.headers, "signature of input 0")
    for kind in (0, 2, 3, 0x81):
        other = raw.replace(good, good[:-1] + bytes((kind,)))
        refused(spoilt(made, transaction=other), made.headers, "SIGHASH_ALL")


def test_a_coin_with_a_recovery_key_is_spent_by_its_first_path_only():
    recovery = Maker(b"\x09" * 32).keys.roles.coin
    guarded = Maker(recovery=(recovery, 1000))
    made = guarded.bundle(LOG, BLOCKS[3].cid, 3, earlier=3, deposits=1)
    assert verify_bundle(made.bundle.encode(), made.headers).index == 3
    raw, script = made.bundle.transaction, guarded.scripts.witness
    choice = raw.index(b"\x01\x01" + bytes((len(script),)) + script)
    for other in (b"\x01\x02", b"\x02\x01\x01", b"\x01\x81"):
        changed = raw[:choice] + other + raw[choice + 2 :]
        refused(spoilt(made, transaction=changed), made.headers, "takes no path")
    changed = raw[:choice] + b"\x00" + raw[choice + 2 :]
    refused(spoilt(made, transaction=changed), made.headers, "recovery key")


def test_a_parent_with_its_witness_is_refused(maker, made):
    """Nothing vouches for a parent's witness, so none may stand in a proof."""
    parent = bundle_of(made.bundle.encode()).spent[0]
    outputs_on = parent[4:-4]
    whole = parent[:4] + b"\x00\x01" + outputs_on + b"\x01\x01x" + parent[-4:]
    refused(spoilt(made, spent=(whole,)), made.headers, "another transaction")


def test_a_transaction_that_commits_twice_or_to_something_else_is_no_anchor(maker):
    batch = maker.transaction(Payload(AnchorKind.BATCH, bytes(32)), [COIN])
    assert payload_of_anchor(read(batch.serialize())).kind is AnchorKind.BATCH
    raw = batch.serialize()
    for changed in (raw.replace(b"HRM2\x01", b"HRM2\x02"), raw.replace(b"HRM2", b"HRM3")):
        with pytest.raises(ProofInvalid, match="no anchor"):
            payload_of_anchor(read(changed))
    batch.vout.append(batch.vout[0])
    with pytest.raises(ProofInvalid, match="commit once"):
        payload_of_anchor(read(batch.serialize()))


def test_the_format_is_what_it_was():
    """Bundles outlive versions: this one was written by the first."""
    data = (FIXTURES / "bundle-1.hrmb").read_bytes()
    headers, torn = headers_of((FIXTURES / "headers-1.hrmh").read_bytes())
    assert torn == 0
    assert hashlib.sha256(data).hexdigest() == DIGEST
    found = verify_bundle(data, headers)
    assert found.leaf == BLOCKS[3].cid
    assert found.content.text == "message 3"
    assert bundle_of(data).encode() == data
