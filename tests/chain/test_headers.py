import hashlib
import struct

import pytest

from hermes.chain.headers import Headers, head, headers_of
from hermes.chain.offline import place_of
from hermes.chain.work import LEAST_WORK, compact, target_of, work_of
from hermes.errors import ProofInvalid

MERKLE = bytes.fromhex("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b")[::-1]
FOUR_MERKLE = bytes.fromhex("7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e")[
    ::-1
]
LIMIT = 0x207FFFFF


def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def packed(before, merkle, time, bits, nonce, version=1):
    return struct.pack("<i32s32sIII", version, before, merkle, time, bits, nonce)


MAIN = packed(bytes(32), MERKLE, 1231006505, 0x1D00FFFF, 2083236893)
REGTEST = packed(bytes(32), MERKLE, 1296688602, LIMIT, 2)
SIGNET = packed(bytes(32), MERKLE, 1598918400, 0x1E0377AE, 52613770)
TESTNET4 = packed(bytes(32), FOUR_MERKLE, 1714777860, 0x1D00FFFF, 393743547)


def mined(before, time, bits=LIMIT, mark=0):
    target = target_of(bits)
    for nonce in range(1000):
        header = packed(sha256d(before), mark.to_bytes(32, "big"), time, bits, nonce)
        if int.from_bytes(sha256d(header), "little") <= target:
            return header
    raise AssertionError("no nonce")


def chain(count, *, first=REGTEST, mark=0, step=600):
    found, at = [], first
    for i in range(count):
        at = mined(at, struct.unpack_from("<I", at, 68)[0] + step, mark=mark + i)
        found.append(at)
    return b"".join(found)


def regtest(count=0):
    headers = Headers("regtest", 0, REGTEST)
    headers.append(chain(count))
    return headers


@pytest.mark.parametrize(
    ("network", "first"),
    [("main", MAIN), ("regtest", REGTEST), ("signet", SIGNET), ("testnet4", TESTNET4)],
)
def test_every_network_begins_with_its_own_block_0(network, first):
    assert Headers(network, 0, first).height == 0
    for other in ("main", "regtest", "signet", "testnet4"):
        if other != network:
            with pytest.raises(ProofInvalid):
                Headers(other, 0, first)


def test_headers_are_appended_found_and_read_back():
    headers = regtest(20)
    assert headers.height == 20
    assert headers.tip == sha256d(headers.at(20))[::-1].hex() == headers.hash_at(20)
    assert headers.height_of(headers.at(7)) == 7
    assert headers.height_of(bytes(80)) is None
    assert headers.work == 21 * work_of(LIMIT)
    again, torn = headers_of(headers.file())
    assert (again.height, again.tip, again.work, torn) == (20, headers.tip, headers.work, 0)
    with pytest.raises(ProofInvalid, match="no header of height 21"):
        headers.at(21)


def test_a_header_is_found_only_where_one_begins():
    headers = regtest(3)
    shifted = headers.file()[len(head("regtest", 0)) + 40 :][:80]
    assert headers.height_of(shifted) is None
    assert headers.height_of(headers.at(2)[:40]) is None


def test_every_flipped_bit_of_a_chain_is_refused_or_changes_its_tip():
    headers = regtest(4)
    good = headers.file()
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            found, torn = headers_of(bytes(bad))
        except ProofInvalid:
            continue
        # Only the last header has none after it to vouch for its bytes: its hash is another.
        assert torn == 0
        assert bit >= (len(good) - 80) * 8
        assert found.tip != headers.tip


