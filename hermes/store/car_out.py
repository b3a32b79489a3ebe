"""Writing a CAR v1 file: whole conversations, the blocks below some names, or everything.

Read in small pieces while the store goes on; blocks added meanwhile are left for the next
archive. An erased block has no bytes any more: it is counted, its name stays in its children.
"""

from collections.abc import AsyncIterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from hermes.core.canonical import Block, decode, link, link_blob
from hermes.core.ids import Cid, ConversationId
from hermes.errors import Usage
from hermes.store.archive_page import PAGE_LINKS, Carried, page
from hermes.store.car import SECTION_MOST, Section, header, section
from hermes.store.car_file import CarFile
from hermes.store.database import Database
from hermes.store.links import links_of
from hermes.store.statement import Row

_BATCH = 256
_TITLE = 200
# The parents of messages come along, some hundred at a time: a history is one long chain.
_NAMED = """WITH RECURSIVE reached (cid) AS (
        SELECT value FROM json_each(?1)
        UNION SELECT parent FROM message_parents JOIN reached ON child = cid LIMIT ?2)
    SELECT cid, CAST(data AS BLOB) FROM reached JOIN blocks USING (cid)"""
_ALL = """SELECT cid, CAST(data AS BLOB), seq FROM blocks
    WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"""
_NAMES = "SELECT cid, seq FROM blocks WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
_BLOB = "SELECT data FROM blobs WHERE digest = ?"
_BLOBS = "SELECT digest, seq FROM blobs WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
_ENDS = "SELECT (SELECT max(seq) FROM blocks), (SELECT max(seq) FROM blobs)"
# A fork is as private as the most private conversation that its history came from.
_CONVERSATIONS = """SELECT c.id, c.title, c.root, c.heads, c.private OR EXISTS (
        WITH RECURSIVE reached (cid) AS (
            SELECT value FROM json_each(c.heads)
            UNION SELECT parent FROM message_parents JOIN reached ON child = cid)
        SELECT 1 FROM reached JOIN messages USING (cid)
            JOIN conversations AS o ON o.id = messages.conversation WHERE o.private), c.rowid
    FROM conversations AS c WHERE c.rowid > ?1 AND (?2 = '' OR c.id = ?2)
    ORDER BY c.rowid LIMIT ?3"""
_RECORDS = """SELECT cid FROM sessions WHERE conversation = ?1
    UNION SELECT closing_cid FROM sessions WHERE conversation = ?1 AND closing_cid IS NOT NULL
    UNION SELECT cid FROM journal WHERE conversation = ?1
    UNION SELECT outcome_cid FROM journal WHERE conversation = ?1 AND outcome_cid IS NOT NULL
    UNION SELECT cid FROM approvals WHERE conversation = ?1
    UNION SELECT answer_cid FROM approvals WHERE conversation = ?1 AND answer_cid IS NOT NULL"""


