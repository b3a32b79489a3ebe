"""Verification: every block's name re-derived, every projection compared with its block.

It finds what was changed inside the store; that nothing was cut off its end takes a signed
checkpoint (a later issue).
"""

from collections.abc import Callable

import anyio

from hermes.core.canonical import cid_of
from hermes.core.message import MESSAGE_KIND, message_of
from hermes.store.database import Database
from hermes.store.statement import Row

_PAGE = 500

_BLOCKS = """SELECT b.seq, b.cid, b.kind, b.data, m.conversation, m.session, m.turn, m.role,
        m.at, m.text
    FROM blocks AS b LEFT JOIN messages AS m ON m.cid = b.cid
    WHERE b.seq > ? ORDER BY b.seq LIMIT ?"""
_PARENTS = """SELECT child, parent FROM message_parents JOIN blocks ON cid = child
    WHERE seq > ? AND seq <= ?"""
_ERASED = "SELECT cid FROM memory_blocks WHERE erased IS NOT NULL"
_ORPHANS = tuple(
    (table, f"SELECT {key}, {cid} FROM {table} WHERE {cid} NOT IN (SELECT cid FROM blocks)")  # noqa: S608 - constants
    for table, key, cid in (
        ("messages", "seq", "cid"),
        ("sessions", "id", "cid"),
        ("sessions", "id", "closing_cid"),
        ("journal", "id", "cid"),
        ("journal", "id", "outcome_cid"),
        ("approvals", "seq", "cid"),
        ("approvals", "seq", "answer_cid"),
        ("memory_blocks", "memory", "cid"),
    )
)
_MEMORIES = """SELECT m.id FROM project_memory AS m
    LEFT JOIN memory_blocks AS b ON b.memory = m.id WHERE b.cid IS NULL OR b.erased IS NOT NULL"""

Progress = Callable[[int], None]


async def verify(database: Database, progress: Progress | None = None) -> tuple[str, ...]:
    """Name every row that is not what its block says; empty when all is well.

    `progress` gets the number of blocks seen so far. The store may be written meanwhile.
    """
    problems: list[str] = []
    erased = {row[0] for row in await database.read(_ERASED)}
    last = seen = 0
    while rows := await database.read(_BLOCKS, (last, _PAGE)):
        parents = await database.read(_PARENTS, (last, rows[-1][0]))
        problems += await anyio.to_thread.run_sync(_judge, rows, parents, erased)
        last, seen = rows[-1][0], seen + len(rows)
        if progress is not None:
            progress(seen)
    for table, sql in _ORPHANS:
        for key, cid in await database.read(sql):
            problems.append(f"{table} {key}: its block {cid} is missing")
    problems += [
        f"project_memory {row[0]}: it has no block" for row in await database.read(_MEMORIES)
    ]
    return tuple(problems)


def _judge(rows: list[Row], parents: list[Row], erased: set[str]) -> list[str]:
    parents_of: dict[str, set[str]] = {}
    for child, parent in parents:
        parents_of.setdefault(child, set()).add(parent)
    problems = []
    for seq, cid, kind, data, *columns in rows:
        if data is None:
            if cid not in erased:
                problems.append(f"block {seq} {cid}: its bytes are missing and were not erased")
        elif cid_of(data) != cid:
            problems.append(f"block {seq} {cid}: its bytes were changed")
        elif kind == MESSAGE_KIND:
            problems += _judge_message(cid, data, columns, parents_of.get(cid, set()))
    return problems


def _judge_message(cid: str, data: bytes, columns: list[object], parents: set[str]) -> list[str]:
    if columns[0] is None:
        return [f"message {cid}: it is missing from the table"]
    m = message_of(data)
    told = (m.conversation, m.session, m.turn, m.role, m.at, m.text, set(m.parents))
    names = ("conversation", "session", "turn", "role", "at", "text", "parents")
    return [
        f"message {cid}: {name} differs from its block"
        for name, block, column in zip(names, told, (*columns, parents), strict=True)
        if block != column
    ]
