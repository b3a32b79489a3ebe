"""Sends an anchor's transaction: checked once more before each time, refusals kept in words."""

import msgspec

from hermes.chain.backend import ChainBackend, Outpoint
from hermes.chain.spend import check_spend
from hermes.chain.transaction import output_of, transaction_of
from hermes.chain.watch import Watch
from hermes.errors import ChainRefused, StoreCorrupt
from hermes.store.anchors import Anchor, Anchors


class Sender:
    """Sends what the store holds, and writes down what came of it."""

    def __init__(self, anchors: Anchors) -> None:
        self._anchors = anchors

    async def send(self, backend: ChainBackend, watch: Watch, anchor: Anchor) -> Anchor:
        """Send the newest living attempt, checked once more; what the server says is kept."""
        raw = anchor.alive[-1].raw
        transaction = transaction_of(raw)
        previous: dict[Outpoint, tuple[int, bytes]] = {}
        for one in transaction.inputs:
            output = output_of(await self.parent(one.outpoint.txid), one.outpoint)
            previous[one.outpoint] = (output.value, output.script)
        check_spend(raw, previous)
        try:
            await backend.send(raw)
        except ChainRefused as error:
            left = await self._without_spent(watch, anchor)
            await self._anchors.save(left)
            return await self.say(left, error.message)
        return await self.say(anchor, "")

    async def _without_spent(self, watch: Watch, anchor: Anchor) -> Anchor:
        """Refused: an attempt that takes in a deposit which somebody else spent is dead."""
        ours = {one.txid for one in anchor.attempts}
        attempts = []
        for one in anchor.attempts:
            gone = False
            for spend in transaction_of(one.raw).inputs[1:]:
                held = output_of(await self.parent(spend.outpoint.txid), spend.outpoint)
                gone = gone or bool(await watch.thief(spend.outpoint, held, ours))
            attempts.append(msgspec.structs.replace(one, dead=one.dead or gone))
        return msgspec.structs.replace(anchor, attempts=tuple(attempts))

    async def say(self, anchor: Anchor, says: str) -> Anchor:
        """Write down why an anchor waits."""
        said = msgspec.structs.replace(anchor, says=says)
        if said != anchor:
            await self._anchors.save(said)
        return said

    async def parent(self, txid: str) -> bytes:
        """A transaction that one of ours spends from; raises StoreCorrupt."""
        raw = await self._anchors.parent(txid)
        if raw is None:
            raise StoreCorrupt(f"the transaction {txid} of an anchor is not in the store")
        return raw
