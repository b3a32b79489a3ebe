"""Who is in the mesh and how they stand: one table that merges the same way in any order.

Newer is (incarnation, standing), so a suspicion beats "alive" and only its subject can refute
it, by a higher incarnation. Does not guard against an admitted member that lies about others:
who is admitted is decided elsewhere, and cards carry their author's proof.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum
from functools import lru_cache
from typing import Annotated

import msgspec

from hermes.mesh.chance import stir

NodeKey = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]
_Word = Annotated[str, msgspec.Meta(max_length=128)]
AHEAD_MS = 900_000
"""How far a peer's clock may run ahead of ours before what it says is refused."""
BUCKETS = 256
_HEARSAY = 16


class Standing(IntEnum):
    """What is held of a member, in the order in which it overrides."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2


class Card(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a node says of itself; `proof` is its author's signature, checked before it is told.

    `blobs`: where it serves chunks; "": nowhere.
    """

    version: Moment
    expires_at: Moment
    capabilities: Annotated[tuple[_Word, ...], msgspec.Meta(max_length=32)] = ()
    models: Annotated[tuple[_Word, ...], msgspec.Meta(max_length=16)] = ()
    load: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    release: _Word = ""
    checkpoint: Annotated[str, msgspec.Meta(max_length=256)] = ""
    relays: Annotated[tuple[_Word, ...], msgspec.Meta(max_length=8)] = ()
    proof: Annotated[str, msgspec.Meta(max_length=256)] = ""
    blobs: _Word = ""


class Report(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One node's standing as it is passed on."""

    node: NodeKey
    incarnation: Moment
    standing: Standing
    card: Card | None = None


class Member(msgspec.Struct, frozen=True, gc=False):
    """What is held of one node; `since` by our own clock."""

    incarnation: int
    standing: Standing
    since: int
    card: Card | None = None


@lru_cache(maxsize=1 << 15)
def place(node: str) -> bytes:
    """Where a node stands: 32 bytes that are spread evenly whatever the names look like."""
    return hashlib.sha256(node.encode()).digest()


@lru_cache(maxsize=1 << 15)
def bucket_of(node: str) -> int:
    """Which of the buckets a node's digest falls into."""
    return place(node)[0]


def _mark(node: str, member: Member) -> int:
    # A suspicion passes by itself: it does not make two tables differ.
    # A dead node's card may have expired on one side only: it is left out, too.
    is_dead = member.standing is Standing.DEAD
    version = member.card.version if member.card and not is_dead else 0
    seed = int.from_bytes(place(node)[8:16], "big") ^ stir(version)
    return stir(seed ^ stir(member.incarnation * 2 + is_dead)) >> 1


def _placed(names: tuple[str, ...], node: str, *, there: bool) -> tuple[str, ...]:
    at = bisect_left(names, node)
    found = at < len(names) and names[at] == node
    if there:
        return names if found else (*names[:at], node, *names[at:])
    return names[:at] + names[at + 1 :] if found else names


class Members(msgspec.Struct, frozen=True):
    """The table: nobody changes it in place; `alive` and `dead` are sorted names."""

    table: dict[str, Member] = {}
    alive: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    digests: dict[int, int] = {}

    def get(self, node: str) -> Member | None:
        """What is held of a node, if anything."""
        return self.table.get(node)

    def is_alive(self, node: str) -> bool:
        """Whether a node is known and not held for dead."""
        held = self.table.get(node)
        return held is not None and held.standing is not Standing.DEAD

    def report(self, node: str) -> Report | None:
        """What would be passed on of a node."""
        held = self.table.get(node)
        return Report(node, held.incarnation, held.standing, held.card) if held else None

    def within(self, buckets: Collection[int]) -> Iterator[tuple[str, Member]]:
        """Everybody whose digest falls into one of the buckets."""
        return ((node, held) for node, held in self.table.items() if bucket_of(node) in buckets)


def changed(members: Members, changes: dict[str, Member | None]) -> Members:
    """Put members in, or take them out (None)."""
    table, digests = members.table.copy(), members.digests.copy()
    alive, dead = members.alive, members.dead
    for node, after in changes.items():
        before = table.pop(node, None) if after is None else table.get(node)
        mark = (_mark(node, before) if before else 0) ^ (_mark(node, after) if after else 0)
        bucket = bucket_of(node)
        if digest := digests.pop(bucket, 0) ^ mark:
            digests[bucket] = digest
        if after is not None:
            table[node] = after
        is_dead = after is not None and after.standing is Standing.DEAD
        was_dead = before is not None and before.standing is Standing.DEAD
        if before is None or after is None or is_dead is not was_dead:
            alive = _placed(alive, node, there=after is not None and not is_dead)
            dead = _placed(dead, node, there=is_dead)
    return Members(table, alive, dead, digests)


def _merged(held: Member | None, report: Report, now: int, *, hearsay: bool) -> Member | None:
    """What is held after a report; None where it brings nothing new."""
    standing, card = report.standing, report.card
    if report.incarnation > now + AHEAD_MS:
        return None
    if card and (card.version > now + AHEAD_MS or card.expires_at <= now):
        card = None
    if held is None:
        return Member(report.incarnation, standing, now, card)
    if card is None or (held.card and held.card.version >= card.version):
        card = held.card
    if hearsay and standing is Standing.DEAD and held.standing is not Standing.DEAD:
        standing = Standing.SUSPECT  # the other side of a healed partition: time to refute
    if (report.incarnation, standing) > (held.incarnation, held.standing):
        return Member(report.incarnation, standing, now, card)
    if card is not held.card:
        return Member(held.incarnation, held.standing, held.since, card)
    return None


def merge(
    members: Members, reports: Iterable[Report], now: int, *, hearsay: bool = False
) -> tuple[Members, tuple[Report, ...]]:
    """Take what is newer; the second part is what was news, as it is now held.

    `hearsay`: a whole table was compared; a death in it that we did not see becomes a suspicion.
    """
    changes: dict[str, Member | None] = {}
    doubted = 0
    for report in reports:
        held = changes.get(report.node) or members.table.get(report.node)
        if hearsay and report.standing is Standing.DEAD and held:
            # The rest comes again: a healed partition must not make us doubt everybody at once.
            doubted += held.standing is Standing.ALIVE
            if doubted > _HEARSAY:
                continue
        after = _merged(held, report, now, hearsay=hearsay)
        if after is not None:
            changes[report.node] = after
    if not changes:
        return members, ()
    after_all = changed(members, changes)
    return after_all, tuple(r for node in changes if (r := after_all.report(node)))
