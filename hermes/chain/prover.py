"""Makes a proof bundle from what the store keeps: its log, its notes, its anchors.

The earliest block that holds an entry proves the most. Every bundle is checked as a stranger
would before it is handed out.
"""

from collections.abc import Sequence

from hermes.chain.anchored import payload_of_anchor, read
from hermes.chain.bundle import Anchored, Bundle
from hermes.chain.offline import Verified, verify_bundle
from hermes.chain.transaction import Transaction
from hermes.core.anchor import AnchorKind, Payload
from hermes.core.canonical import link
from hermes.core.checkpoint import Checkpoint, checkpoint_in, note_of
from hermes.errors import ChainError, NotAvailable, ProofInvalid
from hermes.store.anchors import Anchor
from hermes.store.naming import Named
from hermes.store.store import Store

_DIGEST = 32
_OF_A_LOG = frozenset({AnchorKind.CHECKPOINT, AnchorKind.HANDOFF})
_BURIED = frozenset({"mined", "settled", "final"})


class Prover:
    """Proofs of one store's entries; `genesis` is the block of its identity's record."""

    def __init__(self, store: Store, genesis: bytes) -> None:
        self._store = store
        self._genesis = genesis

    async def prove(self, block: Named, *, show: bool) -> tuple[bytes, Verified]:
        """A bundle for one block of the log, and what it proves; `show`: its content goes along.

        Raises NotAvailable when no mined anchor holds it yet, ChainError when a transaction
        that the proof needs is not kept here.
        """
        index = await self._store.log.index_of(block.cid)
        anchor, checkpoint = await self._anchor(index)
        mined = anchor.mined
        if mined is None:
            raise ChainError(f"the transaction of anchor {anchor.id} is not kept here")
        transaction = read(mined.raw)
        parents = [await self._parent(one.outpoint.txid) for one in transaction.inputs]
        lineage, before = await self._lineage(parents[0])
        earlier = await self._earlier(before)
        size = checkpoint.size
        bundle = Bundle(
            genesis=self._genesis,
            leaf=link(block.cid),
            index=index,
            inclusion=await self._store.log.inclusion(index, size),
            checkpoint=Anchored(size, checkpoint.root),
            signature=_signature(anchor.note, checkpoint.origin),
            transaction=mined.raw,
            spent=tuple(one.stripped for one in parents),
            lineage=tuple(one.stripped for one in lineage),
            header=anchor.header,
            position=anchor.position,
            branch=_split(anchor.branch),
            earlier=earlier,
            consistency=await self._store.log.consistency(earlier.size, size) if earlier else (),
            message=block.data if show and block.data is not None else b"",
        )
        data = bundle.encode()
        return data, verify_bundle(data, anchor.block)

    async def _anchor(self, index: int) -> tuple[Anchor, Checkpoint]:
        """The lowest anchor in a block whose log holds the leaf."""
        found = [
            (one, checkpoint)
            for one in await self._store.anchors.list()
            if one.kind in _OF_A_LOG and one.note and one.state in _BURIED
            if index < (checkpoint := checkpoint_in(one.note)).size
        ]
        if not found:
            raise NotAvailable(
                "as far as is known, no block holds this entry yet",
                "run: hermes anchor now --wait mined",
            )
        return min(found, key=lambda one: (one[0].height, one[1].size))

    async def _parent(self, txid: str) -> Transaction:
        raw = await self._store.anchors.parent(txid)
        if raw is None:
            raise ChainError(f"the transaction {txid} that an anchor spends is not kept here")
        return read(raw)

    async def _lineage(self, parent: Transaction) -> tuple[Sequence[Transaction], Payload]:
        """From behind the parent back over batches to the anchor before, and what that says."""
        lineage: list[Transaction] = []
        child, payload = parent, payload_of_anchor(parent)
        while payload.kind is AnchorKind.BATCH:
            child = await self._parent(child.inputs[0].outpoint.txid)
            lineage.append(child)
            payload = payload_of_anchor(child)
        return lineage, payload

    async def _earlier(self, before: Payload) -> Anchored | None:
        if before.kind is not AnchorKind.CHECKPOINT:
            return None
        for one in await self._store.anchors.with_payload(before.encode()):
            if one.note:
                checkpoint = checkpoint_in(one.note)
                return Anchored(checkpoint.size, checkpoint.root)
        raise ChainError("the checkpoint of the anchor before this one is not kept here")


def _signature(note: str, origin: str) -> bytes:
    """The log's own signature; witnesses' lines are not part of a bundle."""
    for one in note_of(note).signatures:
        if one.name == origin:
            return one.signature
    raise ProofInvalid("the anchored checkpoint does not bear its log's signature")


def _split(branch: bytes) -> tuple[bytes, ...]:
    return tuple(branch[i : i + _DIGEST] for i in range(0, len(branch), _DIGEST))
