"""The fleet as this node was told of it: codes that let a node in, owners it serves, statements.

Beside `pairings`, which holds people's codes in the same table. What a statement proves is for
`hermes.node.roster` to say; here it is only kept.
"""

from collections.abc import Iterable
from typing import NamedTuple

from hermes.core.clock import Clock
from hermes.store.database import Database
from hermes.store.statement import Statement

_OFFER = """INSERT INTO pairings (kind, key, name, state, at, until)
    VALUES ('node-code', ?, ?, 'open', ?, ?)"""
_SWEEP = "DELETE FROM pairings WHERE kind = 'node-code' AND until < ?"
_OFFERED = """SELECT name, state, data FROM pairings
    WHERE kind = 'node-code' AND key = ?1 AND until > ?2"""
_USE = """UPDATE pairings SET state = 'used', data = ?2 WHERE kind = 'node-code' AND key = ?1
    AND state = 'open'"""
_OPEN = "SELECT max(until) FROM pairings WHERE kind = 'node-code'"
_ASK = """INSERT INTO pairings (kind, key, name, state, at, until)
    VALUES ('asked', ?1, '', 'open', ?2, ?3) ON CONFLICT (kind, key) DO UPDATE SET
    until = max(until, excluded.until), at = excluded.at"""
_ASKED = "SELECT key, until FROM pairings WHERE kind = 'asked' AND until > ? ORDER BY key"
_ANSWERED = "DELETE FROM pairings WHERE kind = 'asked' AND (key = ? OR until < ?)"
_ADOPT = """INSERT INTO pairings (kind, key, name, state, at, until, data)
    VALUES ('owner', ?, '', 'active', ?, 0, ?) ON CONFLICT (kind, key) DO UPDATE SET
    data = excluded.data, at = excluded.at"""
_OWNERS = "SELECT key FROM pairings WHERE kind = 'owner' AND state = 'active' ORDER BY at, key"
_KEEP = """INSERT INTO pairings (kind, key, name, state, at, until, data)
    VALUES ('statement', ?, ?, 'active', ?, 0, ?) ON CONFLICT (kind, key) DO NOTHING"""
_KEPT = "SELECT data FROM pairings WHERE kind = 'statement' ORDER BY at, key"
_SEEN = """INSERT INTO peers_seen (node, at, card) VALUES (?, ?, ?)
    ON CONFLICT (node) DO UPDATE SET at = excluded.at, card = excluded.card"""
_CARDS = "SELECT node, at, card FROM peers_seen ORDER BY node"
_FORGET = "DELETE FROM peers_seen WHERE node = ?"


class Offer(NamedTuple):
    """A code's row: for whom it was meant, and the node that used it, or ""."""

    name: str
    node: str


class Seen(NamedTuple):
    """What was last known of a node, in its own words (JSON); `at` in ms."""

    node: str
    at: int
    card: str


class Peers:
    """The rows."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def offer(self, digest: str, name: str, until: int) -> None:
        """Keep a fresh code's digest; those that are over are swept away."""
        now = self._clock.now_ms()
        await self._database.write(
            Statement(_SWEEP, (now - 24 * 3_600_000,)),
            Statement(_OFFER, (digest, name, now, until)),
        )

    async def offered(self, digest: str) -> Offer | None:
        """A code that is open, or was used and is not over; None for any other."""
        rows = await self._database.read(_OFFERED, (digest, self._clock.now_ms()))
        return Offer(rows[0][0], rows[0][2]) if rows else None

    async def use(self, digest: str, node: str) -> None:
        """This node came in by the code: raises Unmet when one came before."""
        await self._database.write(Statement(_USE, (digest, node), expect=1))

    async def open_until(self) -> int:
        """Until when the last code holds (ms); 0: there is none."""
        rows = await self._database.read(_OPEN)
        return int(rows[0][0] or 0)

    async def ask(self, node: str, until: int) -> None:
        """A node was asked to let us in; its answer is waited for until then (ms)."""
        await self._database.write(Statement(_ASK, (node, self._clock.now_ms(), until)))

    async def asked(self) -> dict[str, int]:
        """The nodes whose answer is waited for, and until when."""
        return dict(await self._database.read(_ASKED, (self._clock.now_ms(),)))

    async def answered(self, node: str) -> None:
        """Its answer came."""
        await self._database.write(Statement(_ANSWERED, (node, self._clock.now_ms())))

    async def adopt(self, owner: str, inviter: str) -> None:
        """Serve an owner's fleet from now on."""
        await self._database.write(Statement(_ADOPT, (owner, self._clock.now_ms(), inviter)))

    async def owners(self) -> tuple[str, ...]:
        """The owners of other nodes whose fleets this node joined."""
        return tuple(row[0] for row in await self._database.read(_OWNERS))

    async def keep(self, statements: Iterable[tuple[str, str, str]]) -> None:
        """Keep statements: CID, the node that it is about, its block in hex."""
        now = self._clock.now_ms()
        rows = [Statement(_KEEP, (cid, node, now, data)) for cid, node, data in statements]
        if rows:
            await self._database.write(*rows)

    async def statements(self) -> tuple[str, ...]:
        """Their blocks in hex, as they came."""
        return tuple(row[0] for row in await self._database.read(_KEPT))

    async def saw(self, node: str, card: str) -> None:
        """Remember what is known of a node."""
        await self._database.write(Statement(_SEEN, (node, self._clock.now_ms(), card)))

    async def forget(self, node: str) -> None:
        """Know nothing of a node any more."""
        await self._database.write(Statement(_FORGET, (node,)))

    async def seen(self) -> tuple[Seen, ...]:
        """What is known of nodes from before."""
        return tuple(Seen(*row) for row in await self._database.read(_CARDS))
