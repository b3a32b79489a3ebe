"""The turns that have no end yet, as this node knows them: its own, and those that came to it.

On disk before anything is done with them; the first end of each is the one that counts.
"""

import msgspec

from hermes.core.event import Event, Json, from_plain, to_plain
from hermes.core.request import TurnRequest
from hermes.mesh.routing import Parcel
from hermes.store.homes import HomeBook, ParcelRow
from hermes.store.statement import Statement


class Parcels:
    """Open parcels by turn."""

    def __init__(self, book: HomeBook) -> None:
        self._book = book
        self._open: dict[str, ParcelRow] = {}
        self._asked: dict[str, TurnRequest] = {}  # with what is never stored

    async def load(self) -> None:
        """Read what was open."""
        self._open = {row.turn: row for row in await self._book.open()}

    def get(self, turn: str) -> ParcelRow | None:
        """A parcel that has no end yet."""
        return self._open.get(turn)

    def of(self, conversation: str) -> tuple[ParcelRow, ...]:
        """Those of a conversation, in the order in which they came."""
        return tuple(row for row in self._open.values() if row.conversation == conversation)

    @property
    def talks(self) -> frozenset[str]:
        """The conversations in which something has no end yet."""
        return frozenset(row.conversation for row in self._open.values())

    def by(self, origin: str) -> tuple[ParcelRow, ...]:
        """Those that came into the mesh at a node."""
        return tuple(row for row in self._open.values() if row.origin == origin)

    async def add(self, row: ParcelRow, request: TurnRequest, *with_it: Statement) -> None:
        """Keep a parcel."""
        await self._book.put(row, *with_it)
        self._asked[row.turn] = request
        self._open.setdefault(row.turn, row)

    def request(self, row: ParcelRow) -> TurnRequest:
        """What was asked."""
        asked = self._asked.get(row.turn)
        return asked or msgspec.json.decode(row.request, type=TurnRequest)

    async def forward(self, row: ParcelRow, to: str, *, alone: bool) -> ParcelRow:
        """Note to whom it goes."""
        await self._book.forward(row.turn, to, alone=alone)
        row = row._replace(forwarded=to, alone=alone)
        if row.turn in self._open:
            self._open[row.turn] = row
        return row

    async def end(self, turn: str, final: Event, *with_it: Statement) -> bool:
        """Note its end; False when it had one."""
        if turn not in self._open:
            return False
        await self._book.end(turn, msgspec.json.encode(to_plain(final)), *with_it)
        self._asked.pop(turn, None)
        return self._open.pop(turn, None) is not None

    async def ended(self, turn: str) -> ParcelRow | None:
        """A parcel whose end is known, as far as it is still kept."""
        return None if turn in self._open else await self._book.get(turn)

    async def final(self, turn: str) -> Event | None:
        """The event that ended it."""
        data = await self._book.final(turn)
        return from_plain(msgspec.json.decode(data, type=dict[str, Json])) if data else None


def row_of(
    request: TurnRequest, origin: str, place: str, expires: int, *, fresh: bool
) -> ParcelRow:
    """A turn that begins its way here."""
    kept = msgspec.json.encode(msgspec.structs.replace(request, api_key=""))
    turn, conversation = request.turn_id, request.conversation_id
    return ParcelRow(turn, conversation, origin, place, kept, expires, fresh)


def parcel_of(row: ParcelRow, hops: int = 0) -> Parcel:
    """What is routed."""
    return Parcel(row.turn, row.conversation, row.origin, row.expires, hops, row.place)
