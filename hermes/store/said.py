"""What a person typed in public conversations of a project, found by its words.

Whose words a message holds is judged as for the historian (`hermes.store.history`): what an
archive brought in, a schedule ordered or a pipe carried is nobody's. Private talk never counts.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import Cid
from hermes.store.database import Database
from hermes.store.history import typed_part
from hermes.store.history_rows import REACHED
from hermes.store.likely import Weights, Word
from hermes.store.statement import Row, Statement

_ROOTS = """WITH RECURSIVE roots (root) AS (
        SELECT min(root) FROM conversations
        UNION ALL SELECT (SELECT min(root) FROM conversations WHERE root > roots.root)
            FROM roots WHERE roots.root IS NOT NULL)
    SELECT root FROM roots WHERE root IS NOT NULL"""
_TOTAL = "SELECT coalesce(max(seq), 0) FROM messages"
_COUNT = """SELECT count(*) FROM (
    SELECT 1 FROM messages_fts WHERE messages_fts MATCH ? LIMIT ?)"""
_OF_PROJECT = """CROSS JOIN messages AS m ON m.seq = f.rowid
    CROSS JOIN conversations AS c ON c.id = m.conversation
    WHERE {match} m.role = 'user' AND c.private = 0
        AND c.root IN (SELECT value FROM json_each(?))"""
_BEST = f"""SELECT m.seq FROM messages_fts AS f
    {_OF_PROJECT.format(match="messages_fts MATCH ? AND")} ORDER BY f.rank LIMIT ?"""  # noqa: S608 - constants
_NEWEST = f"""SELECT m.seq FROM (SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?
        ORDER BY rowid DESC LIMIT ?) AS f
    {_OF_PROJECT.format(match="")} LIMIT ?"""  # noqa: S608 - constants
_TALK = """SELECT m.seq, m.cid, m.session, m.conversation, m.at, substr(m.text, 1, 8192),
        CASE WHEN t.id IS NULL THEN NULL
            WHEN length(t.request) < 131072 THEN CAST(t.request AS BLOB)
            ELSE CAST('{"text": "", "typed": 0}' AS BLOB) END, c.heads, c.messages
    FROM messages AS m JOIN conversations AS c ON c.id = m.conversation
        JOIN sessions AS s ON s.id = m.session AND s.conversation = m.conversation
        LEFT JOIN turns AS t ON t.id = m.turn AND t.conversation = m.conversation
    WHERE m.seq IN (SELECT value FROM json_each(?))
        AND m.cid NOT IN (SELECT cid FROM unsaid) ORDER BY m.seq DESC"""
_VOUCHED = """SELECT e.cid, e.memory, m.content, m.expires_at
    FROM memory_evidence AS e LEFT JOIN project_memory AS m ON m.id = e.memory
    WHERE e.cid IN (SELECT value FROM json_each(?))"""
_TOLD = """SELECT memory, max(at) FROM memory_evidence
    WHERE memory IN (SELECT value FROM json_each(?)) GROUP BY memory"""
_HIDE = "INSERT INTO unsaid (cid, at) VALUES (?, ?) ON CONFLICT DO NOTHING"
_FREQUENT = 2_000  # messages with a word: then it is looked up only together with others
_RARE_SUM = 4_000  # messages that are ranked for one question
_SCANNED = 1_500


class Typed(msgspec.Struct, frozen=True):
    """A message's words as far as a person typed them."""

    cid: Cid
    session: str
    at: int
    text: str


class Vouching(msgspec.Struct, frozen=True):
    """A memory that a message made; `content` None: it was forgotten; `ends` in ms."""

    cid: Cid
    memory: int
    content: str | None
    ends: int | None


class Sought(msgspec.Struct, frozen=True):
    """What one look found: messages, the newest first, and what was made of them.

    `roots`: every directory that there are conversations of. `told`: when memories were said
    last, in ms, those that were said at all.
    """

    roots: tuple[str, ...]
    typed: tuple[Typed, ...]
    weights: Weights
    vouching: tuple[Vouching, ...]
    told: dict[int, int]


