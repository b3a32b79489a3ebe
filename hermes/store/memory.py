"""Project memory: what is known across sessions (seed 004 §3.4).

The table holds the seed's columns, its times in seconds. The value's block holds what never
changes; relevance and expiry stand outside its digest.
"""

import msgspec

from hermes.core.canonical import Value
from hermes.core.clock import Clock
from hermes.core.ids import Cid, SessionId
from hermes.errors import Usage
from hermes.store.blocks import record
from hermes.store.database import Database
from hermes.store.query import any_of
from hermes.store.statement import Row, SqlValue, Statement, Unmet

MEMORY_KIND = "hermes/memory/1"
ERASED_KIND = "hermes/erased/1"

_COLUMNS = (
    "m.id, project_hash, memory_type, m.content, source_session_id, promoted_at,"
    " relevance_score, expires_at"
)
_LIVE = "project_hash = ? AND (expires_at IS NULL OR expires_at > ?)"
_SAME = f"SELECT id FROM project_memory WHERE {_LIVE} AND memory_type = ? AND content = ?"  # noqa: S608 - constants
_NAME = f"""INSERT INTO memory_blocks (memory, cid, supersedes)
    SELECT (SELECT coalesce(max(memory), 0) + 1 FROM memory_blocks), ?, ?
    WHERE NOT EXISTS ({_SAME})"""  # noqa: S608 - constants
_KEEP = """INSERT INTO project_memory
    SELECT memory, ?, ?, ?, ?, ?, ?, ? FROM memory_blocks WHERE cid = ?"""
_RECALL = f"""SELECT {_COLUMNS} FROM memory_fts AS f JOIN project_memory AS m ON m.id = f.rowid
    WHERE memory_fts MATCH ? AND {_LIVE}
    ORDER BY bm25(memory_fts) * relevance_score, m.id DESC LIMIT ?"""  # noqa: S608 - constants
_LIST = f"""SELECT {_COLUMNS} FROM project_memory AS m WHERE {_LIVE}
    ORDER BY promoted_at DESC, m.id DESC LIMIT ? OFFSET ?"""  # noqa: S608 - constants
_EXPIRE = """UPDATE project_memory SET expires_at = ? WHERE id = ?
    AND (expires_at IS NULL OR expires_at > ?)"""
_UNSEE = """DELETE FROM sightings WHERE (project_hash, content) IN (
    SELECT project_hash, content FROM project_memory WHERE id = ?)"""
_MARK = "UPDATE memory_blocks SET erased = ?, erased_cid = ? WHERE memory = ? AND erased IS NULL"


class Memory(msgspec.Struct, frozen=True):
    """One memory; times in ms, `expires_at` None: never."""

    id: int
    project_hash: str
    memory_type: str
    content: str
    source_session_id: str
    promoted_at: int
    relevance_score: float
    expires_at: int | None


