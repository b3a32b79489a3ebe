"""Freight: large letters for a post office, out and in, over one place for chunks.

The place is the post office's alone: what no letter of its books needs is removed at each start.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from hermes.core.clock import Clock
from hermes.errors import BlobRefused, EnvelopeRefused
from hermes.identity.hot import HotKey
from hermes.mesh.arrivals import Arrival
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blobs import Blobs
from hermes.mesh.collecting import Collecting, Hands
from hermes.mesh.consignment import BLOB, Consignment, Endpoints, read_consignment
from hermes.mesh.envelope import read
from hermes.mesh.shipping import Shipping
from hermes.store.blob_chunks import Chunks
from hermes.store.mesh import MeshBook

_TRIES = 3


class Freight:
    """Both halves; a post office takes it over.

    Args:
        key: this node's.
        chunks: where chunks lie; what others leave lies there too, as the endpoint serves them.
        endpoints: who serves chunks.
        clock: the time.
        room: how many bytes may wait here on their way out; as many on their way in.
    """

    def __init__(
        self, key: HotKey, chunks: Chunks, endpoints: Endpoints, clock: Clock, room: int
    ) -> None:
        self._blobs = Blobs(chunks)
        call = partial(BlobClient.open, key=key, clock=clock, tries=_TRIES)
        self.out = Shipping(self._blobs, endpoints, call, room)
        self.into = Collecting(self._blobs, endpoints, call, clock, 2 * room)

    async def restore(self, book: MeshBook) -> None:
        """Take up what was on its way, and remove what nobody needs."""
        await self.out.restore(book)
        came = [_note(one.data) for one in await book.came() if one.data is not None]
        wanted = [*self.out.consignments, *(one for one in came if one)]
        await self._blobs.keep_only([one.reference for one in wanted])

    def begin(
        self,
        tasks: TaskGroup,
        notes: MemoryObjectReceiveStream[Arrival],
        hands: Hands,
        ready: Callable[[str], Awaitable[None]],
    ) -> None:
        """Work until the tasks are cancelled."""
        self.out.tasks = self.into.tasks = tasks
        self.out.ready, self.into.hands = ready, hands
        tasks.start_soon(self.into.listen, notes)
        tasks.start_soon(self.into.run)


def _note(data: bytes) -> Consignment | None:
    """The note that an envelope is, if it is one."""
    try:
        envelope = read(data)
        return read_consignment(envelope.data) if envelope.payload_type == BLOB else None
    except (EnvelopeRefused, BlobRefused):
        return None
