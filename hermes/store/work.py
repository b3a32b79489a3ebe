"""The dreamer's notes: one row a turn, with the normal form of what was done in it.

Without the values that were typed into commands, so that nothing secret lies here twice. What
became private, or was taken back, since it was noted is left out when the notes are read.
"""

from collections.abc import Sequence

import msgspec

from hermes.core.ids import ConversationId, SessionId, TurnId
from hermes.store.database import Database
from hermes.store.statement import Statement

_KEEP = """INSERT INTO work (turn, conversation, session, project_hash, place, at, asked, steps)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (turn) DO NOTHING"""
_PROJECTS = """SELECT project_hash FROM work WHERE steps <> '[]' AND at >= ?
    GROUP BY project_hash HAVING count(DISTINCT session) >= ? ORDER BY project_hash"""
_OF = """SELECT turn, w.conversation, session, place, at, asked, steps FROM work AS w
    JOIN conversations AS c ON c.id = w.conversation AND c.private = 0
    WHERE w.project_hash = ?1 AND steps <> '[]' AND at >= ?2
        AND NOT EXISTS (SELECT 1 FROM journal AS j WHERE j.turn = w.turn AND undone IS NOT NULL)
    ORDER BY at DESC LIMIT ?3"""
_PLANTED = """SELECT 1 FROM messages WHERE conversation = ?1 AND role = 'tool' AND at <= ?2
    AND instr(text, ?3) > 0 LIMIT 1"""
_HABITS = """SELECT m.id, m.content, s.id, e.at FROM project_memory AS m
    JOIN memory_evidence AS e ON e.memory = m.id
    JOIN sessions AS s ON s.id = e.session
    JOIN conversations AS c ON c.id = s.conversation AND c.private = 0
    WHERE m.project_hash = ?1 AND m.memory_type IN ('pattern', 'correction')
        AND (m.expires_at IS NULL OR m.expires_at > ?2) AND e.rule <> 'habit'
    ORDER BY m.id, e.at"""
"""What was said; the historian's own rule "habit" is about what was done, as `work` is."""
_HABITUAL = """SELECT DISTINCT m.project_hash FROM project_memory AS m
    JOIN memory_evidence AS e ON e.memory = m.id
    WHERE m.memory_type IN ('pattern', 'correction') ORDER BY m.project_hash"""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One write in normal form.

    Attributes:
        key: the same for all that differ in values only; a value stands in it as `<kind>`.
        values: the paths that stood there, `""` for any other value.
        approved: a person said yes to it, once or for good.
        ordered: the person's words of that turn name it.
    """

    key: str
    values: tuple[str, ...] = ()
    approved: bool = False
    ordered: bool = False


class Noted(msgspec.Struct, frozen=True):
    """One turn's notes; `place`: the project directory's name, `at` in ms."""

    turn: TurnId
    conversation: ConversationId
    session: SessionId
    place: str
    at: int
    asked: tuple[str, ...]
    steps: tuple[Step, ...]
    project_hash: str = ""


class Habit(msgspec.Struct, frozen=True):
    """A live memory of how to work, and when in which sessions the person said so."""

    memory: int
    content: str
    said: tuple[tuple[SessionId, int], ...]


class Work:
    """The notes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, notes: Sequence[Noted]) -> None:
        """Note some turns, all or none; one that is noted already stays as it is."""
        await self._database.write(*(_statement(note) for note in notes))

    async def projects(self, since: int, sessions: int) -> tuple[str, ...]:
        """Projects with work in so many sessions at or after `since` (ms), or with habits."""
        rows = await self._database.read(_PROJECTS, (since, sessions))
        said = await self._database.read(_HABITUAL)
        return tuple(dict.fromkeys(row[0] for row in (*rows, *said)))

    async def of(self, project_hash: str, since: int, most: int) -> tuple[Noted, ...]:
        """The latest notes of a project, oldest first."""
        rows = await self._database.read(_OF, (project_hash, since, most))
        return tuple(
            Noted(turn, place, session, name, at, _texts(asked), _steps(steps), project_hash)
            for turn, place, session, name, at, asked, steps in reversed(rows)
        )

    async def planted(self, conversation: ConversationId, until: int, words: str) -> bool:
        """Whether a tool's result showed these very words before `until` (ms)."""
        return bool(await self._database.read(_PLANTED, (conversation, until, words)))

    async def habits(self, project_hash: str, now: int) -> tuple[Habit, ...]:
        """What the person keeps saying about how to work here."""
        found: dict[int, Habit] = {}
        for memory, content, session, at in await self._database.read(
            _HABITS, (project_hash, now / 1000)
        ):
            known = found.get(memory) or Habit(memory, content, ())
            found[memory] = msgspec.structs.replace(known, said=(*known.said, (session, at)))
        return tuple(found.values())


def _statement(note: Noted) -> Statement:
    row = (
        note.turn, note.conversation, note.session, note.project_hash, note.place, note.at,
        msgspec.json.encode(note.asked).decode(), msgspec.json.encode(note.steps).decode(),
    )  # fmt: skip
    return Statement(_KEEP, row, append=True)


def _texts(data: str) -> tuple[str, ...]:
    return msgspec.json.decode(data, type=tuple[str, ...])


def _steps(data: str) -> tuple[Step, ...]:
    return msgspec.json.decode(data, type=tuple[Step, ...])
