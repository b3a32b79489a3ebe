"""Which memories a question may mean: candidates by words or by id, and what words weigh.

Reads only. How well each fits is judged above, in `hermes.memory.recall`.
"""

import sqlite3
from collections.abc import Sequence
from functools import partial

import msgspec

from hermes.store.database import Database
from hermes.store.memory import Memory
from hermes.store.statement import Row, SqlValue

_COLUMNS = """m.id, m.project_hash, m.memory_type, m.content, m.source_session_id, m.promoted_at,
    m.relevance_score, m.expires_at, coalesce(u.uses, 0), coalesce(u.last_used, 0)"""
_LIVE = "m.project_hash = ? AND (m.expires_at IS NULL OR m.expires_at > ?)"
_USES = "LEFT JOIN memory_uses AS u ON u.memory = m.id"
_BY_WORDS = f"""SELECT {_COLUMNS} FROM memory_fts AS f
    JOIN project_memory AS m ON m.id = f.rowid {_USES}
    WHERE memory_fts MATCH ? AND {_LIVE} ORDER BY bm25(memory_fts), m.id DESC LIMIT ?"""  # noqa: S608 - constants
_OVER = f"""SELECT {_COLUMNS} FROM memory_fts AS f
    JOIN project_memory AS m ON m.id = f.rowid {_USES}
    WHERE memory_fts MATCH ? AND m.project_hash = ? AND m.expires_at <= ?
    ORDER BY bm25(memory_fts), m.id DESC LIMIT ?"""  # noqa: S608 - constants
_BY_IDS = f"""SELECT {_COLUMNS} FROM project_memory AS m {_USES}
    WHERE m.id IN (SELECT value FROM json_each(?)) AND {_LIVE}"""  # noqa: S608 - constants
_NEWEST = f"""SELECT {_COLUMNS} FROM project_memory AS m {_USES}
    WHERE {_LIVE} ORDER BY m.promoted_at DESC, m.id DESC LIMIT ?"""  # noqa: S608 - constants
_TOTAL = "SELECT coalesce(max(id), 0) FROM project_memory"
_EXACT = "SELECT coalesce(sum(doc), 0) FROM memory_terms WHERE term = ?"
_BEGINNING = "SELECT coalesce(sum(doc), 0) FROM memory_terms WHERE term >= ? AND term < ?"
_STAMP = "SELECT coalesce(max(id), 0), count(*) FROM project_memory"
_PAGE = """SELECT id, project_hash, content FROM project_memory
    WHERE id > ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY id LIMIT ?"""
_LAST = "\U0010ffff"


class Candidate(msgspec.Struct, frozen=True):
    """A live memory that may be meant; `last_used` in ms, 0: never."""

    memory: Memory
    uses: int
    last_used: int


class Weights(msgspec.Struct, frozen=True):
    """In how many of all memories each word stands, every project's together."""

    total: int
    having: tuple[int, ...]


class Stamp(msgspec.Struct, frozen=True):
    """Differs once memories were added or forgotten."""

    newest: int
    count: int


class Written(msgspec.Struct, frozen=True):
    """A live memory's words."""

    memory: int
    project_hash: str
    content: str


class Word(msgspec.Struct, frozen=True):
    """A word to look for: letters and digits alone; `beginning`: of longer words, too."""

    text: str
    beginning: bool


class Likely:
    """Candidates among the live memories of one project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_words(
        self, project_hash: str, words: Sequence[Word], limit: int, now: int
    ) -> tuple[tuple[Candidate, ...], Weights]:
        """Memories with at least one of the words, the most telling first; and the weights."""
        if not words:
            return (), Weights(0, ())
        asked = (_any(words), project_hash, now / 1000, limit)
        return await self._database.look(partial(_look, words=words, asked=asked))

    async def over(
        self, project_hash: str, words: Sequence[Word], limit: int, now: int
    ) -> tuple[Candidate, ...]:
        """Memories that held once, with at least one of the words, the most telling first."""
        if not words:
            return ()
        asked = (_any(words), project_hash, now / 1000, limit)
        return tuple(map(_candidate, await self._database.read(_OVER, asked)))

    async def by_ids(
        self, project_hash: str, ids: Sequence[int], now: int
    ) -> tuple[Candidate, ...]:
        """The live ones of these, in the order of `ids`."""
        wanted = msgspec.json.encode(list(ids)).decode()
        rows = await self._database.read(_BY_IDS, (wanted, project_hash, now / 1000))
        found = {row[0]: _candidate(row) for row in rows}
        return tuple(found[one] for one in ids if one in found)

    async def newest(self, project_hash: str, limit: int, now: int) -> tuple[Candidate, ...]:
        """The live memories that were promoted last."""
        rows = await self._database.read(_NEWEST, (project_hash, now / 1000, limit))
        return tuple(map(_candidate, rows))

    async def stamp(self) -> Stamp:
        """What is there, in two numbers."""
        return Stamp(*(await self._database.read(_STAMP))[0])

    async def page(self, after: int, limit: int, now: int) -> tuple[Written, ...]:
        """The live memories of all projects behind a number, in order."""
        rows = await self._database.read(_PAGE, (after, now / 1000, limit))
        return tuple(Written(*row) for row in rows)


def _any(words: Sequence[Word]) -> str:
    return " OR ".join(f'"{word.text}"{"*" * word.beginning}' for word in words)


def _look(
    database: sqlite3.Connection, words: Sequence[Word], asked: tuple[SqlValue, ...]
) -> tuple[tuple[Candidate, ...], Weights]:
    rows = database.execute(_BY_WORDS, asked).fetchall()
    (total,) = database.execute(_TOTAL).fetchone()
    having = tuple(_having(database, word) for word in words)
    return tuple(map(_candidate, rows)), Weights(total, having)


def _having(database: sqlite3.Connection, word: Word) -> int:
    if word.beginning:
        found = database.execute(_BEGINNING, (word.text, word.text + _LAST))
    else:
        found = database.execute(_EXACT, (word.text,))
    return int(found.fetchone()[0])


def _candidate(row: Row) -> Candidate:
    number, project, kind, content, session, promoted, relevance, expires, uses, last = row
    gone = None if expires is None else round(expires * 1000)
    since = round(promoted * 1000)
    memory = Memory(number, project, kind, content, session, since, relevance, gone)
    return Candidate(memory, uses, last)