def test_a_torn_last_header_is_noticed_and_left_out():
    good = regtest(3).file()
    for cut in (1, 40, 79):
        found, torn = headers_of(good[:-cut])
        assert (found.height, torn) == (2, 80 - cut)
    for short in (b"", good[:9], good[:89], b"x" + good[1:]):
        with pytest.raises(ProofInvalid):
            headers_of(short)


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (lambda at: mined(bytes(80), 1296700000), "does not follow"),
        (lambda at: mined(at, 1296688602 - 1), "earlier than"),
        (lambda at: mined(at, 1296700000, bits=0x207FFFFE), "another difficulty"),
        (lambda at: mined(at, 1296700000, bits=0x2100FFFF)[:79], "torn"),
        (lambda at: packed(sha256d(at), bytes(32), 1296700000, 0x2100FFFF, 0), "easier"),
        (lambda at: packed(sha256d(at), bytes(32), 1296700000, 0x1D00FFFF, 0), "too little work"),
        (lambda at: packed(sha256d(at), bytes(32), 1296700000, 0x1D80FFFF, 0), "impossible"),
        (lambda at: packed(sha256d(at), bytes(32), 1296700000, 0xFF00FFFF, 0), "impossible"),
    ],
)
def test_a_header_that_does_not_hold_is_refused_and_nothing_is_kept(spoilt, why):
    headers = regtest(2)
    before = headers.file()
    good = chain(1, first=headers.at(2))
    with pytest.raises(ProofInvalid, match=why):
        headers.append(good + spoilt(good))
    assert (headers.file(), headers.height) == (before, 2)
    headers.append(good)
    assert headers.height == 3


def test_most_work_wins_and_a_tie_changes_nothing():
    headers = regtest(10)
    tip = headers.tip
    assert not headers.adopt(8, chain(3, first=headers.at(7), mark=100))
    assert not headers.adopt(8, chain(2, first=headers.at(7), mark=100))
    assert headers.tip == tip
    longer = chain(4, first=headers.at(7), mark=100)
    with pytest.raises(ProofInvalid):
        headers.adopt(8, longer[:-80] + bytes(80))
    assert (headers.tip, headers.height, headers.work) == (tip, 10, 11 * work_of(LIMIT))
    assert headers.adopt(8, longer)
    assert (headers.height, headers.work) == (11, 12 * work_of(LIMIT))
    assert headers_of(headers.file())[0].tip == headers.tip
    with pytest.raises(ProofInvalid, match="do not meet"):
        headers.adopt(13, longer)
    with pytest.raises(ProofInvalid, match="do not meet"):
        headers.adopt(0, longer)


def test_headers_may_begin_at_a_block_that_a_person_believes():
    full = regtest(30)
    part = Headers("regtest", 12, full.at(12))
    part.append(full.tail(13))
    assert (part.start, part.height, part.tip) == (12, 30, full.tip)
    assert part.height_of(full.at(20)) == 20
    assert part.height_of(full.at(3)) is None
    with pytest.raises(ProofInvalid, match="multiple of 2016"):
        Headers("main", 12, MAIN)


def test_little_work_from_block_0_of_main_is_not_the_best_chain():
    easy = Headers("main", 0, MAIN)
    with pytest.raises(ProofInvalid, match="less work"):
        place_of(MAIN, easy)
    assert place_of(REGTEST, Headers("regtest", 0, REGTEST))[:2] == (0, 1)
    assert LEAST_WORK["main"] > 600_000 * easy.work


def test_compact_targets_are_as_bitcoin_core_rounds_them():
    # From Core's arith_uint256 tests.
    assert target_of(0x01123456 & 0x01FFFFFF) == 0x12
    assert target_of(0x02008000) == 0x80
    assert target_of(0x05009234) == 0x92340000
    assert target_of(0x04123456) == 0x12345600
    assert compact(0x80) == 0x02008000
    assert compact(0x12345600) == 0x04123456
    assert compact(0x92340000) == 0x05009234
    for none in (0, 0x00123456, 0x01003456, 0x04923456, 0xFF123456):
        with pytest.raises(ProofInvalid):
            target_of(none)
    for bits in (0x1D00FFFF, 0x207FFFFF, 0x1E0377AE, 0x170331DB):
        assert compact(target_of(bits)) == bits
