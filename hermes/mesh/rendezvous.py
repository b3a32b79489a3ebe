"""Who should do it: every node ranks the same candidates in the same way, without a word.

Rendezvous hashing (Thaler, Ravishankar 1998): when a node goes, only its keys move. It picks a
candidate and decides nothing: a lease does.
"""

import hashlib
from collections.abc import Collection, Iterable


def ranked(key: str, nodes: Iterable[str]) -> tuple[str, ...]:
    """Nodes by how well they fit the key, best first."""
    return tuple(sorted(nodes, key=lambda node: _weight(key, node)))


def candidate(key: str, nodes: Collection[str], first: str = "") -> str | None:
    """The best node for a key, `first` where it is there; None where there are no nodes."""
    if first in nodes:
        return first
    return min(nodes, key=lambda node: _weight(key, node), default=None)


def rank(key: str, node: str, nodes: Iterable[str], first: str = "") -> int:
    """How many nodes fit the key better than this one; `first` fits best, where it is there."""
    mine = _weight(key, node)
    if node == first:
        return 0
    return sum(other == first or _weight(key, other) < mine for other in nodes if other != node)


def _weight(key: str, node: str) -> bytes:
    return hashlib.sha256(f"{key}|{node}".encode()).digest()
