"""Taking a CAR v1 file into the store: read through once and judged, then once more and kept.

Nothing that is here is overwritten: a block stays as it is, an erased one stays erased, and a
conversation that is here keeps its heads. An import that was cut off can be run again.
"""

import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread
import msgspec

from hermes.core.canonical import cid_of
from hermes.core.clock import Clock
from hermes.core.ids import Cid, ConversationId, NodeId
from hermes.errors import ProofInvalid, Usage
from hermes.store.archive_page import Carried
from hermes.store.blobs import Blobs, blob_statement
from hermes.store.blocks import block_statement
from hermes.store.car import CarReader
from hermes.store.car_judge import Blob, Judged, Kept, Page, judge
from hermes.store.database import Database
from hermes.store.messages import heads_json, keeping
from hermes.store.statement import Statement

_BATCH = 256
_BATCH_BYTES = 4 << 20
_CONVERSATIONS_MOST = 200_000
_KNOWN = """SELECT cid, data IS NULL FROM blocks
    WHERE cid IN (SELECT value FROM json_each(?))"""
_HEADS = "SELECT count(*) FROM messages WHERE cid IN (SELECT value FROM json_each(?))"
_THERE = "SELECT 1 FROM conversations WHERE id = ?"
# An archive may lay claim to messages that are private here: then what it tells of is, too.
_CREATE = """INSERT INTO conversations
        (id, title, root, node, private, created, updated, heads, messages)
    WITH RECURSIVE reached (cid) AS (
        SELECT value FROM json_each(?6)
        UNION SELECT parent FROM message_parents JOIN reached ON child = cid)
    SELECT ?1, ?2, ?3, ?4, ?5 OR coalesce(max(o.private), 0), coalesce(min(at), ?7),
        coalesce(max(at), ?7), ?6, count(*)
    FROM reached JOIN messages USING (cid)
        LEFT JOIN conversations AS o ON o.id = messages.conversation WHERE true
    ON CONFLICT (id) DO NOTHING"""


class Imported(msgspec.Struct, frozen=True):
    """What came of an import; `known`: blocks that were here, `erased`: and stay erased.

    `conversations` are new; `kept` were here and keep their heads; `refused` name heads that
    are no messages here.
    """

    blocks: int
    blobs: int
    known: int
    erased: int
    conversations: tuple[ConversationId, ...]
    kept: tuple[ConversationId, ...]
    refused: tuple[ConversationId, ...]


