"""Finds an identity's anchors in the chain again, after the store that knew them was lost.

Walks from the unspent continuity coin back to the GENESIS anchor of this very record, or to the
handoff that this identity's key signed as well; each link is checked by its signature, so that
only the coin key could have made it. A coin that was stolen or handed over meanwhile leaves
nothing unspent and is not found; nor is one that a recovery key brought, where nothing is ours.
"""

from collections.abc import Mapping

import msgspec

from hermes.chain.backend import ChainBackend, Coin, Outpoint, Txid
from hermes.chain.payloads import genesis_payload
from hermes.chain.scripts import CoinScripts, payload_in
from hermes.chain.spend import check_signed
from hermes.chain.transaction import Transaction, outpoint_text, output_of, transaction_of
from hermes.chain.watch import COIN_OUTPUT
from hermes.core.anchor import AnchorKind, Payload
from hermes.core.ids import uuid7
from hermes.errors import ChainLied, CoinGone, ProofInvalid
from hermes.identity.attest import Genesis
from hermes.store.anchors import Anchor, AnchorId, Attempt

_STARTS = {AnchorKind.GENESIS, AnchorKind.HANDOFF}
_LONGEST = 100_000


class Link(msgspec.Struct, frozen=True):
    """One anchor of the lineage, and the transactions that it spends from."""

    raw: bytes
    transaction: Transaction
    payload: Payload
    parents: Mapping[Txid, bytes]

    def anchor(self) -> Anchor:
        """The link as the store keeps it, to be looked at anew."""
        spent = {
            one.outpoint: output_of(self.parents[one.outpoint.txid], one.outpoint).value
            for one in self.transaction.inputs
        }
        fee = sum(spent.values()) - sum(one.value for one in self.transaction.outputs)
        coin = outpoint_text(self.transaction.inputs[0].outpoint)
        made = Attempt(self.transaction.txid, coin, self.raw, fee, self.transaction.size, 0, 0)
        return Anchor(
            id=AnchorId(uuid7()),
            kind=self.payload.kind,
            payload=self.payload.encode(),
            state="sent",
            attempts=(made,),
        )


async def discover(
    backend: ChainBackend, genesis: Genesis, scripts: CoinScripts
) -> tuple[Link, ...]:
    """The lineage from its first anchor on; empty when there is none. Raises ChainError.

    CoinGone when there are two: the key was used twice.
    """
    coins = await backend.coins(scripts.coin)
    found = [await _line(backend, coin, genesis, scripts) for coin in coins]
    lines = [line for line in found if line]
    if len(lines) > 1:
        tips = ", ".join(line[-1].transaction.txid for line in lines)
        raise CoinGone(
            f"two lineages of this identity stand in the chain: {tips}",
            "a twin of this instance, or a stolen key: find out which before anything is anchored",
        )
    return lines[0] if lines else ()


async def _line(
    backend: ChainBackend, coin: Coin, genesis: Genesis, scripts: CoinScripts
) -> tuple[Link, ...]:
    """The links from the beginning to this coin; empty when it is a deposit."""
    found: list[Link] = []
    outpoint = coin.outpoint
    while len(found) < _LONGEST:
        link = await _link(backend, outpoint, scripts)
        if link is None:
            return ()
        found.append(link)
        if link.payload.kind in _STARTS:
            own = genesis_payload(genesis)
            if link.payload.kind is AnchorKind.GENESIS and link.payload != own:
                return ()
            return tuple(reversed(found))
        outpoint = link.transaction.inputs[0].outpoint
    raise ChainLied(f"{backend.name} shows an endless lineage")


async def _link(backend: ChainBackend, outpoint: Outpoint, scripts: CoinScripts) -> Link | None:
    """An anchor by the coin that it made; None when the coin is not an anchor's."""
    if outpoint.index != COIN_OUTPUT:
        return None
    raw = await fetch(backend, outpoint.txid)
    transaction = transaction_of(raw)
    payload = payload_in(transaction.outputs[0].script)
    if payload is None or len(transaction.outputs) <= COIN_OUTPUT:
        return None
    if transaction.outputs[COIN_OUTPUT].script != scripts.coin:
        return None
    ids = dict.fromkeys(one.outpoint.txid for one in transaction.inputs)
    parents = {txid: await fetch(backend, txid) for txid in ids}
    points = [one.outpoint for one in transaction.inputs]
    try:
        spent = [output_of(parents[point.txid], point) for point in points]
        # Whoever likes pays to our script: what counts is signed by our key, the coin's input, in
        # a handoff the stake's.
        which = range(1, len(spent)) if payload.kind is AnchorKind.HANDOFF else range(1)
        ours = [at for at in which if spent[at].script in {scripts.coin, scripts.deposit}]
        if not ours:
            return None
        check_signed(raw, ours[0], spent[ours[0]])
    except (ValueError, ProofInvalid) as error:
        raise ChainLied(f"{backend.name} shows a forged anchor: {error}") from error
    return Link(raw, transaction, payload, parents)


async def fetch(backend: ChainBackend, txid: Txid) -> bytes:
    """A transaction that the server named, by its id; raises ChainLied."""
    raw = await backend.transaction(txid)
    if raw is None:
        raise ChainLied(f"{backend.name} names {txid} and does not have it")
    try:
        same = transaction_of(raw).txid == txid
    except ValueError as error:
        raise ChainLied(f"{backend.name}: {error}") from error
    if not same:
        raise ChainLied(f"{backend.name} sent another transaction than {txid}")
    return raw
