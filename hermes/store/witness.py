"""What was seen of others' logs, who cosigned this one, and evidence against a key: kept.

Whether anything here holds was checked before it came; evidence is never removed.
"""

from typing import NamedTuple

from hermes.core.clock import Clock
from hermes.store.database import Database
from hermes.store.statement import Statement

_SEEN = "SELECT node, genesis, note, issued, at FROM logs_seen WHERE node = ?"
_ALL = "SELECT node, genesis, note, issued, at FROM logs_seen ORDER BY node"
_SEE = """INSERT INTO logs_seen (node, genesis, note, issued, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (node) DO UPDATE SET note = excluded.note, issued = excluded.issued,
    at = excluded.at"""
_COSIGNED = """INSERT INTO cosignatures (size, node, line, at) VALUES (?, ?, ?, ?)
    ON CONFLICT (size, node) DO UPDATE SET line = excluded.line, at = excluded.at"""
_LINES = "SELECT size, node, line, at FROM cosignatures WHERE size = ? ORDER BY node"
_NEWEST = """SELECT size, node, line, at FROM cosignatures AS c WHERE size = (
    SELECT max(size) FROM cosignatures WHERE node = c.node) ORDER BY node"""
_FAULT = """INSERT INTO log_faults (node, kind, first, second, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (node, kind, first, second) DO UPDATE SET over = 0"""
_OVER = "UPDATE log_faults SET over = ? WHERE node = ? AND kind = 'shortened' AND over = 0"
_FAULTS = "SELECT node, kind, first, second, at, over FROM log_faults ORDER BY seq"
_LIST = """INSERT INTO relay_lists (author, kind, created, relays, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (author, kind) DO UPDATE SET created = excluded.created,
    relays = excluded.relays, at = excluded.at WHERE excluded.created > created"""
_LISTS = "SELECT author, kind, created, relays FROM relay_lists ORDER BY author, kind"


class SeenLog(NamedTuple):
    """A member's log as it was seen; `note` "": only its genesis record (hex) is known."""

    node: str
    genesis: str
    note: str
    issued: int
    at: int


class Cosignature(NamedTuple):
    """A member's signature line under this log's checkpoint of a size."""

    size: int
    node: str
    line: str
    at: int


class Evidence(NamedTuple):
    """Two notes against a member's log; `over` ms: it turned out otherwise, 0: it stands."""

    node: str
    kind: str
    first: str
    second: str
    at: int
    over: int


class RelayListed(NamedTuple):
    """Where somebody said that they read; `created` in seconds, `relays` a word each."""

    author: str
    kind: int
    created: int
    relays: str


class WitnessBook:
    """The rows."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def seen(self, node: str) -> SeenLog | None:
        """What is held of a member's log."""
        rows = await self._database.read(_SEEN, (node,))
        return SeenLog(*rows[0]) if rows else None

    async def all_seen(self) -> tuple[SeenLog, ...]:
        """Everything that is held."""
        return tuple(SeenLog(*row) for row in await self._database.read(_ALL))

    async def see(self, node: str, genesis: str, note: str, issued: int) -> None:
        """Hold this from now on; the genesis record stays the one that came first.

        A log that was found shorter, and is whole again, is no fault any more.
        """
        now = self._clock.now_ms()
        await self._database.write(
            Statement(_SEE, (node, genesis, note, issued, now)),
            *((Statement(_OVER, (now, node)),) if note else ()),
        )

    async def cosigned(self, size: int, node: str, line: str) -> None:
        """Keep a member's signature line."""
        await self._database.write(Statement(_COSIGNED, (size, node, line, self._clock.now_ms())))

    async def lines(self, size: int) -> tuple[Cosignature, ...]:
        """Who cosigned this log when it had so many entries."""
        return tuple(Cosignature(*row) for row in await self._database.read(_LINES, (size,)))

    async def newest(self) -> tuple[Cosignature, ...]:
        """Each member's last one."""
        return tuple(Cosignature(*row) for row in await self._database.read(_NEWEST))

    async def fault(self, node: str, kind: str, first: str, second: str) -> None:
        """Keep two notes as evidence; once."""
        row = (node, kind, first, second, self._clock.now_ms())
        await self._database.write(Statement(_FAULT, row))

    async def faults(self) -> tuple[Evidence, ...]:
        """All evidence, oldest first."""
        return tuple(Evidence(*row) for row in await self._database.read(_FAULTS))

    async def listed(self, author: str, kind: int, created: int, relays: str) -> None:
        """Keep where somebody reads; an older list changes nothing."""
        row = (author, kind, created, relays, self._clock.now_ms())
        await self._database.write(Statement(_LIST, row))

    async def lists(self) -> tuple[RelayListed, ...]:
        """Where others read."""
        return tuple(RelayListed(*row) for row in await self._database.read(_LISTS))
