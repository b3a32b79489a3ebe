"""The RFC 9162 (once RFC 6962) Merkle tree as pure functions: hashes, frontier, proofs.

A proof's hashes come from whoever keeps the tree (`hermes.store`); checking one needs
nothing but this module. A proof says nothing about who vouches for its root.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Node(NamedTuple):
    """A perfect subtree: the one of 2**level leaves that starts at leaf number * 2**level."""

    level: int
    number: int


Fetch = Callable[[Node], bytes]
"""Gives the hash of a perfect subtree."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's data."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """What has to be remembered of a tree to append to it: its perfect subtrees' hashes.

    `hashes`, the largest subtree first: one for each bit that is set in `size`. Raises
    ValueError where the two do not fit.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._hashes = list(hashes)
        _check_size(size)
        _check_hashes(self._hashes)
        if len(self._hashes) != size.bit_count():
            raise ValueError(f"{len(self._hashes)} hashes for a tree of {size} leaves")

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The subtrees' hashes, the largest first."""
        return tuple(self._hashes)

    @property
    def root(self) -> bytes:
        """The whole tree's hash."""
        return _folded(self._hashes) if self._hashes else EMPTY_ROOT

    def append(self, leaf: bytes) -> None:
        """Put a leaf (its hash) behind the others."""
        hashes, carry = self._hashes, self.size
        while carry & 1:
            leaf = node_hash(hashes.pop(), leaf)
            carry >>= 1
        hashes.append(leaf)
        self.size += 1

    def copy(self) -> "Frontier":
        """The same, to go another way."""
        return Frontier(self.size, self._hashes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    level = list(leaves)
    while len(level) > 1:  # an odd one out goes up as it is: that is how RFC 9162 splits
        odd = level[len(level) & ~1 :]
        level = [*map(node_hash, level[::2], level[1::2]), *odd]
    return level[0] if level else EMPTY_ROOT


def range_nodes(start: int, end: int) -> tuple[Node, ...]:
    """The perfect subtrees that make up leaves start to end, from left to right."""
    nodes = []
    while start < end:
        fits = (end - start).bit_length() - 1
        level = min(fits, (start & -start).bit_length() - 1) if start else fits
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return tuple(nodes)


def inclusion_nodes(index: int, size: int) -> tuple[tuple[Node, ...], ...]:
    """What each hash of an inclusion proof is made of; raises ValueError outside the tree."""
    _check_size(size)
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    ranges = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return tuple(range_nodes(*one) for one in reversed(ranges))


def consistency_nodes(old_size: int, size: int) -> tuple[tuple[Node, ...], ...]:
    """What each hash of a consistency proof is made of; raises ValueError when it shrinks."""
    _check_growth(old_size, size)
    if old_size in {0, size}:
        return ()
    ranges = []
    start, end = 0, size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:  # else the verifier has this hash already: it is the old root
        ranges.append((start, end))
    return tuple(range_nodes(*one) for one in reversed(ranges))


def inclusion(index: int, size: int, fetch: Fetch) -> tuple[bytes, ...]:
    """Prove that a leaf stands in a tree; raises ValueError when it does not."""
    return _proof(inclusion_nodes(index, size), fetch)


def consistency(old_size: int, size: int, fetch: Fetch) -> tuple[bytes, ...]:
    """Prove that a tree is the start of another; raises ValueError when it cannot be."""
    return _proof(consistency_nodes(old_size, size), fetch)


def root_at(size: int, fetch: Fetch) -> bytes:
    """The root of the first `size` leaves."""
    _check_size(size)
    return _folded([fetch(node) for node in range_nodes(0, size)]) if size else EMPTY_ROOT


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf with hash `leaf` stands at `index` (RFC 9162 §2.1.3.2).

    Raises ValueError when the proof does not show it.
    """
    _check_size(size)
    _check_hashes((leaf, root, *path))
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    at, last, found = index, size - 1, leaf
    for one in path:
        if last == 0:
            raise ValueError("the inclusion proof is too long")
        if at & 1 or at == last:
            found = node_hash(one, found)
            at, last = _up(at, last)
        else:
            found = node_hash(found, one)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ValueError("the inclusion proof is too short")
    if found != root:
        raise ValueError("the inclusion proof leads to another root")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]
) -> None:
    """Check that a tree only grew (RFC 9162 §2.1.4.2); of the empty tree any other grew.

    Raises ValueError when the proof does not show it.
    """
    _check_growth(old_size, size)
    _check_hashes((old_root, root, *path))
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ValueError("an empty tree has another root")
    if old_size in {0, size}:
        if path:
            raise ValueError("the consistency proof is too long")
        if old_size == size and old_root != root:
            raise ValueError("two roots of one size")
        return
    _climb(old_size, old_root, size, root, path)


def _climb(old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    steps = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not steps:
        raise ValueError("the consistency proof is too short")
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for one in steps[1:]:
        if last == 0:
            raise ValueError("the consistency proof is too long")
        if at & 1 or at == last:
            old, new = node_hash(one, old), node_hash(one, new)
            at, last = _up(at, last)
        else:
            new = node_hash(new, one)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ValueError("the consistency proof is too short")
    if old != old_root:
        raise ValueError("the consistency proof leads to another old root")
    if new != root:
        raise ValueError("the consistency proof leads to another root")


def _up(at: int, last: int) -> tuple[int, int]:
    """Past the levels on which the rightmost subtree has no sibling."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _proof(groups: Iterable[Sequence[Node]], fetch: Fetch) -> tuple[bytes, ...]:
    return tuple(_folded([fetch(node) for node in group]) for group in groups)


def _folded(hashes: Sequence[bytes]) -> bytes:
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _check_size(size: int) -> None:
    if size < 0:
        raise ValueError(f"a tree of {size} leaves")


def _check_growth(old_size: int, size: int) -> None:
    _check_size(old_size)
    if size < old_size:
        raise ValueError(f"a tree of {size} leaves cannot have grown from one of {old_size}")


def _check_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(one) != HASH_SIZE for one in hashes):
        raise ValueError("a hash has 32 bytes")
