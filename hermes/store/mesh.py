"""The mesh's books: what waits to go out, what came in, which wraps were opened, who was refused.

What a row means is for `hermes.mesh` to say; here it is only kept, before anything is done.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hermes.core.clock import Clock
from hermes.store.database import Database
from hermes.store.statement import Statement

_PUT = """INSERT INTO outbox (id, recipient, lane, kind, conversation, issued, expires, data)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"""
_WAITING = """SELECT id, recipient, lane, kind, conversation, issued, expires, length(data)
    FROM outbox WHERE state = 'waiting' ORDER BY seq"""
_SEALED = "SELECT data FROM outbox WHERE id = ? AND state = 'waiting'"
_STATE = "SELECT state, reason FROM outbox WHERE id = ?"
_END = """UPDATE outbox SET state = ?2, reason = ?3, ended = ?4, data = NULL
    WHERE id = ?1 AND state = 'waiting'"""
_ENDED = """SELECT id, recipient, kind, conversation, expires, reason FROM outbox
    WHERE state = 'undelivered' AND ended >= ? ORDER BY seq"""
_SWEEP_OUT = "DELETE FROM outbox WHERE state <> 'waiting' AND ended < ?"
_NOTE = """INSERT INTO inbox_seen (id, sender, expires, at, data) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING"""
_FINISH = "UPDATE inbox_seen SET finished = 1, data = NULL WHERE id = ? AND finished = 0"
_SEEN = "SELECT id, sender, expires, finished, data FROM inbox_seen ORDER BY at, id"
_FINISHED = """SELECT id, sender FROM inbox_seen WHERE finished = 1 AND expires > ?
    ORDER BY at DESC LIMIT ?"""
_FORGET = "DELETE FROM inbox_seen WHERE id = ?"
_MARK = "INSERT INTO wraps_seen (id, created) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
_MARKED = "SELECT id, created FROM wraps_seen WHERE created >= ? ORDER BY created, id"
_IS_MARKED = "SELECT 1 FROM wraps_seen WHERE id = ?"
_SWEEP_MARKS = "DELETE FROM wraps_seen WHERE created < ?"
_REFUSE = """INSERT INTO refused (reason, sender, count, at) VALUES (?, ?, ?, ?)
    ON CONFLICT (reason, sender) DO UPDATE SET count = count + excluded.count, at = excluded.at"""
_REFUSED = "SELECT reason, sender, count, at FROM refused ORDER BY count DESC, reason, sender"


class Outgoing(NamedTuple):
    """A sealed envelope on its way; times in ms."""

    id: str
    recipient: str
    lane: str
    kind: str
    conversation: str
    issued: int
    expires: int
    size: int


class Undelivered(NamedTuple):
    """What never arrived, and why."""

    id: str
    recipient: str
    kind: str
    conversation: str
    expires: int
    reason: str


class Incoming(NamedTuple):
    """An envelope that came; `data` None: its effect is durable."""

    id: str
    sender: str
    expires: int
    finished: bool
    data: bytes | None


class Refusal(NamedTuple):
    """How often somebody was refused for a reason, and when last; `sender` "": unknown."""

    reason: str
    sender: str
    times: int
    at: int


class MeshBook:
    """The books."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, letter: Outgoing, data: bytes) -> None:
        """Keep a letter until it is known what became of it; returns once it is on disk."""
        await self._database.write(Statement(_PUT, (*letter[:-1], data), size=len(data)))

    async def waiting(self) -> tuple[Outgoing, ...]:
        """The letters on their way, in the order in which they came."""
        return tuple(Outgoing(*row) for row in await self._database.read(_WAITING))

    async def sealed(self, letter: str) -> bytes | None:
        """A waiting letter's envelope."""
        rows = await self._database.read(_SEALED, (letter,))
        return rows[0][0] if rows else None

    async def fate(self, letter: str) -> tuple[str, str]:
        """What became of a letter: `waiting`, `delivered`, `undelivered` or "", and why."""
        rows = await self._database.read(_STATE, (letter,))
        return (rows[0][0], rows[0][1]) if rows else ("", "")

    async def delivered(self, letters: Iterable[str]) -> None:
        """Their recipients have them."""
        await self._end(letters, "delivered", "")

    async def undelivered(self, letters: Iterable[str], reason: str) -> None:
        """They will not arrive."""
        await self._end(letters, "undelivered", reason)

    async def lost(self, since: int) -> tuple[Undelivered, ...]:
        """What did not arrive, and ended at or after `since` (ms)."""
        return tuple(Undelivered(*row) for row in await self._database.read(_ENDED, (since,)))

    async def note(self, id_: str, sender: str, expires: int, data: bytes) -> None:
        """An envelope came; on disk before it has any effect."""
        row = (id_, sender, expires, self._clock.now_ms(), data)
        await self._database.write(Statement(_NOTE, row, size=len(data)))

    def finishing(self, id_: str) -> Statement:
        """The statement that says its effect is done: raises Unmet when that was said before.

        Committed with the effect itself, the two happen once or not at all.
        """
        return Statement(_FINISH, (id_,), expect=1)

    async def finish(self, id_: str) -> None:
        """Its effect is done; saying so twice is no harm."""
        await self._database.write(Statement(_FINISH, (id_,)))

    async def came(self) -> tuple[Incoming, ...]:
        """What came and may come again, in the order in which it came."""
        rows = await self._database.read(_SEEN)
        return tuple(Incoming(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows)

    async def finished(self, now: int, most: int = 10_000) -> tuple[tuple[str, str], ...]:
        """Ids and senders of what had its effect and could still be sent again, newest first."""
        rows = await self._database.read(_FINISHED, (now, most))
        return tuple((row[0], row[1]) for row in rows)

    async def forget(self, ids: Sequence[str]) -> None:
        """These can never be valid again."""
        await self._database.write(*(Statement(_FORGET, (one,)) for one in ids))

    async def mark(self, wraps: Mapping[str, int]) -> None:
        """Wraps that need not come again: id to `created_at` in seconds."""
        await self._database.write(*(Statement(_MARK, row, append=True) for row in wraps.items()))

    async def marked(self, since: int) -> list[tuple[str, int]]:
        """The wraps made at or after `since` (seconds) that need not come again."""
        return [(row[0], row[1]) for row in await self._database.read(_MARKED, (since,))]

    async def is_marked(self, wrap: str) -> bool:
        """Whether a wrap need not come again."""
        return bool(await self._database.read(_IS_MARKED, (wrap,)))

    async def count_refused(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add to the counters, by reason and sender."""
        now = self._clock.now_ms()
        rows = [(reason, sender, count, now) for (reason, sender), count in counts.items()]
        await self._database.write(*(Statement(_REFUSE, row) for row in rows))

    async def refused(self) -> tuple[Refusal, ...]:
        """The counters, the highest first."""
        return tuple(Refusal(*row) for row in await self._database.read(_REFUSED))

    async def sweep(self, ended: int, created: int) -> None:
        """Forget letters that ended before (ms), and wraps made before (seconds)."""
        await self._database.write(
            Statement(_SWEEP_OUT, (ended,)), Statement(_SWEEP_MARKS, (created,))
        )

    async def _end(self, letters: Iterable[str], state: str, reason: str) -> None:
        now = self._clock.now_ms()
        rows = [Statement(_END, (one, state, reason, now)) for one in letters]
        if rows:
            await self._database.write(*rows)
