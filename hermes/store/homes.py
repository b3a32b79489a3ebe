"""What a node remembers of homes: parcels on their way, what was begun, what it promised to whom.

Only kept here: `hermes.mesh` says what a promise or an intent means, `hermes.node.homes` what
becomes of a parcel.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hermes.core.clock import Clock
from hermes.store.database import Database
from hermes.store.statement import Statement

_COLUMNS = "turn, conversation, origin, place, request, expires, fresh, forwarded, alone"
_PUT = f"""INSERT INTO parcels ({_COLUMNS}, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (turn) DO NOTHING"""  # noqa: S608 - constants
_GET = f"SELECT {_COLUMNS} FROM parcels WHERE turn = ?"  # noqa: S608
_OPEN = f"SELECT {_COLUMNS} FROM parcels WHERE final IS NULL ORDER BY at, turn"  # noqa: S608
_FINAL = "SELECT final FROM parcels WHERE turn = ?"
_FORWARD = "UPDATE parcels SET forwarded = ?2, alone = ?3 WHERE turn = ?1 AND final IS NULL"
_END = """UPDATE parcels SET final = ?2, request = x'', ended = ?3
    WHERE turn = ?1 AND final IS NULL"""
_SWEEP = """DELETE FROM parcels WHERE (final IS NOT NULL AND ended < ?1)
    OR (final IS NULL AND expires < ?1)"""
_RUNNING = """SELECT turn FROM parcels JOIN turns ON turns.id = parcels.turn
    WHERE turns.state = 'running'"""
_PROMISE = """INSERT INTO leases (key, epoch, holder, until, data) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder,
        until = excluded.until, data = excluded.data"""
_PROMISES = "SELECT key, epoch, holder, until, data FROM leases"
_INTEND = """INSERT INTO intents (conversation, id, epoch, mine) VALUES (?, ?, ?, ?)
    ON CONFLICT (conversation, id) DO UPDATE SET epoch = excluded.epoch"""
_UNINTEND = "DELETE FROM intents WHERE conversation = ? AND id = ?"
_MINE = "SELECT epoch FROM intents WHERE conversation = ? AND id = ? AND mine = 1"
_FORGET = ("DELETE FROM intents WHERE conversation = ?", "DELETE FROM leases WHERE key = ?")
_INTENTS = "SELECT conversation, id, epoch FROM intents ORDER BY conversation, epoch, id"


class ParcelRow(NamedTuple):
    """A turn on its way to its home; `request` is JSON without any key, times in ms.

    `fresh`: its conversation is made by it. `forwarded`: the node to which it was sent last,
    `alone`: and to which alone it may go.
    """

    turn: str
    conversation: str
    origin: str
    place: str
    request: bytes
    expires: int
    fresh: bool = False
    forwarded: str = ""
    alone: bool = False


class Promised(NamedTuple):
    """What was granted last for a key."""

    key: str
    epoch: int
    holder: str
    until: int
    freed: bool


class Begun(NamedTuple):
    """What was noted of a conversation: the highest epoch, and the ids with theirs."""

    epoch: int
    ids: Mapping[str, int]


class HomeBook:
    """The books of homes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, row: ParcelRow, *with_it: Statement) -> None:
        """Keep a parcel; one that is there already stays as it is."""
        values = (*row, self._clock.now_ms())
        await self._database.write(Statement(_PUT, values, size=len(row.request)), *with_it)

    async def get(self, turn: str) -> ParcelRow | None:
        """A parcel, ended or not."""
        rows = await self._database.read(_GET, (turn,))
        return _row(rows[0]) if rows else None

    async def open(self) -> tuple[ParcelRow, ...]:
        """The parcels that have no end yet, in the order in which they came."""
        return tuple(map(_row, await self._database.read(_OPEN)))

    async def running(self) -> frozenset[str]:
        """The turns among them that were begun here and have no end in the store."""
        return frozenset(row[0] for row in await self._database.read(_RUNNING))

    async def final(self, turn: str) -> bytes | None:
        """The event with which a parcel ended, as JSON."""
        rows = await self._database.read(_FINAL, (turn,))
        return rows[0][0] if rows else None

    async def forward(self, turn: str, to: str, *, alone: bool) -> None:
        """Note to whom it goes, before it goes there."""
        await self._database.write(Statement(_FORWARD, (turn, to, int(alone))))

    async def end(self, turn: str, final: bytes, *with_it: Statement) -> None:
        """Note the event with which it ended; the first one stays."""
        values = (turn, final, self._clock.now_ms())
        await self._database.write(Statement(_END, values), *with_it)

    async def sweep(self, before: int) -> None:
        """Forget what ended before (ms), or was over by then: who handed it on hears no end."""
        await self._database.write(Statement(_SWEEP, (before,)))

    async def promise(self, made: Promised) -> None:
        """Keep what was granted."""
        values = (made.key, made.epoch, made.holder, made.until, "freed" if made.freed else "")
        await self._database.write(Statement(_PROMISE, values))

    async def promises(self) -> tuple[Promised, ...]:
        """What was granted last, for every key."""
        rows = await self._database.read(_PROMISES)
        return tuple(
            Promised(key, epoch, by, until, free == "freed") for key, epoch, by, until, free in rows
        )

    async def intend(
        self, conversation: str, before: Begun, after: Begun, *, mine: bool = False
    ) -> None:
        """Bring the notes of a conversation up to date; `mine`: this node begins what is new."""
        gone = [one for one in before.ids if one not in after.ids]
        new = [(one, epoch) for one, epoch in after.ids.items() if before.ids.get(one) != epoch]
        await self._database.write(
            Statement(_INTEND, (conversation, "", after.epoch, 0)),
            *(Statement(_INTEND, (conversation, one, epoch, int(mine))) for one, epoch in new),
            *(Statement(_UNINTEND, (conversation, one)) for one in gone),
        )

    async def forget(self, conversations: Iterable[str]) -> None:
        """Let go of what was promised and noted of conversations, of each the whole."""
        due = [Statement(one, (name,)) for name in conversations for one in _FORGET]
        if due:
            await self._database.write(*due)

    async def mine(self, conversation: str, turn: str) -> int | None:
        """The epoch under which this node was about to begin a turn; None where it was not."""
        rows = await self._database.read(_MINE, (conversation, turn))
        return rows[0][0] if rows else None

    async def intents(self) -> dict[str, Begun]:
        """The notes, by conversation."""
        found: dict[str, tuple[int, dict[str, int]]] = {}
        for conversation, name, epoch in await self._database.read(_INTENTS):
            highest, ids = found.get(conversation, (0, {}))
            if name:
                found[conversation] = (highest, ids | {name: epoch})
            else:
                found[conversation] = (epoch, ids)
        return {name: Begun(*one) for name, one in found.items()}


def _row(row: tuple[str, str, str, str, bytes, int, int, str, int]) -> ParcelRow:
    turn, conversation, origin, place, request, expires, fresh, forwarded, alone = row
    return ParcelRow(
        turn, conversation, origin, place, request, expires, bool(fresh), forwarded, bool(alone)
    )
