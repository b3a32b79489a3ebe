"""Who should do it: every node ranks the same candidates in the same way, without a word.

Rendezvous hashing (Thaler, Ravishankar 1998): when a node goes, only its keys move. It picks a
candidate and decides nothing: a lease does.
"""

import hashlib
from collections.abc import Iterable


def ranked(key: str, nodes: Iterable[str]) -> tuple[str, ...]:
    """Nodes by how well they fit the key, best first."""
    return tuple(sorted(nodes, key=lambda node: _weight(key, node)))


def candidate(key: str, nodes: Iterable[str]) -> str | None:
    """The best node for a key; None where there are no nodes."""
    return min(nodes, key=lambda node: _weight(key, node), default=None)


def rank(key: str, node: str, nodes: Iterable[str]) -> int:
    """How many nodes fit the key better than this one."""
    mine = _weight(key, node)
    return sum(_weight(key, other) < mine for other in nodes if other != node)


def _weight(key: str, node: str) -> bytes:
    return hashlib.sha256(f"{key}|{node}".encode()).digest()
