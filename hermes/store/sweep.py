"""Garbage collection of blobs: what nothing in the store names any more is removed.

Conservative: whatever looks like a blob's name, in any row of any table or inside a blob that
is kept, keeps it, so that a table that does not exist yet is honoured too. Blocks and messages
are never removed. Safe while turns write: a name comes into the store together with a block,
and each removal asks, in its own transaction, the blocks that came since the look.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from graphlib import TopologicalSorter

import anyio.to_thread
import msgspec

from hermes.core.canonical import link_blob
from hermes.store.blobs import Blobs
from hermes.store.database import Database
from hermes.store.statement import SqlValue, Statement

_PAGE = 500
_REMOVED = 100
_HEX = re.compile(rb"[0-9a-f]{64,}")
_DIGEST = 64
_RAW = link_blob("")
_TEXT = b"bafkrei"  # how `_RAW` begins in base32
_TEXT_SIZE = 59
_TABLES = """SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
    AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT LIKE '%!_fts%' ESCAPE '!'"""
_SKIPPED = ("blobs", "messages", "message_parents")  # a message's words are its block's
_LAST = "SELECT coalesce(max(seq), 0) FROM blocks"
_BLOBS = "SELECT digest, size FROM blobs"
_BLOB = "SELECT data FROM blobs WHERE digest = ?"
_GONE = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT digest FROM blobs)"
# In the writer's own transaction: blocks that came since the look are asked, and so are the
# blobs that name this one, which such a block may have saved.
_REMOVE = """DELETE FROM blobs WHERE digest = ?1
    AND NOT EXISTS (SELECT 1 FROM blocks WHERE seq > ?2
        AND (instr(data, ?3) OR instr(data, ?4) OR instr(data, ?5)))
    AND NOT EXISTS (SELECT 1 FROM blobs WHERE digest IN (SELECT value FROM json_each(?6)))"""


class Swept(msgspec.Struct, frozen=True):
    """What nothing names: removed, or on a dry run only found; `bytes` of them all."""

    digests: tuple[str, ...]
    bytes: int
    kept: int
    dry: bool


async def sweep(database: Database, blobs: Blobs, *, dry: bool = False) -> Swept:
    """Remove the blobs that nothing names, or on a dry run only find them."""
    return await Sweep(database, blobs).run(dry=dry)


class Sweep:
    """One sweep: blobs are garbage until their name is seen."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self._sizes: dict[str, int] = {}
        self._garbage: set[str] = set()  # what may still be it
        self._held: frozenset[str] = frozenset()
        self._seen_to = 0

    async def run(self, *, dry: bool) -> Swept:
        """Look, and unless it is a dry run, remove."""
        found = await self.look()
        if not dry:
            found = await self.remove()
        size = sum(self._sizes[digest] for digest in found)
        return Swept(tuple(sorted(found)), size, len(self._sizes) - len(found), dry)

    async def look(self) -> frozenset[str]:
        """Which blobs nothing names now."""
        self._seen_to = (await self._database.read(_LAST))[0][0]
        self._sizes = dict(await self._database.read(_BLOBS))
        self._garbage = set(self._sizes)
        for name, without_rowid in await self._database.read(_TABLES):
            if name not in _SKIPPED:
                await self._table(name, numbered=not without_rowid)
        async with self._blobs.removing() as held:
            await self._keep(held)
        return frozenset(self._garbage)

    async def remove(self) -> frozenset[str]:
        """Remove what was found, except what was named since; returns what is gone."""
        namers = await self._namers()
        gone: set[str] = set()
        digests = list(namers)
        for at in range(0, len(digests), _REMOVED):
            gone |= await self._remove(digests[at : at + _REMOVED], namers)
        return frozenset(gone)

    async def _remove(self, batch: Sequence[str], namers: dict[str, list[str]]) -> set[str]:
        async with self._blobs.removing() as held:
            await self._keep(held)
            going = [digest for digest in batch if digest in self._garbage]
            removals = [self._removal(digest, namers[digest]) for digest in going]
            await self._database.write(*removals)
        names = msgspec.json.encode(going).decode()
        return {row[0] for row in await self._database.read(_GONE, (names,))}

    async def _table(self, name: str, *, numbered: bool) -> None:
        """Look through a table, a page a read: rows that come meanwhile come with a block."""
        place = '"' + name.replace('"', '""') + '"'
        last = 0
        while True:
            sql = f"SELECT rowid, * FROM {place} WHERE rowid > ? ORDER BY rowid LIMIT {_PAGE}"  # noqa: S608 - a table of ours
            if not numbered:
                sql = f"SELECT NULL, * FROM {place} LIMIT {_PAGE} OFFSET ?"  # noqa: S608
            rows = await self._database.read(sql, (last,))
            if not rows:
                return
            await self._see([value for row in rows for value in row[1:]])
            last = rows[-1][0] if numbered else last + len(rows)

    async def _see(self, values: Iterable[SqlValue]) -> None:
        """Keep what these values name, and what that names in turn."""
        found = await anyio.to_thread.run_sync(_named, list(values), self._garbage)
        self._garbage -= found
        await self._follow(found)

    async def _keep(self, held: frozenset[str]) -> None:
        new = held - self._held
        self._held |= new
        self._garbage -= new
        await self._follow(set(new))

    async def _follow(self, kept: set[str]) -> None:
        while kept:
            digest = kept.pop()
            rows = await self._database.read(_BLOB, (digest,))
            values = [value for row in rows for value in row]
            found = await anyio.to_thread.run_sync(_named, values, self._garbage)
            self._garbage -= found
            kept |= found

    async def _namers(self) -> dict[str, list[str]]:
        """For each piece of garbage, the other ones that name it; those stand before it."""
        namers: dict[str, list[str]] = {digest: [] for digest in self._garbage}
        for digest in self._garbage:
            rows = await self._database.read(_BLOB, (digest,))
            values = [value for row in rows for value in row]
            for named in await anyio.to_thread.run_sync(_named, values, self._garbage):
                namers[named].append(digest)
        return {digest: namers[digest] for digest in TopologicalSorter(namers).static_order()}

    def _removal(self, digest: str, namers: list[str]) -> Statement:
        raw = link_blob(digest)
        forms = (digest.encode(), raw, base64.b32encode(raw).rstrip(b"=").lower())
        return Statement(
            _REMOVE, (digest, self._seen_to, *forms, msgspec.json.encode(namers).decode())
        )


def _named(values: Iterable[SqlValue], wanted: set[str]) -> set[str]:
    """Which of the wanted names stand in these values, as hex, as a link or as a CID's text."""
    found: set[str] = set()
    for value in values:
        if isinstance(value, str | bytes):
            data = value.encode(errors="replace") if isinstance(value, str) else value
            found.update(name for name in _names(data) if name in wanted)
    return found


def _names(data: bytes) -> Iterator[str]:
    for run in _HEX.findall(data):
        for at in range(len(run) - _DIGEST + 1):
            yield run[at : at + _DIGEST].decode()
    for at in _places(data, _RAW):
        yield data[at + len(_RAW) : at + len(_RAW) + _DIGEST // 2].hex()
    for at in _places(data, _TEXT):
        # The first letter is the alphabet's; what is no base32 names nothing.
        text = data[at + 1 : at + _TEXT_SIZE].upper()
        try:
            yield base64.b32decode(text + b"=" * (-len(text) % 8))[len(_RAW) :].hex()
        except binascii.Error:
            continue


def _places(data: bytes, what: bytes) -> Iterator[int]:
    at = data.find(what)
    while at >= 0:
        yield at
        at = data.find(what, at + 1)
