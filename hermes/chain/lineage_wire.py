"""A lineage as a file: every move of the continuity coin from genesis to now, `HRML` version 1.

Values and their bytes; what they prove is checked in `lineage`. One encoding for each lineage:
numbers are the shortest varints, lengths are exact, nothing may follow. Whatever can be derived
(networks, scripts, what a coin holds) is not in it.
"""

import msgspec

from hermes.chain.bundle import Reader, hashes, listed, sized, varint
from hermes.errors import ProofInvalid

MAGIC = b"HRML"
VERSION = 1
LONGEST = 64 << 20
_HEADER = 80
_PLACED = 1
_MOST_LINKS = 200_000
_MOST_STATEMENTS = 10_000
_MOST_INPUTS = 64
_PARTS = {"anchor": 0, "handoff": 3, "recovery": 1}
_KINDS = tuple(_PARTS)


class Link(msgspec.Struct, frozen=True):
    """One spend of the coin.

    `values`: satoshi of each input but the coin itself; every signature covers its own, so that
    a wrong one shows. `records`, as blocks: of a handoff the successor's genesis record, the
    handoff, the acceptance; of a recovery the successor's genesis record.
    """

    raw: bytes
    values: tuple[int, ...] = ()
    records: tuple[bytes, ...] = ()

    @property
    def kind(self) -> str:
        """anchor, handoff or recovery."""
        return next(name for name, parts in _PARTS.items() if parts == len(self.records))


class Placed(msgspec.Struct, frozen=True):
    """Where the last link lies: header, position, siblings from leaf to root."""

    header: bytes
    position: int
    branch: tuple[bytes, ...]


class Lineage(msgspec.Struct, frozen=True):
    """The walk; `place` is None while the last link is in no block.

    `statements`: blocks of souls, members and revocations, in the order of their making.
    """

    genesis: bytes
    links: tuple[Link, ...] = ()
    statements: tuple[bytes, ...] = ()
    place: Placed | None = None

    def encode(self) -> bytes:
        """The file's bytes."""
        place = b""
        if self.place:
            position = varint(self.place.position)
            place = self.place.header + position + hashes(self.place.branch)
        return b"".join(
            [
                MAGIC,
                bytes((VERSION, _PLACED if self.place else 0)),
                sized(self.genesis),
                varint(len(self.links)),
                *map(_link, self.links),
                listed(self.statements),
                place,
            ]
        )


def lineage_of(data: bytes) -> Lineage:
    """Read a lineage; raises ProofInvalid on anything but its one encoding."""
    if data[: len(MAGIC)] != MAGIC:
        raise ProofInvalid("this is no lineage of Hermes", "make one with: hermes trust export")
    if len(data) > LONGEST:
        raise ProofInvalid("a lineage of more than 64 MiB")
    read = Reader(data, len(MAGIC), "lineage")
    version, has = read.take(2)
    if version != VERSION:
        raise ProofInvalid(f"lineage version {version} is unknown", "take a newer Hermes")
    if has & ~_PLACED:
        raise ProofInvalid("the lineage has parts that this version does not know")
    # The order of the keyword arguments is the order of the bytes.
    found = Lineage(
        genesis=read.sized(),
        links=tuple(_read_link(read) for _ in range(read.count(_MOST_LINKS))),
        statements=read.list(_MOST_STATEMENTS),
        place=Placed(read.take(_HEADER), read.number(), read.hashes()) if has else None,
    )
    read.end()
    return found


def _link(link: Link) -> bytes:
    values = b"".join(map(varint, link.values))
    records = b"".join(map(sized, link.records))
    head = bytes((_KINDS.index(link.kind),)) + sized(link.raw)
    return head + varint(len(link.values)) + values + records


def _read_link(read: Reader) -> Link:
    (kind,) = read.take(1)
    if kind >= len(_KINDS):
        raise ProofInvalid("the lineage has a link of an unknown kind", "take a newer Hermes")
    return Link(
        raw=read.sized(),
        values=tuple(read.number() for _ in range(read.count(_MOST_INPUTS))),
        records=tuple(read.sized() for _ in range(_PARTS[_KINDS[kind]])),
    )
