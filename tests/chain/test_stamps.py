import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpHexlify, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp, make_merkle_tree

from hermes.chain.stamp_tree import StampTree, answer, promise
from hermes.chain.stamps import (
    MOST_PROOF,
    Attested,
    blinded,
    check_proof,
    digest_of,
    read_proof,
    signed_digest,
    stamped,
)
from hermes.errors import ProofInvalid

OTS = Path(__file__).parent / "ots"
EXAMPLES = json.loads((OTS / "examples.json").read_text())["examples"]
URI = "http://127.0.0.1:14788"
AT = 1_700_000_000


def example(name):
    return (OTS / name).read_bytes()


def header(root, at=AT):
    return bytes(36) + root + at.to_bytes(4, "little") + bytes(8)


def told(heights):
    return {height: header(root) for height, root in heights.items()}.get


def written(stamp):
    context = BytesSerializationContext()
    DetachedTimestampFile(OpSHA256(), stamp).serialize(context)
    return context.getbytes()


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row["file"])
def test_the_official_examples_get_their_verdicts(row):
    raw = example(row["file"])
    assert hashlib.sha256(raw).hexdigest() == row["sha256"]
    if row.get("invalid"):
        with pytest.raises(ProofInvalid):
            read_proof(raw)
        return
    proof = read_proof(raw)
    assert proof.encode() == raw
    assert (proof.algorithm, proof.digest.hex()) == (row["algorithm"], row["digest"])
    assert set(row["targets"]) <= {row["digest"]}
    blocks = [[one.height, one.root[::-1].hex()] for one in proof.attested()]
    assert blocks == row["blocks"]
    assert sorted({one.uri for one in proof.promised()}) == row["promised"]


def test_the_block_decides_between_the_good_example_and_the_bad_one():
    good, bad = (read_proof(example(f"{name}.txt.ots")) for name in ("hello-world", "bad-stamp"))
    headers = told({358391: good.attested()[0].root})
    assert check_proof(good, good.digest, headers).height == 358391
    with pytest.raises(ProofInvalid, match="block 358391 has another Merkle root"):
        check_proof(bad, bad.digest, headers)


def test_an_unknown_notary_and_a_promise_prove_nothing():
    for name, said in (("unknown-notary", "nobody we know"), ("incomplete", "alice.btc")):
        proof = read_proof(example(f"{name}.txt.ots"))
        with pytest.raises(ProofInvalid, match=said):
            check_proof(proof, proof.digest, told({}))


def test_the_earliest_block_that_holds_is_the_verdict():
    stamp = Timestamp(bytes(32))
    roots = {}
    for height in (300, 200, 100):
        end = stamp.ops.add(OpAppend(height.to_bytes(2, "big"))).ops.add(OpSHA256())
        end.attestations.add(BitcoinBlockHeaderAttestation(height))
        roots[height] = end.msg
    proof = read_proof(written(stamp))
    assert check_proof(proof, bytes(32), told(roots)).height == 100
    verdict = check_proof(proof, bytes(32), told(roots | {100: bytes(32)}))
    assert (verdict.height, verdict.at, verdict.failed) == (200, AT * 1000, (100,))
    assert check_proof(proof, bytes(32), told({300: roots[300]})).height == 300
    with pytest.raises(ProofInvalid, match="header of block 100 is not at hand"):
        check_proof(proof, bytes(32), told({}))
    with pytest.raises(ProofInvalid, match="not of 01"):
        check_proof(proof, b"\x01" * 32, told(roots))
    with pytest.raises(ProofInvalid, match="has 79 bytes"):
        check_proof(proof, bytes(32), lambda _: bytes(79))


def flips_accepted(proof):
    """Which single flipped bits of a proof of one block leave it a proof of that digest."""
    raw = proof.encode()
    (block,) = proof.attested()
    accepted = []
    for place in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        try:
            check_proof(read_proof(bytes(flipped)), proof.digest, told({block.height: block.root}))
        except ProofInvalid:
            continue
        accepted.append(place)
    return accepted


def test_no_flipped_bit_is_accepted():
    digest = hashlib.sha256(b"file").digest()
    stamp = Timestamp(digest)
    node = stamp.ops.add(OpAppend(bytes(16))).ops.add(OpSHA256())
    end = node.ops.add(OpPrepend(b"HRM2")).ops.add(OpSHA256())
    end.attestations.add(BitcoinBlockHeaderAttestation(70_000))
    assert flips_accepted(read_proof(written(stamp))) == []


