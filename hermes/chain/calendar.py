"""The node as an OpenTimestamps calendar: it promises, batches, anchors, and hands out proofs.

A promise is on disk before it is given. How a root gets into the chain, and when it is deep
enough, is the `Batcher`'s business; this only believes it as far as the header agrees.
"""

import os
from collections import OrderedDict

import anyio
import anyio.to_thread
import msgspec

from hermes.chain.batch import Batcher, Mined
from hermes.chain.stamp_tree import StampTree, answer, promise, tail_of
from hermes.core.event import Json
from hermes.errors import NotAvailable, Refused, StoreCorrupt
from hermes.store.stamps import BatchState, StampBatch, Stamps

DIGEST_LEAST = 20
DIGEST_MOST = 64
"""Bytes of a digest: from SHA-1's to SHA-512's."""
_NONCE = 16
_BATCH_MOST = 65_536
_WAITING_MOST = 1_000_000
_TREES_KEPT = 4
_SHOWN = 20


class Found(msgspec.Struct, frozen=True):
    """Whether a commitment was promised here, and the way into its block, empty until settled."""

    known: bool
    way: bytes = b""


class Calendar:
    """Promises and proofs; `uri` is where others reach this calendar.

    `most`: digests that wait for their anchor.
    """

    def __init__(
        self, stamps: Stamps, uri: str, batcher: Batcher, most: int = _WAITING_MOST
    ) -> None:
        self.uri = uri
        self._most = most
        self._stamps = stamps
        self._batcher = batcher
        self._trees: OrderedDict[int, tuple[StampTree, dict[int, int]]] = OrderedDict()
        self._waiting: int | None = None
        self._one = anyio.Lock()
        self._planting = anyio.Lock()

    async def add(self, digest: bytes) -> bytes:
        """Promise to anchor a digest: the answer leads to the commitment, which is on disk.

        Raises:
            Refused: a digest of another size.
            NotAvailable: too many wait for their anchor.
            StoreError: the disk refused; nothing is promised.
        """
        if not DIGEST_LEAST <= len(digest) <= DIGEST_MOST:
            raise Refused(f"a digest of {len(digest)} bytes; {DIGEST_LEAST} to {DIGEST_MOST}")
        if self._waiting is None:
            self._waiting = (await self._stamps.counts())["waiting"]
        if self._waiting >= self._most:
            raise NotAvailable("too many digests wait for their anchor", "try again later")
        # Who gets one proof learns its siblings: the nonce keeps the others' digests from them.
        commitment, promised = promise(digest, os.urandom(_NONCE), self.uri)
        await self._stamps.add(commitment)
        if self._waiting is not None:  # else a batch was closed meanwhile: counted anew
            self._waiting += 1
        return promised

    async def find(self, commitment: bytes) -> Found:
        """The way from a commitment into a block.

        Raises StoreCorrupt when the batch's rows do not give its root.
        """
        kept = await self._stamps.find(commitment)
        if kept is None or kept.batch is None or kept.batch.tail is None:
            return Found(kept is not None)
        async with self._planting:  # strangers ask: one large tree at a time is enough
            tree, places = await self._tree(kept.batch)
        return Found(known=True, way=answer(tree.path(places[kept.seq]), kept.batch.tail))

    async def close_batch(self) -> bytes | None:
        """Put what waits under one root and send it; None when nothing waits.

        Raises ChainError leaves when it cannot be sent now: `refresh` tries again.
        """
        async with self._one:
            taken = await self._stamps.waiting(_BATCH_MOST)
            if not taken:
                return None
            leaves = [commitment for _, commitment in taken]
            tree = await anyio.to_thread.run_sync(StampTree, leaves)
            await self._stamps.close(tree.root, taken)
            self._waiting = None
            await self._batcher.anchor(tree.root)
            return tree.root

    async def refresh(self) -> int:
        """Look where each batch stands; the number that changed. Call it on every new tip.

        Raises ChainError leaves, and ProofInvalid when a block does not hold what it is said
        to hold; nothing is attached then.
        """
        async with self._one:
            changed, unsent = 0, []
            for batch in await self._stamps.unfinished():
                mined = await self._batcher.settled(batch.root)
                if mined is not None:
                    changed += await self._attach(batch, mined)
                    continue
                unsent.append(batch.root)
                if batch.tail is not None:
                    await self._stamps.detach(batch.id)
                    changed += 1
            for root in unsent:
                await self._batcher.anchor(root)
            return changed

    async def facts(self) -> dict[str, Json]:
        """What it holds, as JSON."""
        batches = await self._stamps.latest(_SHOWN)
        return {
            "uri": self.uri,
            **await self._stamps.counts(),
            "latest": [_shown(batch) for batch in batches],
        }

    async def _attach(self, batch: StampBatch, mined: Mined) -> bool:
        state: BatchState = "final" if mined.final else "settled"
        if (batch.state, batch.block) == (state, mined.block):
            return False
        tail = tail_of(batch.root, mined.raw, mined.place, mined.header)
        await self._stamps.attach(batch.id, state, mined.place.height, mined.block, tail)
        return True

    async def _tree(self, batch: StampBatch) -> tuple[StampTree, dict[int, int]]:
        if (known := self._trees.get(batch.id)) is not None:
            self._trees.move_to_end(batch.id)
            return known
        leaves = await self._stamps.leaves(batch.id)
        tree = None
        if leaves:
            tree = await anyio.to_thread.run_sync(StampTree, [raw for _, raw in leaves])
        if tree is None or tree.root != batch.root:
            raise StoreCorrupt(
                f"the rows of calendar batch {batch.id} do not give its root",
                "restore them from a backup; hermes doctor",
            )
        self._trees[batch.id] = tree, {seq: index for index, (seq, _) in enumerate(leaves)}
        while len(self._trees) > _TREES_KEPT:
            self._trees.popitem(last=False)
        return self._trees[batch.id]


def _shown(batch: StampBatch) -> dict[str, Json]:
    return {
        "id": batch.id,
        "root": batch.root.hex(),
        "size": batch.size,
        "closed": batch.closed,
        "state": batch.state,
        "height": batch.height,
        "block": batch.block,
    }
