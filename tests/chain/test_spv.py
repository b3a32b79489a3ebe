import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.chain.spv import check_mined, merkle_root
from hermes.errors import ProofInvalid


def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def rows_of(leaves):
    """A block's tree as consensus builds it: the last of an odd row is paired with itself."""
    rows = [list(leaves)]
    while len(rows[-1]) > 1:
        row = rows[-1] + rows[-1][-1:] if len(rows[-1]) % 2 else rows[-1]
        rows.append([sha256d(row[i] + row[i + 1]) for i in range(0, len(row), 2)])
    return rows


def branch_of(rows, position):
    branch = []
    for row in rows[:-1]:
        sibling = position ^ 1
        branch.append(row[sibling] if sibling < len(row) else row[position])
        position >>= 1
    return branch


def header_of(root):
    return bytes(36) + root + bytes(12)


def transactions(count):
    return [b"transaction %d" % number for number in range(count)]


@given(st.integers(1, 40), st.data())
def test_every_transaction_of_every_block_is_found_and_at_no_other_place(count, data):
    raw = transactions(count)
    rows = rows_of([sha256d(one) for one in raw])
    position = data.draw(st.integers(0, count - 1))
    branch = branch_of(rows, position)
    header = header_of(rows[-1][0])
    assert check_mined(raw[position], position, branch, header) == sha256d(raw[position])
    for other in range(1 << len(branch) + 1):
        if other != position:
            with pytest.raises(ProofInvalid):
                check_mined(raw[position], other, branch, header)


def test_every_flipped_bit_is_refused():
    raw = transactions(7)
    rows = rows_of([sha256d(one) for one in raw])
    for position in range(7):
        branch = branch_of(rows, position)
        for sibling in range(len(branch)):
            for bit in range(256):
                bad = bytearray(branch[sibling])
                bad[bit // 8] ^= 1 << bit % 8
                changed = [*branch[:sibling], bytes(bad), *branch[sibling + 1 :]]
                with pytest.raises(ProofInvalid):
                    check_mined(raw[position], position, changed, header_of(rows[-1][0]))


def test_a_transaction_of_64_bytes_is_refused_even_when_it_leads_to_the_root():
    left, right = sha256d(b"left"), sha256d(b"right")
    inner = left + right
    root = sha256d(inner)
    assert merkle_root(sha256d(inner), 0, []) == root
    with pytest.raises(ProofInvalid, match="CVE-2017-12842"):
        check_mined(inner, 0, [], header_of(root))


def test_a_doubled_transaction_is_refused():
    # CVE-2012-2459: [a, b, c] and [a, b, c, c] have one root.
    rows = rows_of([sha256d(one) for one in transactions(3)])
    branch = branch_of(rows, 2)
    assert branch[0] == rows[0][2]
    check_mined(b"transaction 2", 2, branch, header_of(rows[-1][0]))
    with pytest.raises(ProofInvalid, match="CVE-2012-2459"):
        check_mined(b"transaction 2", 3, branch, header_of(rows[-1][0]))


@pytest.mark.parametrize(
    ("position", "branch", "header"),
    [
        (1, [], bytes(80)),
        (-1, [], bytes(80)),
        (0, [bytes(31)], bytes(80)),
        (0, [bytes(32)] * 21, bytes(80)),
        (0, [], bytes(79)),
        (0, [], bytes(80)),
    ],
)
def test_malformed_branches_are_refused(position, branch, header):
    with pytest.raises(ProofInvalid):
        check_mined(b"a transaction", position, branch, header)