@pytest.mark.slow
def test_one_flipped_bit_of_the_official_example_says_the_same():
    # There a block's last transaction is paired with itself: before it or behind it is one.
    assert flips_accepted(read_proof(example("hello-world.txt.ots"))) == [4824]


@given(st.binary(max_size=400), st.integers(0, 400))
def test_no_bytes_raise_anything_else(noise, place):
    good = example("two-calendars.txt.ots")
    for raw in (noise, good[:place] + noise, good[:place], good + noise):
        try:
            proof = read_proof(raw)
        except ProofInvalid:
            continue
        assert read_proof(proof.encode()).encode() == proof.encode()
        assert proof.lines()


def chain_of(ops, attestation):
    """A file whose operations follow one another."""
    stamp = end = Timestamp(bytes(32))
    for op in ops:
        end = end.ops.add(op)
    end.attestations.add(attestation)
    return written(stamp)


def test_hostile_files_are_refused():
    promised = PendingAttestation(URI)
    head = len(DetachedTimestampFile.HEADER_MAGIC) + 2 + 32
    plain = chain_of([OpSHA256()], promised)
    bare = plain[:head]
    fork = b"\xff\x08\x00" + BitcoinBlockHeaderAttestation.TAG + b"\x01\x01"
    files = {
        "depth limit": chain_of([OpSHA256()] * 300, promised),
        "more than 4096 operations": bare + fork * 4_000,
        "at most": bytes(MOST_PROOF + 1),
        "message invalid": chain_of([OpHexlify()] * 7, promised)[: head + 7] + b"\xf3" * 2,
        "reverse is not taken": bare + b"\xf2",
        "a number that is too large": bare + b"\xf0" + b"\xff" * 9,
        "4097 bytes where": bare + b"\xf0\x81\x20",
        "something follows": plain + b"\x00",
        "a height that no block": chain_of([], BitcoinBlockHeaderAttestation(2**4000)),
        "it ends too early": plain[:-1],
        "Expected magic": b"\x89PNG" + plain[4:],
    }
    for said, raw in files.items():
        with pytest.raises(ProofInvalid, match=said):
            read_proof(raw)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 100])
def test_the_tree_is_the_librarys(count):
    leaves = [hashlib.sha256(bytes([number])).digest() for number in range(count)]
    stamps = [Timestamp(leaf) for leaf in leaves]
    tree = StampTree(leaves)
    assert tree.root == make_merkle_tree(stamps).msg
    for index, leaf in enumerate(leaves):
        node = leaf
        for left, sibling in tree.path(index):
            node = hashlib.sha256(sibling + node if left else node + sibling).digest()
        assert node == tree.root


def test_a_promise_becomes_a_proof():
    digest, nonce = hashlib.sha256(b"file").digest(), bytes(16)
    commitment, promised = promise(blinded(digest, nonce), b"n" * 16, URI)
    proof = stamped(digest, nonce, promised)
    assert [(one.uri, one.commitment) for one in proof.promised()] == [(URI, commitment)]
    tree = StampTree([commitment, bytes(32), bytes(32)])
    end = Timestamp(tree.root)
    tail_end = end.ops.add(OpSHA256())
    tail_end.attestations.add(BitcoinBlockHeaderAttestation(7))
    context = BytesSerializationContext()
    end.serialize(context)
    way = answer(tree.path(0), context.getbytes())
    full = proof.upgraded(commitment, way)
    assert full.attested() == (Attested(7, tail_end.msg),)
    assert proof.attested() == ()  # the old one is as it was
    assert check_proof(full, digest, told({7: tail_end.msg})).height == 7
    with pytest.raises(ProofInvalid, match="does not lead to"):
        proof.upgraded(bytes(32), way)
    with pytest.raises(ProofInvalid, match="not a timestamp"):
        proof.upgraded(commitment, b"<html>no such page</html>")
    with pytest.raises(ProofInvalid, match="10000 at most"):
        proof.upgraded(commitment, bytes(10_001))


def test_an_event_is_stamped_with_its_signature():
    event, signature = b"\x01" * 32, b"\x02" * 64
    assert signed_digest(event, signature) == hashlib.sha256(event + signature).digest()
    with pytest.raises(ValueError, match="64"):
        signed_digest(event, b"")


def test_a_file_is_hashed_as_its_proof_says(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 3_000_000)
    with path.open("rb") as stream:
        assert digest_of(stream, "sha1") == hashlib.sha1(path.read_bytes()).digest()
