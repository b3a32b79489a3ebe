"""The tree of a batch and the way from its root into a block, as OpenTimestamps writes them.

The tree has the shape of the library's `make_merkle_tree`, on bare hashes: 5,000 digests take
milliseconds and half a megabyte, where its objects take seconds of a small machine.
"""

import hashlib
from collections.abc import Sequence

from bitcoin.core import CTransaction, SerializationError
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import Timestamp

from hermes.chain.backend import Place
from hermes.chain.spv import check_mined
from hermes.core.anchor import AnchorKind, Payload
from hermes.errors import ProofInvalid

_MOST_TRANSACTION = 2_000
Step = tuple[bool, bytes]
"""A sibling, and whether it stands to the left."""


class StampTree:
    """A Merkle tree over commitments; an odd one out goes up as it is."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not leaves:
            raise ValueError("a tree without leaves has no root")
        self._levels = [list(leaves)]
        while len(level := self._levels[-1]) > 1:
            pairs = zip(level[::2], level[1::2], strict=False)
            above = [hashlib.sha256(left + right).digest() for left, right in pairs]
            self._levels.append(above + level[len(above) * 2 :])

    @property
    def root(self) -> bytes:
        """What the transaction commits to."""
        return self._levels[-1][0]

    def path(self, index: int) -> tuple[Step, ...]:
        """The siblings from a leaf to the root."""
        steps: list[Step] = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                steps.append((sibling < index, level[sibling]))
            index //= 2
        return tuple(steps)


def promise(digest: bytes, nonce: bytes, uri: str) -> tuple[bytes, bytes]:
    """A commitment to a digest and the answer that leads there and promises more."""
    stamp = Timestamp(digest)
    end = stamp.ops.add(OpAppend(nonce)).ops.add(OpSHA256())
    end.attestations.add(PendingAttestation(uri))
    return bytes(end.msg), _bytes(stamp)


def answer(path: Sequence[Step], tail: bytes) -> bytes:
    """What leads from a commitment along its path and, by `tail`, into a block."""
    # A timestamp that forks nowhere is its operations' bytes in a row.
    context = BytesSerializationContext()
    for left, sibling in path:
        (OpPrepend if left else OpAppend)(sibling).serialize(context)
        OpSHA256().serialize(context)
    return bytes(context.getbytes()) + tail


def tail_of(root: bytes, raw: bytes, place: Place, header: bytes) -> bytes:
    """What leads from a batch's root through its transaction to the block's Merkle root.

    Raises ProofInvalid when the transaction does not anchor the root, or is not in the block.
    """
    stripped = _stripped(raw)
    check_mined(stripped, place.position, place.branch, header)
    payload = Payload(AnchorKind.BATCH, root).encode()
    at = stripped.find(payload)
    if at < 0:
        raise ProofInvalid("the transaction does not anchor this batch")
    at += len(payload) - len(root)
    stamp = end = Timestamp(root)
    end = end.ops.add(OpPrepend(stripped[:at])).ops.add(OpAppend(stripped[at + len(root) :]))
    end = end.ops.add(OpSHA256()).ops.add(OpSHA256())
    for level, sibling in enumerate(place.branch):
        left = place.position >> level & 1
        end = end.ops.add((OpPrepend if left else OpAppend)(sibling))
        end = end.ops.add(OpSHA256()).ops.add(OpSHA256())
    end.attestations.add(BitcoinBlockHeaderAttestation(place.height))
    return _bytes(stamp)


def _stripped(raw: bytes) -> bytes:
    """The bytes that a transaction's id is the hash of."""
    try:
        found: bytes = CTransaction.deserialize(raw).serialize(params={"include_witness": False})
    except (SerializationError, ValueError) as error:
        raise ProofInvalid(f"not a transaction: {error}") from error
    if len(found) > _MOST_TRANSACTION:
        raise ProofInvalid(f"a transaction of {len(found)} bytes anchors no batch")
    return found


def _bytes(stamp: Timestamp) -> bytes:
    context = BytesSerializationContext()
    stamp.serialize(context)
    return bytes(context.getbytes())
