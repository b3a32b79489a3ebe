"""Who may write to the agent: keys that were paired by a one-time code, and codes that still wait.

A code is kept as its digest. Whether a code was shown by its rightful owner is not known here.
"""

from typing import Literal

import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import ConversationId
from hermes.store.database import Database
from hermes.store.statement import Row, SqlValue, Statement, Unmet

IS_PAIRED = "SELECT 1 FROM pairings WHERE kind = 'dm' AND state = 'active' AND key = ?"

_OFFER = """INSERT INTO pairings (kind, key, name, state, at, until, data)
    VALUES ('dm-code', ?, ?, 'open', ?, ?, ?)"""
_USE = """UPDATE pairings SET state = 'used' WHERE kind = 'dm-code' AND key = ?
    AND state = 'open' AND until > ?"""
_PAIR = """INSERT INTO pairings (kind, key, name, state, at, until, data)
    SELECT 'dm', ?1, name, 'active', ?2, 0, data FROM pairings WHERE kind = 'dm-code' AND key = ?3
    ON CONFLICT (kind, key) DO UPDATE SET
        name = excluded.name, state = 'active', at = excluded.at, data = excluded.data"""
_REVOKE = """UPDATE pairings SET state = 'revoked', at = ?2 WHERE kind = 'dm' AND key = ?1
    AND state = 'active'"""
_SILENCE = "UPDATE dm_posts SET event = NULL WHERE recipient = ? AND event IS NOT NULL"
_DROP = "UPDATE dm_received SET finished = 1, text = NULL WHERE sender = ? AND finished = 0"
_PLACE = """UPDATE pairings SET data = json_set(data, '$.conversation', ?)
    WHERE kind = 'dm' AND key = ? AND state = 'active'"""
_LIST = (
    "SELECT kind, key, name, state, at, until, data FROM pairings WHERE kind IN ('dm', 'dm-code')"
)
_SWEEP = (
    "DELETE FROM pairings WHERE kind = 'dm-code' AND (until < ?1 OR state = 'used' AND at < ?1)"
)


class Desk(msgspec.Struct, frozen=True):
    """Where somebody's words are acted on: directories, and the conversation that goes on."""

    root: str
    cwd: str
    conversation: ConversationId = ConversationId("")


class Pairing(msgspec.Struct, frozen=True):
    """A paired key (x-only, hex), or a code (its digest); times in ms, `until` 0: no end."""

    kind: Literal["dm", "dm-code"]
    key: str
    name: str
    state: Literal["active", "revoked", "open", "used"]
    at: int
    until: int
    desk: Desk


class Pairings:
    """All pairings of a store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def offer(self, digest: str, name: str, until: int, desk: Desk) -> None:
        """Keep a fresh code's digest; old ones are swept away."""
        now = self._clock.now_ms()
        data = msgspec.json.encode(desk).decode()
        await self._database.write(
            Statement(_SWEEP, (now - 24 * 3_600_000,)),
            Statement(_OFFER, (digest, name, now, until, data)),
        )

    async def pair(self, digest: str, key: str) -> bool:
        """Let a key in by a code, which is used up by it; False: there is no such open code."""
        now = self._clock.now_ms()
        use = Statement(_USE, (digest, now), expect=1)
        try:
            await self._database.write(use, Statement(_PAIR, (key, now, digest)))
        except Unmet:
            return False
        return True

    async def revoke(self, key: str) -> bool:
        """Let a key in no more: what waits from it or for it is dropped; False: it was not in."""
        end = Statement(_REVOKE, (key, self._clock.now_ms()), expect=1)
        try:
            await self._database.write(end, Statement(_SILENCE, (key,)), Statement(_DROP, (key,)))
        except Unmet:
            return False
        return True

    async def place(self, key: str, conversation: ConversationId) -> None:
        """Remember the conversation that goes on with a key; "": the next one is new."""
        await self._database.write(Statement(_PLACE, (conversation, key)))

    async def get(self, key: str) -> Pairing | None:
        """A paired key's pairing; None: a stranger's."""
        found = await self._select(f"{_LIST} AND kind = 'dm' AND state = 'active' AND key = ?", key)
        return found[0] if found else None

    async def list(self) -> tuple[Pairing, ...]:
        """All of them, revoked keys and used codes too, oldest first."""
        return await self._select(f"{_LIST} ORDER BY at, key")

    async def _select(self, sql: str, *values: SqlValue) -> tuple[Pairing, ...]:
        return tuple(map(_pairing, await self._database.read(sql, values)))


def _pairing(row: Row) -> Pairing:
    fields = dict(zip(Pairing.__struct_fields__, row, strict=True))
    fields["desk"] = msgspec.json.decode(fields["desk"], type=Desk)
    return Pairing(**fields)
