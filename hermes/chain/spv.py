"""Whether a transaction lies in a block whose header is known: Merkle branch and its traps.

Refused: a transaction of 64 bytes without its witness, which could be an inner node of the
tree (CVE-2017-12842); a position beyond the branch; a right-hand node equal to its left-hand
sibling, which only a doubled transaction has (CVE-2012-2459). A left-hand node may equal its
sibling: so Bitcoin pairs the last of an odd row. Whether the header is of the best chain is
the business of `headers`.
"""

from collections.abc import Sequence

from hermes.chain.work import HEADER, sha256d
from hermes.errors import ProofInvalid

_DIGEST = 32
_INNER = 2 * _DIGEST
_DEEPEST = 20
"""A block of a million transactions; a real one has room for sixteen thousand."""


def check_mined(stripped: bytes, position: int, branch: Sequence[bytes], header: bytes) -> bytes:
    """The transaction's id (inner byte order), once the branch leads from it to the header."""
    if len(header) != HEADER:
        raise ProofInvalid("the block's header is not 80 bytes")
    if len(stripped) == _INNER:
        raise ProofInvalid("a transaction of 64 bytes proves nothing (CVE-2017-12842)")
    txid = sha256d(stripped)
    if merkle_root(txid, position, branch) != header[36:68]:
        raise ProofInvalid("the branch does not lead from the transaction to the block")
    return txid


def merkle_root(txid: bytes, position: int, branch: Sequence[bytes]) -> bytes:
    """The root that a branch (siblings from leaf to root) gives; raises ProofInvalid."""
    if len(branch) > _DEEPEST or position < 0 or position >> len(branch):
        raise ProofInvalid("the position lies beyond the block")
    node = txid
    for sibling in branch:
        if len(sibling) != _DIGEST:
            raise ProofInvalid("a sibling in the branch is not 32 bytes")
        if position & 1 and sibling == node:
            raise ProofInvalid("the block holds a doubled transaction (CVE-2012-2459)")
        node = sha256d(sibling + node if position & 1 else node + sibling)
        position >>= 1
    return node
