"""How many of a fleet must agree, and what a node that sees too few of them may still do.

With a majority of all there two never act at one time. With less a node goes on alone: what it
writes is a fork that is merged later, and nothing that another may have begun is begun again.
"""

from collections.abc import Collection
from enum import StrEnum


def majority(voters: Collection[str]) -> int:
    """More than half."""
    return len(voters) // 2 + 1


def is_quorate(me: str, voters: Collection[str], live: Collection[str]) -> bool:
    """Whether a majority of all voters is there."""
    return _there(me, voters, live) >= majority(voters)


def quorum(me: str, voters: Collection[str], live: Collection[str], *, strict: bool) -> int:
    """How many must agree: of all, or without `strict` and such a majority, of who is there."""
    if strict or is_quorate(me, voters, live):
        return majority(voters)
    return _there(me, voters, live) // 2 + 1


def would_know(me: str, voters: Collection[str], live: Collection[str]) -> bool:
    """Whether those who are there must have heard of whatever a majority of all agreed on."""
    return _there(me, voters, live) + majority(voters) > len(voters)


class Way(StrEnum):
    """How the origin of a parcel may send it to a home."""

    AGAIN = "again"
    SEND = "send"
    ALONE = "alone"
    NEVER = "never"


def way(to: str, *, forwarded: str, alone: bool, quorate: bool) -> Way:
    """Whether a parcel may go to a home, so that no two can begin it.

    Args:
        to: the home.
        forwarded: to whom it was sent before, "" to nobody.
        alone: it was sent when its origin saw no majority.
        quorate: whether its origin sees one now.
    """
    if forwarded == to:
        return Way.AGAIN
    if alone:
        return Way.NEVER  # no majority knows whether it was begun there
    if quorate:
        return Way.SEND
    return Way.NEVER if forwarded else Way.ALONE


def may_begin(
    me: str,
    voters: Collection[str],
    live: Collection[str],
    *,
    origin: str,
    forwarded: str,
    alone: bool,
) -> bool:
    """Whether a home may begin what nobody whom it can ask has begun.

    With a majority what it noted decides. Without one only the origin knows where else a parcel
    went: it begins its own; or it gave it to this node alone and told it so.

    Args:
        me: the home.
        voters: all.
        live: who of them is there.
        origin: where the parcel came into the mesh.
        forwarded: as the origin knows: to whom it was sent before, "" to nobody.
        alone: it was sent when its origin saw no majority, and goes to nobody else.
    """
    if origin == me and alone:
        return False
    if is_quorate(me, voters, live):
        return True
    if origin != me:
        return alone
    return not forwarded or would_know(me, voters, live)


def _there(me: str, voters: Collection[str], live: Collection[str]) -> int:
    return sum(one == me or one in live for one in voters)
