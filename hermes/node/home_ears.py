"""What comes in about homes: kept where it must be, then handed to who decides."""

from collections.abc import Callable

from anyio.streams.memory import MemoryObjectReceiveStream

from hermes.core.event import Event
from hermes.mesh import intents, routing
from hermes.mesh import lease_values as leasing
from hermes.mesh.arrivals import Arrival
from hermes.mesh.envelope import Envelope
from hermes.node.home_ground import HomeGround
from hermes.node.home_letters import Carried, Order, Told, read_body
from hermes.node.home_origin import Origin
from hermes.node.home_parcels import row_of
from hermes.node.home_turns import Hosting
from hermes.store.statement import Statement, Unmet

_Heard = leasing.Heard | intents.Heard | routing.Came


class Ears:
    """Reads letters until cancelled; `feed` takes what the machines should hear."""

    def __init__(
        self,
        ground: HomeGround,
        hosting: Hosting,
        origin: Origin,
        feed: Callable[[_Heard], None],
    ) -> None:
        self._post = ground.mail.post
        self._book = ground.store.mesh
        self._circle = ground.circle
        self._parcels = ground.parcels
        self._hosting = hosting
        self._origin = origin
        self._feed = feed

    async def run(self, arrivals: MemoryObjectReceiveStream[Arrival]) -> None:
        """Take letters."""
        async with arrivals:
            async for arrival in arrivals:
                self._circle.heard(arrival.envelope.node_id)
                try:
                    noted = await self._take(arrival.envelope, durable=arrival.durable)
                except Unmet:
                    noted = True  # its effect and its note are on disk since before an end
                if arrival.durable:
                    await self._post.settle(arrival.envelope, noted=noted)

    async def _take(self, envelope: Envelope, *, durable: bool) -> bool:
        """Let a letter have its effect; whether that was committed with the letter's note."""
        sender = envelope.node_id
        noted = (self._book.finishing(envelope.id),) if durable else ()
        match read_body(envelope.payload_type, envelope.data):
            case Carried() as carried:
                return await self._carried(sender, carried, noted)
            case Told() as told:
                return await self._origin.hear(told, noted)
            case Order() as order:
                row = self._parcels.get(order.turn)
                if row and row.origin == sender:
                    await self._hosting.obey(row, order)
            case leasing.Claim() | leasing.Grant() | leasing.Deny() | leasing.Free() as message:
                self._feed(leasing.Heard(sender, message))
            case (
                intents.Recall() | intents.Recalled() | intents.Note() | intents.Noted() as message
            ):
                self._feed(intents.Heard(sender, message))
            case None:
                pass
        return False

    async def _carried(self, sender: str, carried: Carried, noted: tuple[Statement, ...]) -> bool:
        """A turn came from another node: for the first time, or it is asked for again."""
        parcel, me = carried.parcel, self._circle.me
        if parcel.origin == me or parcel.origin not in self._circle.voters:
            return False
        if carried.alone and sender != parcel.origin:
            return False
        row = self._parcels.get(parcel.id)
        if row is None and (final := await self._parcels.final(parcel.id)) is not None:
            await self._repeat(parcel, final)
            return False
        if row is not None and (row.origin, row.conversation) != (
            parcel.origin,
            parcel.conversation,
        ):
            return False
        fresh = row is None
        if row is None:
            row = row_of(
                carried.request, parcel.origin, parcel.place, parcel.expires_at, fresh=False
            )
            row = row._replace(alone=carried.alone)
            await self._parcels.add(row, carried.request, *noted)
        if carried.begun and sender == row.origin:
            await self._hosting.answer(row)
        if carried.anew:
            self._hosting.tell_so_far(row)
        self._feed(routing.Came(parcel))
        return fresh and bool(noted)

    async def _repeat(self, parcel: routing.Parcel, final: Event) -> None:
        if (row := await self._parcels.ended(parcel.id)) and row.origin == parcel.origin:
            self._hosting.repeat(row, final)