class CarImport:
    """One import; made for one file."""

    def __init__(self, database: Database, blobs: Blobs, clock: Clock, node: NodeId) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._node = node
        self._new = self._known = self._erased = self._raw = 0
        self._carried: dict[ConversationId, Carried] = {}
        self._titles: dict[ConversationId, str] = {}
        self._ends: dict[ConversationId, list[Cid]] = {}
        self._roots: frozenset[bytes] = frozenset()

    async def run(self, path: Path) -> Imported:
        """Take a file in; raises ProofInvalid and Usage, with nothing stored."""
        async with _opened(path) as file:
            await self._judge(file)
            await anyio.to_thread.run_sync(file.seek, 0)
            async for batch in _batches(file):
                await self._keep(batch)
        made: dict[str, list[ConversationId]] = {"new": [], "kept": [], "refused": []}
        lonely = {
            place: Carried(place, title, "", private=True, heads=tuple(self._ends[place]))
            for place, title in self._titles.items()
        }
        # Private ones first: what shares messages with them is made to follow.
        for one in sorted((lonely | self._carried).values(), key=lambda one: not one.private):
            made[await self._create(one)].append(one.id)
        return Imported(
            self._new, self._raw, self._known, self._erased, tuple(made["new"]),
            tuple(made["kept"]), tuple(made["refused"]),
        )  # fmt: skip

    async def _judge(self, file: BinaryIO) -> None:
        roots = await anyio.to_thread.run_sync(_roots, file)
        await anyio.to_thread.run_sync(file.seek, 0)
        missing = set(roots)
        carried = 0
        async for batch in _batches(file):
            for one in batch:
                missing.discard(one.name)
                carried += len(one.conversations) if isinstance(one, Page) else 0
        if carried > _CONVERSATIONS_MOST:
            raise ProofInvalid(f"an archive of {carried} conversations")
        if missing:  # a cut between two sections leaves no other trace
            raise ProofInvalid(f"{len(missing)} roots are named and not there: it is cut off")
        self._roots = frozenset(roots)

    async def _keep(self, batch: Sequence[Judged]) -> None:
        kept = {one.block.cid: one for one in batch if isinstance(one, Kept)}
        # A block's bytes could come as plain ones, too.
        plain = {cid_of(one.data) for one in batch if isinstance(one, Blob)}
        rows = await self._database.read(_KNOWN, (heads_json([*kept, *(plain - kept.keys())]),))
        gone = {cid for cid, erased in rows if erased}  # of these not even a row comes back
        rows = [row for row in rows if row[0] in kept]
        statements = [more for cid in kept if cid not in gone for more in _statements(kept[cid])]
        for one in batch:
            match one:
                case Blob() if cid_of(one.data) in gone:
                    pass
                case Blob():
                    await self._blobs.hold((one.digest,))
                    statements.append(blob_statement(one.data))
                    self._raw += 1
                case Page():
                    self._carried |= {each.id: each for each in one.conversations}
                case Kept():
                    self._lone(one)
        if statements:
            await self._database.write(*statements)
        self._new += len(kept) - len(rows)
        self._known += len(rows)
        self._erased += len(gone)

    def _lone(self, one: Kept) -> None:
        """A message that is a root of itself makes its conversation readable here.

        Nobody says whether it was private: then it is.
        """
        if one.message is None or one.name not in self._roots:
            return
        place = one.message.conversation
        self._titles[place] = " ".join(one.message.text[:200].split())[:80]
        self._ends.setdefault(place, []).append(one.block.cid)

    async def _create(self, one: Carried) -> str:
        if await self._database.read(_THERE, (one.id,)):
            return "kept"
        heads = heads_json(one.heads)
        if (await self._database.read(_HEADS, (heads,)))[0][0] != len(set(one.heads)):
            return "refused"
        now = self._clock.now_ms()
        values = (one.id, one.title, one.root, self._node, int(one.private), heads, now)
        await self._database.write(Statement(_CREATE, values))
        return "new"


def _statements(one: Kept) -> list[Statement]:
    if one.message is None:
        return [block_statement(one.kind, one.block)]
    return keeping(one.message, one.block)


@asynccontextmanager
async def _opened(path: Path) -> AsyncGenerator[BinaryIO]:
    file = await anyio.to_thread.run_sync(_open, path)
    try:
        yield file
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(file.close)


def _open(path: Path) -> BinaryIO:
    if not path.is_absolute():
        raise Usage(f"{path} is no absolute path")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not keep us waiting
    except OSError as error:
        raise Usage(f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Usage(f"{path} is no file")
    return os.fdopen(handle, "rb", buffering=1 << 20)


def _roots(file: BinaryIO) -> tuple[bytes, ...]:
    return CarReader(file).roots


async def _batches(file: BinaryIO) -> AsyncIterator[list[Judged]]:
    reader = await anyio.to_thread.run_sync(CarReader, file)
    sections = _judged(reader)
    while batch := await anyio.to_thread.run_sync(_next, sections):
        yield batch


def _judged(reader: CarReader) -> Iterator[tuple[Judged, int]]:
    for one in reader:
        yield judge(one), len(one.data)


def _next(sections: Iterator[tuple[Judged, int]]) -> list[Judged]:
    batch: list[Judged] = []
    size = 0
    for one, taken in sections:
        batch.append(one)
        size += taken
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            break
    return batch
