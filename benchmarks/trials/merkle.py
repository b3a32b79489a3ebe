"""A log that grows by tiles, with proofs of both kinds made and checked."""

import random
from collections.abc import Iterator

from hermes.core.merkle import (
    Node,
    consistency,
    inclusion,
    node_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from hermes.core.tiles import Tiling

LEAVES = 1 << 16
PROOFS = 2_500


def work(chance: random.Random) -> Iterator[bytes]:
    """The tiles, the frontier, then proofs of random leaves and sizes."""
    leaves = [chance.randbytes(32) for _ in range(LEAVES)]
    tree = Tiling()
    at = 0
    while at < LEAVES:
        step = chance.randrange(1, 200)
        for tile in tree.extend(leaves[at : at + step]):
            yield tile.root
        at += step
    yield tree.hashes
    levels = [leaves]
    while len(levels[-1]) > 1:
        one = levels[-1]
        levels.append(list(map(node_hash, one[::2], one[1::2])))

    def fetch(node: Node) -> bytes:
        return levels[node.level][node.number]

    for _ in range(PROOFS):
        size = chance.randrange(2, LEAVES)
        index, old = chance.randrange(size), chance.randrange(1, size)
        root = root_at(size, fetch)
        path = inclusion(index, size, fetch)
        verify_inclusion(leaves[index], index, size, path, root)
        grown = consistency(old, size, fetch)
        verify_consistency(old, root_at(old, fetch), size, root, grown)
        yield b"".join((root, *path, *grown))
