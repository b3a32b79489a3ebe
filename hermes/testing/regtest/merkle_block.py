"""The part of a block's tree that leads to some transactions, as BIP 37 writes it."""

import struct

from bitcoin.core.serialize import VarIntSerializer

from hermes.testing.regtest.parsed import merkle_levels


def partial_tree(leaves: list[bytes], wanted: set[bytes]) -> bytes:
    """Count, hashes and flags; the header goes before them."""
    levels = merkle_levels(leaves)
    hashes: list[bytes] = []
    bits: list[bool] = []

    def walk(level: int, position: int) -> None:
        first = position << level
        inside = any(one in wanted for one in leaves[first : first + (1 << level)])
        bits.append(inside)
        if level == 0 or not inside:
            hashes.append(levels[level][position])
            return
        walk(level - 1, 2 * position)
        if 2 * position + 1 < len(levels[level - 1]):
            walk(level - 1, 2 * position + 1)

    walk(len(levels) - 1, 0)
    packed = bytearray((len(bits) + 7) // 8)
    for number, bit in enumerate(bits):
        packed[number // 8] |= bit << (number % 8)
    counts = [bytes(VarIntSerializer.serialize(len(one))) for one in (hashes, packed)]
    return struct.pack("<I", len(leaves)) + counts[0] + b"".join(hashes) + counts[1] + packed
