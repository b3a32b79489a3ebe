"""Verification: every block's name, the log over them, and every projection, made again.

It finds what was changed inside the store; that nothing was cut off its end, or written anew
from end to end, takes a signed checkpoint. Conversations, turns and jobs change as they live:
they have no block, and nothing here vouches for them.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from hermes.core.checkpoint import Checkpoint
from hermes.store.database import Database
from hermes.store.failures import garbled
from hermes.store.projections import ACTS, PROJECTIONS, erases, judge_act, judge_blob, judge_block
from hermes.store.statement import Row
from hermes.store.verify_log import LogJudge

T = TypeVar("T")

_PAGE = 512
_BLOB_PAGE = 8
_BEFORE_ALL = -(1 << 63)  # a seq that was changed may be negative

_BLOCKS = """SELECT b.seq, b.cid, b.kind, CAST(b.data AS BLOB), m.conversation, m.session,
        m.turn, m.role, m.at, m.text
    FROM blocks AS b LEFT JOIN messages AS m ON m.cid = b.cid
    WHERE b.seq > ? ORDER BY b.seq LIMIT ?"""
_PARENTS = """SELECT child, parent FROM blocks JOIN message_parents ON child = cid
    WHERE seq > ? AND seq <= ?"""
_BLOBS = """SELECT seq, digest, size, CAST(data AS BLOB) FROM blobs
    WHERE seq > ? ORDER BY seq LIMIT ?"""
_ERASED = """SELECT m.cid, m.erased, CAST(e.data AS BLOB)
    FROM memory_blocks AS m JOIN blocks AS e ON e.cid = m.erased_cid
    WHERE m.cid IN (SELECT value FROM json_each(?))"""
_TOTAL = "SELECT coalesce(max(seq), 0) FROM blocks"
_MESSAGES = "SELECT count(*) FROM messages"
_STRAY_MESSAGES = "SELECT cid FROM messages WHERE cid NOT IN (SELECT cid FROM blocks)"
_STRAY_MEMORY = """SELECT id FROM project_memory WHERE id NOT IN
    (SELECT memory FROM memory_blocks WHERE erased IS NULL)"""
_LOST_ACTS = """SELECT seq - 1 FROM acts AS a
    WHERE seq > 1 AND NOT EXISTS (SELECT 1 FROM acts AS b WHERE b.seq = a.seq - 1)"""
_STRAY = (
    ("project_memory {} has no block", _STRAY_MEMORY),
    ("acts {}: it is missing", _LOST_ACTS),
)

Progress = Callable[[int, int], None]
"""Told how many blocks were seen, and of how many."""


async def verify(
    database: Database, progress: Progress | None = None, against: Sequence[Checkpoint] = ()
) -> tuple[str, ...]:
    """Name every row that is not what its block says; empty when all is well.

    `against`: checkpoints that were kept elsewhere. The store may be written meanwhile: each
    page is one short read.
    """
    told = progress or _silent
    blocks = await database.look(partial(_legible, partial(_Blocks, against=against)))
    while await database.look(partial(_legible, blocks.page)):
        told(blocks.seen, max(blocks.total, blocks.seen))
    problems = blocks.problems
    for projection in PROJECTIONS:
        problems += await _pages(database, projection.page, _PAGE, projection.judge)
    problems += await _pages(database, ACTS, _PAGE, judge_act)
    problems += await _pages(database, _BLOBS, _BLOB_PAGE, judge_blob)
    for text, sql in _STRAY:
        problems += [text.format(key) for (key,) in await database.read(sql)]
    return tuple(problems)


class _Blocks:
    """One pass over the blocks, their messages and the log.

    A page reads everything before it judges anything: it may have to be read once more.
    """

    def __init__(self, database: sqlite3.Connection, against: Sequence[Checkpoint]) -> None:
        self._log = LogJudge(database, against)
        self._problems: list[str] = []
        self._last = _BEFORE_ALL
        self._messages = 0
        self.seen = 0
        self.total = int(database.execute(_TOTAL).fetchone()[0])

    @property
    def problems(self) -> list[str]:
        """What was found so far, the log's findings last."""
        return self._problems + self._log.problems

    def page(self, database: sqlite3.Connection) -> bool:
        """Judge the next page; False when there was none, and all is judged."""
        rows = database.execute(_BLOCKS, (self._last, _PAGE)).fetchall()
        if not rows:
            self._end(database)
            return False
        parents: dict[str, set[str]] = {row[1]: set() for row in rows}
        for child, parent in database.execute(_PARENTS, (self._last, rows[-1][0])):
            parents[child].add(parent)
        self._judge(rows, parents, _erased(database, rows))
        self._log.page(database, [row[:2] for row in rows])
        self._last, self.seen = rows[-1][0], self.seen + len(rows)
        return True

    def _judge(self, rows: list[Row], parents: dict[str, set[str]], erased: set[str]) -> None:
        for row in rows:
            self._problems += judge_block(row, parents[row[1]], erased)
            self._messages += row[4] is not None

    def _end(self, database: sqlite3.Connection) -> None:
        if database.execute(_MESSAGES).fetchone()[0] != self._messages:
            strays = database.execute(_STRAY_MESSAGES).fetchall()
            self._problems += [f"message {cid} has no block" for (cid,) in strays]
        self._log.end(database)


def _erased(database: sqlite3.Connection, rows: list[Row]) -> set[str]:
    empty = [str(row[1]) for row in rows if row[3] is None]
    names = msgspec.json.encode(empty).decode()
    found = database.execute(_ERASED, (names,)) if empty else ()
    return {cid for cid, at, data in found if erases(data, cid, at)}


async def _pages(
    database: Database, sql: str, size: int, judge: Callable[[Row], list[str]]
) -> list[str]:
    problems: list[str] = []
    last: int | None = _BEFORE_ALL
    while last is not None:
        page = partial(_judged, sql=sql, after=last, size=size, judge=judge)
        found, last = await database.look(partial(_legible, page))
        problems += found
    return problems


def _judged(
    database: sqlite3.Connection,
    *,
    sql: str,
    after: int,
    size: int,
    judge: Callable[[Row], list[str]],
) -> tuple[list[str], int | None]:
    rows = database.execute(sql, (after, size)).fetchall()
    return [problem for row in rows for problem in judge(row)], rows[-1][0] if rows else None


def _legible(look: Callable[[sqlite3.Connection], T], database: sqlite3.Connection) -> T:
    """Look; text that is no Unicode is read with replacements, so that its row gets a name."""
    try:
        return look(database)
    except sqlite3.OperationalError as error:
        if not garbled(error):
            raise
    database.text_factory = _replaced
    try:
        return look(database)
    finally:
        database.text_factory = str


def _replaced(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _silent(_: int, __: int) -> None:
    pass
