"""Which messages are the heads of a conversation, whoever wrote them and in whatever order.

Pure. The heads are the newest of all that any head reaches and nobody took back: a semilattice,
so that nodes that heard the same agree. What was taken back and continued on is kept.
"""

from collections.abc import Collection, Iterable, Mapping

from hermes.core.ids import Cid

Parents = Mapping[Cid, Collection[Cid]]


def reach(parents: Parents, heads: Iterable[Cid]) -> set[Cid]:
    """The heads and everything before them, as far as `parents` knows it."""
    found: set[Cid] = set()
    stack = [head for head in heads if head in parents]
    while stack:
        cid = stack.pop()
        if cid not in found:
            found.add(cid)
            stack += [parent for parent in parents[cid] if parent in parents]
    return found


def tips(parents: Parents, heads: Iterable[Cid], gone: Collection[Cid] = ()) -> frozenset[Cid]:
    """What nothing else stands behind, of all that is reached without what was taken back."""
    live = reach(parents, heads) - set(gone)
    covered = reach(parents, (parent for cid in live for parent in parents[cid]))
    return frozenset(live - covered)


def extended(
    ours: Collection[Cid], fresh: Parents, theirs: Collection[Cid]
) -> frozenset[Cid] | None:
    """The heads after messages that came, where no look at the history is needed; else None.

    Args:
        ours: the heads here.
        fresh: the messages that are new here, with their parents.
        theirs: the heads that they were sent with.
    """
    known = {parent for each in fresh.values() for parent in each} - fresh.keys()
    if not known <= set(ours) or not all(head in fresh or head in ours for head in theirs):
        return None
    new = tips(fresh, (head for head in theirs if head in fresh))
    if len(reach(fresh, new)) != len(fresh):
        return None
    return frozenset(new | (set(ours) - known))