class ProjectMemory:
    """Memories by project."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self,
        project_hash: str,
        memory_type: str,
        content: str,
        source_session_id: SessionId | str = "",
        relevance_score: float = 1.0,
        expires_at: int | None = None,
    ) -> int:
        """Keep a memory; returns its id, or that of the same live one. `expires_at` in ms."""
        now = self._clock.now_ms()
        kept = Memory(
            0, project_hash, memory_type, content, str(source_session_id), now,
            relevance_score, expires_at,
        )  # fmt: skip
        return await self._add(kept, None, ())

    async def supersede(self, memory: int, content: str, source_session_id: str = "") -> int:
        """Replace a contradicted memory: the old one expires now, the new one links to it.

        Raises Usage when there is no such live memory.
        """
        old = await self.get(memory)
        now = self._clock.now_ms()
        ends = Statement(_EXPIRE, (now / 1000, memory, now / 1000), expect=1)
        new = msgspec.structs.replace(
            old, content=content, source_session_id=source_session_id, promoted_at=now
        )
        try:
            return await self._add(new, await self._cid(memory), (ends,))
        except Unmet as error:
            raise _unknown(memory) from error

    async def get(self, memory: int) -> Memory:
        """One memory, expired or not; raises Usage when there is none."""
        sql = f"SELECT {_COLUMNS} FROM project_memory AS m WHERE id = ?"  # noqa: S608 - constants
        rows = await self._database.read(sql, (memory,))
        if not rows:
            raise _unknown(memory)
        return _memory(rows[0])

    async def recall(
        self, project_hash: str, query: str, limit: int = 5, now: int | None = None
    ) -> tuple[Memory, ...]:
        """Live memories that share words with the query, the most telling first."""
        expression = any_of(query)
        if not expression:
            return ()
        return await self._select(_RECALL, (expression, project_hash, self._s(now), limit))

    async def list(
        self, project_hash: str, limit: int = 50, offset: int = 0, now: int | None = None
    ) -> tuple[Memory, ...]:
        """Live memories, newest first."""
        return await self._select(_LIST, (project_hash, self._s(now), limit, offset))

    async def forget(self, memory: int) -> Cid:
        """Erase a memory's words for good; returns the name that stays.

        The words are overwritten in the database and in its index, at the latest when the
        store is closed (the write-ahead log has them until then). Raises Usage.
        """
        cid, now = await self._cid(memory), self._clock.now_ms()
        erased, block = record(ERASED_KIND, (cid,), {"at": now})
        try:
            await self._database.write(
                block,
                Statement(_MARK, (now, erased, memory), expect=1),
                Statement("PRAGMA secure_delete = 1"),
                Statement(_UNSEE, (memory,)),
                Statement("DELETE FROM project_memory WHERE id = ?", (memory,)),
                Statement("DELETE FROM memory_subjects WHERE memory = ?", (memory,)),
                Statement("UPDATE blocks SET data = NULL WHERE cid = ?", (cid,)),
                Statement("INSERT INTO memory_fts (memory_fts) VALUES ('optimize')"),
                Statement("PRAGMA secure_delete = 0"),
            )
        except Unmet as error:
            raise _unknown(memory) from error
        return cid

    async def _add(self, new: Memory, old: Cid | None, more: tuple[Statement, ...]) -> int:
        fields: dict[str, Value] = {
            "project": new.project_hash, "type": new.memory_type, "content": new.content,
            "session": new.source_session_id, "at": new.promoted_at,
        }  # fmt: skip
        cid, block = record(MEMORY_KIND, (old,) if old else (), fields | {"supersedes": bool(old)})
        since = new.promoted_at / 1000
        expires = None if new.expires_at is None else new.expires_at / 1000
        same = (new.project_hash, since, new.memory_type, new.content)
        row = (
            new.project_hash, new.memory_type, new.content, new.source_session_id, since,
            new.relevance_score, expires, cid,
        )  # fmt: skip
        names = Statement(_NAME, (cid, old, *same), expect=1)
        try:
            await self._database.write(*more, block, names, Statement(_KEEP, row, expect=1))
        except Unmet:
            found = await self._database.read(_SAME, same)
            if not found:
                raise
            return int(found[0][0])
        rows = await self._database.read("SELECT memory FROM memory_blocks WHERE cid = ?", (cid,))
        return int(rows[0][0])

    async def _cid(self, memory: int) -> Cid:
        sql = "SELECT cid FROM memory_blocks WHERE memory = ? AND erased IS NULL"
        rows = await self._database.read(sql, (memory,))
        if not rows:
            raise _unknown(memory)
        return Cid(rows[0][0])

    def _s(self, now: int | None) -> float:
        return (self._clock.now_ms() if now is None else now) / 1000

    async def _select(self, sql: str, parameters: tuple[SqlValue, ...]) -> tuple[Memory, ...]:
        return tuple(map(_memory, await self._database.read(sql, parameters)))


def _memory(row: Row) -> Memory:
    identity, project, kind, content, session, promoted, relevance, expires = row
    gone = None if expires is None else round(expires * 1000)
    since = round(promoted * 1000)
    return Memory(identity, project, kind, content, session, since, relevance, gone)


def _unknown(memory: int) -> Usage:
    return Usage(f"no memory {memory}", "see `hermes memory list`")
