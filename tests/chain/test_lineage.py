"""The walk from genesis to now: what holds, and every way in which it must not."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.chain.lineage import verify_lineage, walk
from hermes.chain.lineage_wire import Lineage, Link, lineage_of
from hermes.chain.payloads import genesis_payload, handoff_payload
from hermes.core.anchor import AnchorKind, Payload
from hermes.core.attestation import attestation_of
from hermes.core.canonical import cid_of
from hermes.errors import ProofInvalid
from hermes.identity.statements import MEMBER, REVOKED, SOUL
from hermes.testing.lineages import Line, who

AT = 1_795_000_000_000
A = who("a", recovery=True)
B = who("b", recovery=True)
C = who("c", parent=B.genesis.cid)
NODE = "11" * 32


def soul(of, text, previous=""):
    digest = hashlib.sha256(text).hexdigest()
    fields = {"soul": digest, "genesis": of.genesis.cid, "at": AT, "previous": previous}
    return of.says(SOUL, fields)


def member(of, node=NODE, since=AT, at=AT):
    fields = {"node": node, "roles": ["worker"], "since": since, "until": 0, "at": at}
    return of.says(MEMBER, fields)


def story():
    """Two checkpoints (one takes a deposit in), a handoff, a checkpoint, a death, one more."""
    line = Line(A)
    line.checkpoint(3)
    line.checkpoint(5, line.deposit(A, 700))
    line.handoff(B)
    line.checkpoint(2)
    line.recover(C)
    line.checkpoint(1)
    return line


@pytest.fixture(scope="module")
def made():
    return story().made([soul(A, b"new"), member(A)])


def refused(lineage, headers, why):
    with pytest.raises(ProofInvalid, match=why):
        verify_lineage(lineage.encode(), headers)


def with_links(made, links):
    return msgspec.structs.replace(made.lineage, links=tuple(links))


def test_the_walk_says_who_came_after_whom(made):
    found = verify_lineage(made.lineage.encode(), made.headers)
    told = [(one.how, one.genesis.cid, len(one.steps)) for one in found.instances]
    assert told == [
        ("genesis", A.genesis.cid, 3),
        ("handoff", B.genesis.cid, 2),
        ("recovery", C.genesis.cid, 2),
    ]
    assert found.links == 7
    assert found.instances[1].handoff.old == A.genesis.cid
    assert found.now.genesis.cid == C.genesis.cid
    assert (found.height, found.blocks, found.block) == (1, 1, made.headers.hash_at(1))
    assert [one.soul for one in found.instances[0].souls] == [hashlib.sha256(b"new").hexdigest()]
    assert lineage_of(made.lineage.encode()) == made.lineage


def test_a_blocks_hash_is_enough_and_another_is_not(made):
    found = verify_lineage(made.lineage.encode(), made.headers.hash_at(1))
    assert (found.height, found.blocks) == (None, None)
    refused(made.lineage, made.headers.hash_at(0), "another block")


def test_a_line_of_one_instance_that_never_anchored_is_no_proof(made):
    refused(Lineage(A.block), made.headers, "in no block yet")
    assert walk(Lineage(A.block)).coin is None


def _flipped(data, bit):
    bad = bytearray(data)
    bad[bit // 8] ^= 1 << bit % 8
    return bytes(bad)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(16))
def test_every_flipped_bit_is_refused(part):
    line = Line(A)
    line.handoff(B)
    line.recover(C)
    _check_flips(line.made([soul(A, b"new")]), part, 16)


def test_many_flipped_bits_are_refused(made):
    _check_flips(made, 5, 97)


def _check_flips(made, start, step):
    data = made.lineage.encode()
    accepted = []
    for bit in range(start, len(data) * 8, step):
        try:
            verify_lineage(_flipped(data, bit), made.headers)
        except ProofInvalid:
            continue
        accepted.append(bit)
    assert accepted == []


@given(cut=st.integers(min_value=0), tail=st.binary(max_size=3))
def test_cut_or_longer_files_are_refused(made, cut, tail):
    data = made.lineage.encode()
    short = data[: cut % len(data)]
    for bad in (short, short + tail, data + tail + b"\0"):
        if bad != data:
            with pytest.raises(ProofInvalid):
                verify_lineage(bad, made.headers)


@given(data=st.binary(max_size=400))
def test_any_bytes_are_refused_not_crashed_on(data):
    for head in (b"", b"HRML\x01\x00", b"HRML\x01\x01"):
        with pytest.raises(ProofInvalid):
            verify_lineage(head + data, "00" * 32)


@pytest.mark.parametrize("gone", range(7))
def test_a_dropped_link_is_missed(made, gone):
    links = list(made.lineage.links)
    del links[gone]
    refused(with_links(made, links), made.headers, r"link \d: |does not lead")


@pytest.mark.parametrize("first", range(6))
def test_reordered_links_are_refused(made, first):
    links = list(made.lineage.links)
    links[first], links[first + 1] = links[first + 1], links[first]
    with pytest.raises(ProofInvalid):
        walk(with_links(made, links))


def test_the_end_cannot_be_cut_off_under_a_later_place(made):
    refused(with_links(made, made.lineage.links[:-1]), made.headers, "does not lead")


def test_a_link_by_another_key_is_refused():
    line = story()
    thief = who("thief")
    coin = line.coin._replace(who=thief)
    line.move(payload_of(line), [coin], thief)
    with pytest.raises(ProofInvalid, match="key that no record names"):
        walk(line.made().lineage)
    line.links.pop()
    line.move(payload_of(line), [coin], C)
    with pytest.raises(ProofInvalid, match=r"link 7: input 0"):
        walk(line.made().lineage)


def payload_of(line):
    return Payload(AnchorKind.CHECKPOINT, hashlib.sha256(b"any").digest())


def test_a_silent_change_of_the_key_is_refused():
    line = Line(A)
    line.move(payload_of(line), [line.coin], B)
    with pytest.raises(ProofInvalid, match="key that no record names"):
        walk(line.made().lineage)


def test_old_only_is_not_a_handoff():
    line = Line(A)
    line.handoff(B)
    whole = line.links.pop()
    start = Line(A)
    start.move(handoff_payload(attestation_of(whole.records[1])), [start.coin], B)
    alone = msgspec.structs.replace(start.links[1], records=whole.records)
    with pytest.raises(ProofInvalid, match="the successor did not sign"):
        walk(with_links(start.made(), [start.links[0], alone]))


def test_new_only_is_not_a_handoff():
    line = Line(A)
    record = A.says("hermes/handoff/1", handoff_fields())
    coin = line.coin._replace(who=B)  # signed by the successor's key
    stake = line.deposit(B, 1000)
    accepted = B.says("hermes/accepted/1", {"handoff": record.block().cid, "at": AT})
    records = (B.block, record.block().data, accepted.block().data)
    line.move(handoff_payload(record), [coin, stake], B, values=[stake], records=records)
    with pytest.raises(ProofInvalid, match="link 1: "):
        walk(line.made().lineage)


def handoff_fields(**fields):
    text = f"{A.genesis.name}\n9\n{'A' * 43}=\n"
    named = {"old": A.genesis.cid, "new": B.genesis.cid, "soul": B.genesis.soul, "verdict": ""}
    return named | {"checkpoint": text, "at": AT} | fields


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"soul": "00" * 32}, "another SOUL.md"),
        ({"new": C.genesis.cid}, "another handoff, or by another"),
        ({"old": C.genesis.cid}, "not from this instance"),
        ({"checkpoint": f"hermes/{'0' * 16}\n9\n{'A' * 43}=\n"}, "of another log"),
    ],
)
def test_a_record_that_says_something_else_is_refused(fields, why):
    line = Line(A)
    line.handoff(B, **fields)
    with pytest.raises(ProofInvalid, match=why):
        walk(line.made().lineage)


def test_records_of_another_handoff_are_refused():
    line, other = Line(A), Line(A)
    line.handoff(B)
    other.handoff(B, size=10)
    swapped = msgspec.structs.replace(line.links[1], records=other.links[1].records)
    with pytest.raises(ProofInvalid, match="payload is not of this handoff"):
        walk(with_links(line.made(), [line.links[0], swapped]))


def test_an_anchor_cannot_pass_as_a_succession_nor_the_other_way():
    line = Line(A)
    line.handoff(B)
    bare = Link(line.links[1].raw, line.links[1].values)
    with pytest.raises(ProofInvalid, match="handoff payload has no place here"):
        walk(with_links(line.made(), [line.links[0], bare]))


def test_the_recovery_key_alone_can_only_give_to_a_named_heir():
    line = Line(B)
    stranger = who("stranger")
    line.recover(stranger)
    with pytest.raises(ProofInvalid, match="does not name this predecessor"):
        walk(line.made().lineage)
    taken = Line(B)
    taken.move(payload_of(taken), [taken.coin], B, dead=True)
    with pytest.raises(ProofInvalid, match="taken by the recovery key"):
        walk(taken.made().lineage)
    living = Line(B)
    living.move(genesis_payload(C.genesis), [living.coin], C, records=(C.block,))
    with pytest.raises(ProofInvalid, match="not taken by the recovery key"):
        walk(living.made().lineage)


def test_the_coin_never_comes_back():
    back = who("back")
    line = Line(A)
    line.handoff(back)
    line.handoff(A)
    with pytest.raises(ProofInvalid, match="comes back"):
        walk(line.made().lineage)


def test_a_first_anchor_of_another_record_is_refused(made):
    wrong = msgspec.structs.replace(made.lineage, genesis=B.block)
    refused(wrong, made.headers, "link 0: the first anchor is of another")


def test_a_deposit_of_somebody_else_or_of_another_value_is_refused():
    line = Line(A)
    line.checkpoint(1, line.deposit(who("rich"), 5000))
    with pytest.raises(ProofInvalid, match="belongs to nobody"):
        walk(line.made().lineage)
    honest = story()
    lied = msgspec.structs.replace(honest.links[2], values=(701,))
    links = [*honest.links[:2], lied, *honest.links[3:]]
    with pytest.raises(ProofInvalid, match="link 2: the signature of input 1"):
        walk(with_links(honest.made(), links))
    links[2] = msgspec.structs.replace(lied, values=())
    with pytest.raises(ProofInvalid, match="not every deposit's value"):
        walk(with_links(honest.made(), links))


def test_statements_are_checked_and_ordered():
    first = soul(A, b"one")
    second = soul(A, b"two", first.block().cid)
    assert len(walk(Line(A).made([first, second]).lineage).now.souls) == 2
    for bad, why in (
        ([second], "does not follow"),
        ([second, first], "does not follow"),
        ([first, first], "twice"),
        ([soul(B, b"x")], "no record of the lineage names"),
        ([member(B)], "no record of the lineage names"),
        ([first.signed(bytes(64))], "signature of a statement"),
    ):
        with pytest.raises(ProofInvalid, match=why):
            walk(Line(A).made(bad).lineage)


def test_members_are_told_for_a_moment():
    gone = A.says(REVOKED, {"node": NODE, "at": AT + 500, "reason": "sold"})
    now = walk(Line(A).made([member(A), member(A, "22" * 32), gone]).lineage).now
    valid = [one.node for one in now.members_at(AT + 400) if one.state == "valid"]
    assert valid == [NODE, "22" * 32]
    valid = [one.node for one in now.members_at(AT + 600) if one.state == "valid"]
    assert valid == ["22" * 32]


@pytest.mark.parametrize(("recovery", "most"), [(False, 260), (True, 310)])
def test_a_link_is_small(recovery, most):
    line = Line(who("small", recovery=recovery))
    before = len(line.made().lineage.encode())
    for size in range(20):
        line.checkpoint(size)
    assert (len(line.made().lineage.encode()) - before) / 20 < most


def test_a_genesis_record_is_named_by_its_bytes(made):
    assert cid_of(made.lineage.genesis) == A.genesis.cid
