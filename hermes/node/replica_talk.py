"""Replication's letters: live ones, but for a message too large for an envelope."""

from collections import Counter

import anyio
import anyio.to_thread
import msgspec

from hermes.core.ids import Cid, ConversationId
from hermes.errors import BlobRefused
from hermes.mesh.envelope import MOST_PAYLOAD, Letter
from hermes.mesh.post import Post
from hermes.node.replica_books import Books
from hermes.node.replica_wire import ASKS, BLOCKS, HAVE, MOST, WANT, Blocks, Have, Want, pack
from hermes.store.replica_values import Parcel
from hermes.store.replicas import Replicas, Wanted

_TTL_MS = 60_000
_DAY_MS = 24 * 3_600_000
_AGAIN_S = 3_600.0
_GIVING = 2
_MOST_ASKED = 16


class Talk:
    """What this node says to others; what it gives is read from the store."""

    def __init__(self, post: Post, replicas: Replicas, books: Books, me: str) -> None:
        self._post = post
        self._replicas = replicas
        self._books = books
        self.me = me
        self._giving = anyio.Semaphore(_GIVING)
        self._asked: Counter[str] = Counter()
        self._shipped: dict[tuple[str, ConversationId], float] = {}
        self.large: dict[ConversationId, str] = {}
        """Conversations with a message that does not go to others, and why."""

    async def say(self, node: str, what: Have | Want) -> bool:
        """Say it now; whether a relay took it."""
        kind, data = HAVE if isinstance(what, Have) else WANT, msgspec.json.encode(what)
        if len(data) > MOST_PAYLOAD and isinstance(what, Have):
            half = len(what.rows) // 2
            first = msgspec.structs.replace(what, rows=what.rows[:half], total="")
            await self.say(node, first)
            return await self.say(node, msgspec.structs.replace(what, rows=what.rows[half:]))
        letter = Letter(node, kind, data, ttl_ms=_TTL_MS)
        return (await self._post.send_live(letter)).taken

    async def give(self, node: str, want: Want) -> None:
        """Answer a question: one letter, with as much as it holds.

        Who asks faster than it is answered goes without: an honest one asks again.
        """
        if self._asked[node] >= _MOST_ASKED:
            return
        self._asked[node] += 1
        try:
            async with self._giving:
                await self._answer(node, want)
        finally:
            self._asked[node] -= 1

    async def _answer(self, node: str, want: Want) -> None:
        parcels: list[Parcel] = []
        none: list[ConversationId] = []
        left = MOST
        for ask in want.asks:
            wanted = Wanted(ask.id, ask.known)
            parcel, size = await self._cut(wanted, left, whole=not parcels)
            if parcel is None:
                none.append(ask.id)
            elif parcel.more and not parcel.blocks:
                break  # asked again, it comes first
            else:
                parcels.append(parcel)
                left -= size
        await self._send(node, Blocks(want.number, tuple(parcels), tuple(none)))

    async def push(self, node: str, places: list[ConversationId]) -> None:
        """Give a node what is new here, unasked."""
        parcels: list[Parcel] = []
        left = MOST
        for place in places:
            wanted = Wanted(place, await self._books.base(node, place))
            parcel, size = await self._cut(wanted, left, whole=not parcels)
            if parcel is not None and parcels and parcel.more:
                await self._send(node, Blocks("", tuple(parcels)))
                parcels, left = [], MOST
                parcel, size = await self._cut(wanted, left, whole=True)
            if parcel is None:
                continue
            parcels.append(parcel)
            left -= size
            if len(parcels) == ASKS or left <= 0:
                await self._send(node, Blocks("", tuple(parcels)))
                parcels, left = [], MOST
        if parcels:
            await self._send(node, Blocks("", tuple(parcels)))
        self._books.sent(node, places)

    async def _cut(self, wanted: Wanted, most: int, *, whole: bool) -> tuple[Parcel | None, int]:
        cut = await self._replicas.cut(wanted, self.me, most, whole=whole)
        if cut.parcel is None:
            self._books.mute(wanted.conversation)
        if cut.large is not None:
            self._note(wanted.conversation, cut.large, "larger than anything that is sent")
        return cut.parcel, cut.size

    async def _send(self, node: str, blocks: Blocks) -> None:
        data = await anyio.to_thread.run_sync(pack, blocks)
        if len(data) <= MOST_PAYLOAD:
            await self._post.send_live(Letter(node, BLOCKS, data, ttl_ms=_TTL_MS))
            return
        parcel = blocks.parcels[0]  # alone, as it is larger than all of a letter
        if self._shipped.get((node, parcel.id), 0.0) > anyio.current_time():
            return
        self._shipped[node, parcel.id] = anyio.current_time() + _AGAIN_S
        try:
            await self._post.send(Letter(node, BLOCKS, data, ttl_ms=_DAY_MS))
        except BlobRefused as error:
            self._note(parcel.id, parcel.heads[0], error.message)

    def _note(self, place: ConversationId, cid: Cid, why: str) -> None:
        self.large[place] = f"{cid}: {why}"
