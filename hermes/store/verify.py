"""Verification: every block's name re-derived, every projection compared with its block.

It finds what was changed inside the store; that nothing was cut off its end takes a signed
checkpoint (a later issue). Conversations, turns and jobs change as they live: they have no
block, and nothing here vouches for them.
"""

from collections.abc import Callable

import anyio

from hermes.store.database import Database
from hermes.store.projections import PROJECTIONS, judge_blob, judge_block
from hermes.store.statement import Row

_PAGE = 500
_BLOB_PAGE = 8

_BLOCKS = """SELECT b.seq, b.cid, b.kind, CAST(b.data AS BLOB), m.conversation, m.session,
        m.turn, m.role, m.at, m.text
    FROM blocks AS b LEFT JOIN messages AS m ON m.cid = b.cid
    WHERE b.seq > ? ORDER BY b.seq LIMIT ?"""
_PARENTS = """SELECT child, parent FROM blocks JOIN message_parents ON child = cid
    WHERE seq > ? AND seq <= ?"""
_BLOBS = "SELECT seq, digest, CAST(data AS BLOB) FROM blobs WHERE seq > ? ORDER BY seq LIMIT ?"
_ERASED = "SELECT cid FROM memory_blocks WHERE erased IS NOT NULL"
_STRAY = (
    (
        "message {} has no block",
        "SELECT cid FROM messages WHERE cid NOT IN (SELECT cid FROM blocks)",
    ),
    (
        "project_memory {} has no block",
        """SELECT id FROM project_memory WHERE id NOT IN
            (SELECT memory FROM memory_blocks WHERE erased IS NULL)""",
    ),
)

Progress = Callable[[int], None]


async def verify(database: Database, progress: Progress | None = None) -> tuple[str, ...]:
    """Name every row that is not what its block says; empty when all is well.

    `progress` gets the number of rows seen so far. The store may be written meanwhile: each
    page is one short read.
    """
    told = progress or _silent
    problems = await _blocks(database, told)
    for projection in PROJECTIONS:
        problems += await _pages(database, projection.page, _PAGE, projection.judge)
    problems += await _pages(database, _BLOBS, _BLOB_PAGE, judge_blob)
    for text, sql in _STRAY:
        problems += [text.format(key) for (key,) in await database.read(sql)]
    return tuple(problems)


async def _blocks(database: Database, told: Progress) -> list[str]:
    problems: list[str] = []
    last = seen = 0
    while rows := await database.read(_BLOCKS, (last, _PAGE)):
        parents: dict[str, set[str]] = {row[1]: set() for row in rows}
        for child, parent in await database.read(_PARENTS, (last, rows[-1][0])):
            parents[child].add(parent)
        # Asked after the page: what was erased in between is known to be.
        erased = {cid for (cid,) in await database.read(_ERASED)}
        problems += await anyio.to_thread.run_sync(_judge_blocks, rows, parents, erased)
        last, seen = rows[-1][0], seen + len(rows)
        told(seen)
    return problems


def _judge_blocks(rows: list[Row], parents: dict[str, set[str]], erased: set[str]) -> list[str]:
    return [problem for row in rows for problem in judge_block(row, parents[row[1]], erased)]


async def _pages(
    database: Database, sql: str, size: int, judge: Callable[[Row], list[str]]
) -> list[str]:
    problems: list[str] = []
    last = 0
    while rows := await database.read(sql, (last, size)):
        problems += await anyio.to_thread.run_sync(_judge_all, judge, rows)
        last = rows[-1][0]
    return problems


def _judge_all(judge: Callable[[Row], list[str]], rows: list[Row]) -> list[str]:
    return [problem for row in rows for problem in judge(row)]


def _silent(_: int) -> None:
    pass
