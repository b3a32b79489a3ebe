"""Neighbours: on each of five rings the node before and the node after.

A pure function of who is alive: nodes with one view agree on their links without a word, a death
closes the rings by itself, and five rings hold together when 30 % vanish at once (measured:
notes/nostr.md, degree 5). Does not guard against nodes that choose keys to be near another.
"""

from collections.abc import Iterable

from hermes.mesh.members import place

RINGS = 5
_SPAN = 1 << 32


def position(node: str, ring: int) -> int:
    """Where a node stands on a ring."""
    return int.from_bytes(place(node)[4 * ring : 4 * ring + 4], "big")


def neighbours(me: str, alive: Iterable[str]) -> tuple[str, ...]:
    """The nodes that stand next to this one on any ring, sorted."""
    others = [node for node in alive if node != me]
    if len(others) <= 2 * RINGS:
        return tuple(sorted(others))
    chosen = set()
    for ring in range(RINGS):
        start = position(me, ring)
        steps = [((position(node, ring) - start) % _SPAN, node) for node in others]
        chosen.add(min(steps)[1])
        chosen.add(max(steps)[1])
    return tuple(sorted(chosen))


def stands_between(me: str, links: tuple[str, ...], node: str) -> bool:
    """Whether a new node would be a neighbour, seen from the present ones."""
    if len(links) < 2 * RINGS:
        return True
    for ring in range(RINGS):
        start = position(me, ring)
        step = (position(node, ring) - start) % _SPAN
        steps = [(position(one, ring) - start) % _SPAN for one in links]
        if step < min(steps) or step > max(steps):
            return True
    return False