class Wanted(msgspec.Struct, frozen=True):
    """What to put into an archive; nothing named: everything."""

    conversations: tuple[ConversationId, ...] = ()
    cids: tuple[Cid, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing was named."""
        return not (self.conversations or self.cids)


class Exported(msgspec.Struct, frozen=True):
    """What was written; `left_out`: blocks and blobs of more bytes than a section takes.

    `private`: how many of its conversations are; they stay marked where they arrive.
    """

    roots: tuple[Cid, ...]
    blocks: int
    blobs: int
    bytes: int
    private: int
    erased: tuple[Cid, ...]
    missing: tuple[str, ...]
    left_out: tuple[str, ...]


async def export_car(database: Database, path: Path, wanted: Wanted) -> Exported:
    """Write an archive to a file that does not exist yet; raises Usage, StoreFull."""
    async with CarFile(path) as file:
        writer = _Writer(database, file)
        if wanted.everything:
            roots = await writer.everything()
        else:
            roots = await writer.named(wanted)
        size = await file.keep()
    return Exported(
        roots, writer.blocks, writer.blobs, size, writer.private, tuple(writer.erased),
        tuple(writer.missing), tuple(writer.left_out),
    )  # fmt: skip


class _Writer:
    """One archive on its way to its file."""

    def __init__(self, database: Database, file: CarFile) -> None:
        self._database = database
        self._file = file
        self.blocks = self.blobs = self.private = 0
        self.erased: list[Cid] = []
        self.missing: list[str] = []
        self.left_out: list[str] = []
        self._seen: set[str] = set()  # blobs

    async def everything(self) -> tuple[Cid, ...]:
        last, last_blob = (await self._database.read(_ENDS))[0]
        last, last_blob = last or 0, last_blob or 0
        told = [page(some) async for some in self._conversations("")]
        # The pages of names are made twice, once for the header, rather than kept.
        roots = [one.cid for one in told]
        roots += [one.cid async for one in self._log_pages(last, last_blob)]
        await self._file.write(header([link(cid) for cid in roots]))
        for one in told:
            await self._put(one)
        async for one in self._log_pages(last, last_blob):
            await self._put(one)
        async for rows in self._paged(_ALL, last, _BATCH):
            for cid, data, *_ in rows:
                await self._block(cid, data)
        async for rows in self._paged(_BLOBS, last_blob, _BATCH):
            for digest, _ in rows:
                await self._blob(digest)
        return tuple(roots)

    async def named(self, wanted: Wanted) -> tuple[Cid, ...]:
        pages = [await self._conversation(one) for one in wanted.conversations]
        found = {row[0] for row in await self._read(wanted.cids, len(wanted.cids))}
        if absent := [cid for cid in wanted.cids if cid not in found]:
            raise Usage(f"there is no block {absent[0]}", "see `hermes conversations show --json`")
        roots = [*(one.cid for one in pages), *dict.fromkeys(wanted.cids)]
        await self._file.write(header([link(cid) for cid in roots]))
        for one in pages:
            await self._put(one)
        below = [links_of(decode(one.data)).blocks for one in pages]
        await self._walk([*(cid for some in below for cid in some), *wanted.cids])
        return tuple(roots)

    async def _walk(self, start: Sequence[Cid]) -> None:
        """Everything that can be reached, each once."""
        todo: dict[Cid, None] = dict.fromkeys(start)
        done: set[Cid] = set()
        while todo:
            some = list(islice(todo, _BATCH))
            found = {row[0]: row[1] for row in await self._read(some, 2 * _BATCH)}
            self.missing += [cid for cid in some if cid not in found]
            done.update(cid for cid in some if cid not in found)
            for cid in some:
                del todo[cid]
            for cid, data in found.items():
                if cid in done:
                    continue
                done.add(cid)
                todo.pop(cid, None)
                for link_to in await self._linked(cid, data):
                    if link_to not in done:
                        todo[link_to] = None

    async def _linked(self, cid: Cid, data: bytes | None) -> tuple[Cid, ...]:
        """Write a block and the blobs that it names; returns the blocks that it links."""
        if not await self._block(cid, data):
            return ()
        assert data is not None
        links = links_of(decode(data))
        for digest in links.blobs:
            if digest not in self._seen:
                self._seen.add(digest)
                await self._blob(digest)
        return links.blocks

    async def _conversation(self, conversation: ConversationId) -> Block:
        rows = await self._database.read(_CONVERSATIONS, (0, conversation, 1))
        if not rows:
            raise Usage(f"no conversation {conversation}", "see `hermes conversations list`")
        records = await self._database.read(_RECORDS, (conversation,))
        return page([self._carried(rows[0])], [cid for (cid,) in records])

    async def _conversations(self, only: str) -> AsyncIterator[list[Carried]]:
        last = 0
        while rows := await self._database.read(_CONVERSATIONS, (last, only, _BATCH)):
            last = rows[-1][-1]
            yield list(map(self._carried, rows))

    def _carried(self, row: Row) -> Carried:
        identity, title, root, heads, private, _ = row
        self.private += bool(private)
        named = msgspec.json.decode(heads, type=tuple[Cid, ...])
        return Carried(identity, title[:_TITLE], root, bool(private), named)

    async def _log_pages(self, last: int, last_blob: int) -> AsyncIterator[Block]:
        async for rows in self._paged(_NAMES, last, PAGE_LINKS):
            yield page((), [cid for cid, _ in rows])
        async for rows in self._paged(_BLOBS, last_blob, PAGE_LINKS):
            yield page((), (), [digest for digest, _ in rows])

    async def _paged(self, sql: str, last: int, size: int) -> AsyncIterator[list[Row]]:
        after = 0
        while rows := await self._database.read(sql, (after, last, size)):
            after = rows[-1][-1]
            yield rows

    async def _read(self, cids: Sequence[Cid], most: int) -> list[Row]:
        names = msgspec.json.encode(cids).decode()
        return await self._database.read(_NAMED, (names, most))

    async def _block(self, cid: Cid, data: bytes | None) -> bool:
        if data is None:
            self.erased.append(cid)
            return False
        self.blocks += await self._section(cid, Section(link(cid), data))
        return True

    async def _blob(self, digest: str) -> None:
        rows = await self._database.read(_BLOB, (digest,))
        if not rows:
            self.missing.append(digest)
            return
        self.blobs += await self._section(digest, Section(link_blob(digest), bytes(rows[0][0])))

    async def _put(self, block: Block) -> None:
        await self._file.write(section(Section(link(block.cid), block.data)))

    async def _section(self, name: str, one: Section) -> bool:
        if len(one.cid) + len(one.data) > SECTION_MOST:
            self.left_out.append(name)
            return False
        await self._file.write(section(one))
        return True
