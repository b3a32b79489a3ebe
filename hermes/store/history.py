"""What the historian reads and writes: unread talk in pages, and one transaction per page.

A message counts as a person's own only when this store opened its session and made its turn:
what an archive brought in, what a schedule ordered and what came through a pipe does not.
"""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import Cid, ConversationId
from hermes.core.message import ToolCall, ToolResult, message_of
from hermes.store.claim import Known, Subject
from hermes.store.database import Database
from hermes.store.history_rows import DUE, KNOWN, REACHED, SUBJECTS, TALK, Asked
from hermes.store.promotion import Change, Read, promoting
from hermes.store.statement import Row, Unmet

TALKS = 32
_MESSAGES = 400
_PAGE_MESSAGES = 1_500
_KNOWN_MOST = 20_000


class _Parts(NamedTuple):
    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]


class Did(NamedTuple):
    """A tool call and whether it succeeded; `arguments` is JSON text as the model wrote it."""

    call: str
    name: str
    arguments: str
    ok: bool
    result: str


class Said(NamedTuple):
    """One message: a person's own words, or what the model then did.

    `text` is empty for everybody but a person. `approved`: calls that a person allowed.
    """

    cid: Cid
    session: str
    turn: str
    role: str
    at: int
    text: str
    calls: tuple[Did, ...] = ()


class Talk(NamedTuple):
    """The unread part of a conversation, oldest first; `begun`: there was talk before it."""

    conversation: ConversationId
    root: str
    read: Read
    begun: bool
    said: tuple[Said, ...]


class Page(NamedTuple):
    """Some unread talk; `after` is where the next page begins, 0: there is none."""

    talks: tuple[Talk, ...]
    after: int


class Seen(msgspec.Struct, frozen=True):
    """Something that was said once and is no memory yet."""

    project_hash: str
    memory_type: str
    key: str
    session: str
    content: str
    cid: Cid
    at: int


class History:
    """The historian's door to the store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def unread(self, idle_ms: int, after: int = 0, most: int = TALKS) -> Page:
        """Conversations with talk that is over and was not looked at; private ones never.

        Talk is over when its session closed, or when it is `idle_ms` old. At most `most` of them.
        """
        before = self._clock.now_ms() - idle_ms
        return await self._database.look(partial(_page, before=before, after=after, most=most))

    async def known(self, project_hash: str) -> tuple[Known, ...]:
        """The newest live memories of a project, with what they are about."""
        now = self._clock.now_ms() / 1000
        return await self._database.look(partial(_known, project=project_hash, now=now))

    async def seen(self, project_hash: str) -> tuple[Seen, ...]:
        """What was said once in a project and is no memory yet."""
        sql = """SELECT project_hash, memory_type, key, session, content, cid, at FROM sightings
            WHERE project_hash = ? ORDER BY at"""
        return tuple(Seen(*row) for row in await self._database.read(sql, (project_hash,)))

    async def evidence(self, memory: int) -> tuple[tuple[Cid, str, str, int], ...]:
        """What vouches for a memory, oldest first: message, session, rule, ms."""
        sql = "SELECT cid, session, rule, at FROM memory_evidence WHERE memory = ? ORDER BY at"
        return tuple((Cid(c), s, r, a) for c, s, r, a in await self._database.read(sql, (memory,)))

    async def promote(self, reads: Sequence[Read], changes: Sequence[Change]) -> bool:
        """Write memories, what vouches for them, and how far was read: all of it or nothing.

        False when somebody else changed what the changes stand on; then nothing was written.
        """
        statements = promoting(reads, changes, self._clock.now_ms())
        if not statements:
            return True
        try:
            await self._database.write(*statements)
        except Unmet:
            return False
        return True


def _page(database: sqlite3.Connection, before: int, after: int, most: int) -> Page:
    talks: list[Talk] = []
    last = messages = 0
    for row in database.execute(DUE, (before, after, most)).fetchall():
        last = row[0]
        if (talk := _talk(database, row, before)) is not None:
            talks.append(talk)
            messages += len(talk.said)
        if messages >= _PAGE_MESSAGES:
            break
    return Page(tuple(talks), last)


def _talk(database: sqlite3.Connection, row: Row, before: int) -> Talk | None:
    _, conversation, root, heads, counted, read = row
    rows = database.execute(TALK, (conversation, read or 0, _MESSAGES)).fetchall()
    over = []
    for one in rows:
        if one[5] > before and one[10] is None:
            break
        over.append(one)
    if not over:
        return None
    kept = _in_history(database, over, conversation, heads, counted)
    results = _results(kept)
    said = tuple(_said(one, results) for one in kept if one[4] != "tool")
    place = ConversationId(conversation)
    return Talk(place, root, Read(place, read, over[-1][0]), read is not None, said)


def _in_history(
    database: sqlite3.Connection, rows: list[Row], conversation: str, heads: str, counted: int
) -> list[Row]:
    """Without what was undone, and what an archive laid beside the history."""
    sql = "SELECT count(*) FROM messages WHERE conversation = ?"
    own = all(row[4] != "user" or row[9] is not None for row in rows)
    if own and database.execute(sql, (conversation,)).fetchone()[0] == counted:
        return rows
    reached = {row[0] for row in database.execute(REACHED, (heads,))}
    return [row for row in rows if row[1] in reached]


def _results(rows: list[Row]) -> dict[str, tuple[bool, str]]:
    """How each call ended, and its last line."""
    found: dict[str, tuple[bool, str]] = {}
    for row in rows:
        if row[4] == "tool" and row[7] is not None:
            for one in _parts(row[7]).results:
                last = one.text.rstrip()[-200:].rpartition("\n")[2]
                found[one.call_id] = (one.ok and not one.denied, last)
    return found


def _parts(data: bytes) -> _Parts:
    """A message's calls and results; of a damaged block none (`verify` is who reports it)."""
    try:
        message = message_of(data)
    except ValueError:
        return _Parts((), ())
    return _Parts(message.calls, message.results)


def _said(row: Row, results: dict[str, tuple[bool, str]]) -> Said:
    _, cid, session, turn, role, at, text, data, ours, request, *_ = row
    if role == "user":
        return Said(cid, session, turn, role, at, typed_part(text, request) if ours else "")
    calls = _parts(data).calls if role == "assistant" and data is not None else ()
    did = [Did(c.id, c.name, c.arguments, *results.get(c.id, (False, ""))) for c in calls]
    return Said(cid, session, turn, role, at, "", tuple(did))


def typed_part(text: str, request: bytes | None) -> str:
    """The words that a person typed; all of them where no turn is known."""
    if request is None:
        return str(text)
    try:
        asked = msgspec.json.decode(request, type=Asked)
    except msgspec.DecodeError:
        return ""
    if not asked.text.startswith(text):
        return ""  # under this turn's name stands what was not asked in it
    return text if asked.typed < 0 else text[: asked.typed]


def _known(database: sqlite3.Connection, project: str, now: float) -> tuple[Known, ...]:
    subjects: dict[int, list[Subject]] = {}
    for memory, key, value in database.execute(SUBJECTS, (project,)):
        subjects.setdefault(memory, []).append(Subject(key, value))
    return tuple(
        Known(memory, cid, kind, content, round(at), ends, tuple(subjects.get(memory, ())))
        for memory, cid, kind, content, at, ends in database.execute(
            KNOWN, (project, now, _KNOWN_MOST)
        )
    )
