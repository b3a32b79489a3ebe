"""Direct messages on their way: what people wrote until it is answered, answers until they went.

A message counts once, whoever sends it again; only a paired key's is kept. What is said in it
stands in the conversation; here its words go once it was answered.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from hermes.core.clock import Clock
from hermes.store.database import Database
from hermes.store.pairings import IS_PAIRED
from hermes.store.statement import Statement, Unmet

_TAKE = f"""INSERT INTO dm_received (id, sender, sent, at, kind, text)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS ({IS_PAIRED.replace("?", "?2")})
    ON CONFLICT (id) DO NOTHING"""
_LOOK = f"""SELECT EXISTS ({IS_PAIRED}),
    EXISTS (SELECT 1 FROM dm_received WHERE id = ?)"""  # noqa: S608 - constants
_UNFINISHED = """SELECT id, sender, sent, kind, text FROM dm_received WHERE finished = 0
    ORDER BY at, sent, id"""
_FINISH = "UPDATE dm_received SET finished = 1, text = NULL WHERE id = ?"
_POST = f"""INSERT INTO dm_posts (recipient, rumour, created, event, at)
    SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS ({IS_PAIRED.replace("?", "?1")})
    ON CONFLICT (rumour) DO NOTHING"""
_WAITING = """SELECT recipient, rumour, created, event FROM dm_posts
    WHERE event IS NOT NULL ORDER BY seq"""
_SENT = "UPDATE dm_posts SET event = NULL WHERE rumour = ?"
_LAST = "SELECT recipient, max(created) FROM dm_posts GROUP BY recipient"
_MARK = "INSERT INTO dm_wraps (id, created, at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
_MARKED = "SELECT id, created FROM dm_wraps WHERE created >= ? ORDER BY at DESC LIMIT ?"
_LOOKED = "SELECT coalesce(max(at), 0) FROM dm_wraps"
_SWEEPS = (
    "DELETE FROM dm_wraps WHERE at < ?",
    "DELETE FROM dm_posts WHERE event IS NULL AND at < ?",
    "DELETE FROM dm_received WHERE finished = 1 AND at < ?",
)


class Received(msgspec.Struct, frozen=True):
    """A message; `sent`: when its sender says that it was written, ms. `kind`: turn or control."""

    id: str
    sender: str
    sent: int
    kind: str
    text: str


class Post(msgspec.Struct, frozen=True):
    """A message to somebody: the wrap's JSON, its rumour's id and `created_at` in seconds."""

    recipient: str
    rumour: str
    created: int
    event: str


class Dms:
    """The messages of a store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def take(self, message: Received) -> bool:
        """Keep a message that came; False: it came before, or a stranger sent it."""
        row = (
            message.id, message.sender, message.sent, self._clock.now_ms(), message.kind,
            message.text,
        )  # fmt: skip
        try:
            await self._database.write(Statement(_TAKE, row, expect=1, size=len(message.text)))
        except Unmet:
            return False
        return True

    async def look(self, sender: str, message: str) -> tuple[bool, bool]:
        """Whether a key is paired, and whether a message came before."""
        paired, came = (await self._database.read(_LOOK, (sender, message)))[0]
        return bool(paired), bool(came)

    async def unfinished(self) -> tuple[Received, ...]:
        """What was kept and has no answer yet, in the order in which it came."""
        return tuple(Received(*row) for row in await self._database.read(_UNFINISHED))

    async def answer(self, messages: Iterable[str], posts: Sequence[Post]) -> bool:
        """Finish messages, and keep what is said to their sender, together.

        False: the sender is no longer paired, and nothing is said.
        """
        now = self._clock.now_ms()
        done = [Statement(_FINISH, (id_,)) for id_ in messages]
        rows = [(one.recipient, one.rumour, one.created, one.event, now) for one in posts]
        kept = [Statement(_POST, row, expect=1, size=len(row[3])) for row in rows]
        try:
            await self._database.write(*done, *kept)
        except Unmet:
            await self._database.write(*done)
            return False
        return True

    async def waiting(self) -> tuple[Post, ...]:
        """What no relay has taken yet, in order."""
        return tuple(Post(*row) for row in await self._database.read(_WAITING))

    async def sent(self, rumours: Iterable[str]) -> None:
        """A relay took their wraps."""
        await self._database.write(*(Statement(_SENT, (one,)) for one in rumours))

    async def last(self) -> Mapping[str, int]:
        """For each recipient the newest `created_at` that was used, seconds."""
        return {row[0]: row[1] for row in await self._database.read(_LAST)}

    async def mark(self, wraps: Mapping[str, int]) -> None:
        """Wraps that were looked into, whatever was in them: id to `created_at` in seconds."""
        now = self._clock.now_ms()
        await self._database.write(
            *(Statement(_MARK, (id_, at, now), append=True) for id_, at in wraps.items())
        )

    async def marked(self, since: int, most: int) -> Mapping[str, int]:
        """The wraps made at or after `since` (seconds) that were looked into, at most so many."""
        return {row[0]: row[1] for row in await self._database.read(_MARKED, (since, most))}

    async def looked(self) -> int:
        """When a wrap was looked into last, ms; 0: never."""
        return int((await self._database.read(_LOOKED))[0][0])

    async def sweep(self, wraps: int, messages: int) -> None:
        """Forget wraps looked into before, and messages that were done with before (ms)."""
        moments = (wraps, messages, messages)
        await self._database.write(
            *(Statement(sql, (at,)) for sql, at in zip(_SWEEPS, moments, strict=True))
        )
