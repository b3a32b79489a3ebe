"""What memory brought to each turn and why, and how often each memory was of use.

Projections of nothing: losing them costs an explanation, no memory. The words stand in
`project_memory` alone, so that what is forgotten there is gone from here.
"""

from collections.abc import Iterable, Sequence

import msgspec

from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.core.ids import ConversationId, TurnId
from hermes.store.database import Database
from hermes.store.statement import Row, Statement

_SAID = 100  # characters of the person's words that name a turn

_INSERT = """INSERT INTO recalled (turn, memory, conversation, score, why, shown, place, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (turn, memory) DO NOTHING"""
_USE = """INSERT INTO memory_uses (memory, uses, last_used) VALUES (?1, 1, ?2)
    ON CONFLICT (memory) DO UPDATE SET uses = uses + 1, last_used = ?2"""
_SHOWN = """SELECT r.turn, r.memory, m.memory_type, m.content, m.source_session_id
    FROM recalled AS r JOIN project_memory AS m ON m.id = r.memory
    WHERE r.turn IN (SELECT value FROM json_each(?)) AND r.shown
    ORDER BY r.turn, r.place"""
_WHY = f"""WITH latest AS (SELECT turn, max(at) AS at FROM recalled
        WHERE conversation = ?1 GROUP BY turn ORDER BY at DESC, turn DESC LIMIT ?2)
    SELECT r.turn, r.at, r.memory, m.memory_type, m.content, r.score, r.why, r.shown,
        coalesce((SELECT substr(text, 1, {_SAID}) FROM messages
            WHERE conversation = ?1 AND turn = r.turn AND role = 'user' LIMIT 1), '')
    FROM latest JOIN recalled AS r ON r.turn = latest.turn
    LEFT JOIN project_memory AS m ON m.id = r.memory
    ORDER BY latest.at DESC, r.turn DESC, r.shown DESC, r.place"""  # noqa: S608 - a constant
_NEWEST = """SELECT r.conversation FROM recalled AS r JOIN conversations AS c
    ON c.id = r.conversation WHERE c.root = ? ORDER BY r.at DESC LIMIT 1"""


class Brought(msgspec.Struct, frozen=True):
    """A memory that came up for a turn; `why`: its reasons, as JSON; `used`: counts as use."""

    memory: int
    score: float
    why: Json
    shown: bool
    used: bool = False


class Shown(msgspec.Struct, frozen=True):
    """A memory that a turn was shown."""

    turn: TurnId
    memory: int
    memory_type: str
    content: str
    source_session_id: str


class Explained(msgspec.Struct, frozen=True):
    """A memory that a turn was shown or nearly; `content` None: forgotten since."""

    turn: TurnId
    at: int
    memory: int
    memory_type: str | None
    content: str | None
    score: float
    why: Json
    shown: bool
    said: str


class RecalledBook:
    """The record of what memory brought."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def keep(
        self, conversation: ConversationId, turn: TurnId, brought: Sequence[Brought]
    ) -> None:
        """Write down what came up for a turn, in the order in which it is shown."""
        now = self._clock.now_ms()
        rows = [
            Statement(
                _INSERT,
                (
                    turn,
                    one.memory,
                    conversation,
                    one.score,
                    msgspec.json.encode(one.why).decode(),
                    int(one.shown),
                    place,
                    now,
                ),
            )
            for place, one in enumerate(brought)
        ]
        uses = [Statement(_USE, (one.memory, now)) for one in brought if one.used]
        if rows:
            await self._database.write(*rows, *uses)

    async def used(self, memories: Iterable[int]) -> None:
        """Count one use of each."""
        now = self._clock.now_ms()
        if uses := [Statement(_USE, (memory, now)) for memory in memories]:
            await self._database.write(*uses)

    async def shown(self, turns: Iterable[TurnId]) -> tuple[Shown, ...]:
        """What these turns were shown, in order; forgotten memories left out."""
        wanted = msgspec.json.encode(list(turns)).decode()
        return tuple(Shown(*row) for row in await self._database.read(_SHOWN, (wanted,)))

    async def why(self, conversation: ConversationId, turns: int) -> tuple[Explained, ...]:
        """What came up in the last turns for which anything did, the newest turn first."""
        rows = await self._database.read(_WHY, (conversation, turns))
        return tuple(map(_explained, rows))

    async def newest(self, root: str) -> ConversationId | None:
        """The conversation of a project to which memory brought something last."""
        rows = await self._database.read(_NEWEST, (root,))
        return ConversationId(rows[0][0]) if rows else None


def _explained(row: Row) -> Explained:
    turn, at, memory, kind, content, score, why, shown, said = row
    reasons = msgspec.json.decode(why)
    return Explained(turn, at, memory, kind, content, score, reasons, bool(shown), said)