class Saids:
    """What a person said, before anybody judges whether it is worth anything."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def look(
        self, roots: Sequence[str], words: Sequence[Word], limit: int, memories: Sequence[int] = ()
    ) -> Sought:
        """Messages with some of the words, what they made, and when `memories` were said."""
        wanted = _Wanted(_array(roots), words, limit, _array(memories))
        return await self._database.look(partial(_look, wanted=wanted))

    async def hide(self, cids: Iterable[Cid]) -> None:
        """Never find these messages again."""
        now = self._clock.now_ms()
        if rows := [Statement(_HIDE, (cid, now)) for cid in cids]:
            await self._database.write(*rows)


class _Wanted(NamedTuple):
    """`roots`, `memories`: JSON arrays."""

    roots: str
    words: Sequence[Word]
    limit: int
    memories: str


def _array(values: Iterable[str] | Iterable[int]) -> str:
    return msgspec.json.encode(list(values)).decode()


def _term(word: Word) -> str:
    return f'"{word.text}"{"*" * word.beginning}'


def _look(database: sqlite3.Connection, wanted: _Wanted) -> Sought:
    roots = tuple(row[0] for row in database.execute(_ROOTS))
    (total,) = database.execute(_TOTAL).fetchone()
    having = tuple(
        database.execute(_COUNT, (f"text : {_term(word)}", _FREQUENT)).fetchone()[0]
        for word in wanted.words
    )
    seqs: list[int] = []
    rare, frequent = _split(wanted.words, having)
    if rare:
        match = f"text : ({' OR '.join(rare)})"
        asked = (match, wanted.roots, wanted.limit)
        seqs += [row[0] for row in database.execute(_BEST, asked)]
    if frequent:
        match = f"text : ({' AND '.join(frequent)})"
        seqs += [
            row[0]
            for row in database.execute(_NEWEST, (match, _SCANNED, wanted.roots, wanted.limit))
        ]
    typed = _own(database, seqs)
    vouching = database.execute(_VOUCHED, (_array(one.cid for one in typed),))
    told = database.execute(_TOLD, (wanted.memories,))
    return Sought(
        roots,
        typed,
        Weights(total, having),
        tuple(
            Vouching(Cid(cid), memory, content, None if ends is None else round(ends * 1000))
            for cid, memory, content, ends in vouching
        ),
        dict(told.fetchall()),
    )


def _split(words: Sequence[Word], having: Sequence[int]) -> tuple[list[str], list[str]]:
    """The rare words, and of the frequent ones the two rarest: those have to stand together."""
    rare: list[str] = []
    frequent: list[str] = []
    total = 0
    for count, word in sorted(zip(having, words, strict=True), key=lambda one: one[0]):
        total += count
        if not count:
            continue
        (rare if count < _FREQUENT and total <= _RARE_SUM else frequent).append(_term(word))
    return rare, frequent[:2]


def _own(database: sqlite3.Connection, seqs: Sequence[int]) -> tuple[Typed, ...]:
    """The person's own part of messages, without what was undone."""
    rows = database.execute(_TALK, (_array(dict.fromkeys(seqs)),)).fetchall()
    by_talk: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_talk[row[3]].append(row)
    found = [
        Typed(Cid(row[1]), row[2], row[4], text)
        for conversation, some in by_talk.items()
        for row in _kept(database, conversation, some)
        if (text := typed_part(row[5], row[6]))
    ]
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))


def _kept(database: sqlite3.Connection, conversation: str, rows: list[Row]) -> list[Row]:
    sql = "SELECT count(*) FROM messages WHERE conversation = ?"
    heads, counted = rows[0][7:9]
    known = all(row[6] is not None for row in rows)
    if known and database.execute(sql, (conversation,)).fetchone()[0] == counted:
        return rows
    reached = {row[0] for row in database.execute(REACHED, (heads,))}
    return [row for row in rows if row[1] in reached]
