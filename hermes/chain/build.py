"""Makes an anchor's transaction: money gathered, laid out, signed by the signer, checked.

Nothing is sent and nothing is kept here. A server's word on money is not taken: what a coin
holds is read from the transaction that made it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from hermes.chain.backend import ChainBackend, Outpoint, Tip
from hermes.chain.coin import Funds, Layout, funds_of, largest, lay_out
from hermes.chain.fees import MONTH_MS, TARGET_BLOCKS, Budget, budget, raised, rate_for
from hermes.chain.passing import refusal
from hermes.chain.psbt import finish, psbt_of
from hermes.chain.scripts import CoinScripts
from hermes.chain.spend import check_spend
from hermes.chain.transaction import outpoint_of, outpoint_text, transaction_of
from hermes.config import Chain
from hermes.core.anchor import payload_of
from hermes.core.clock import Clock
from hermes.errors import ChainLied, NotAvailable
from hermes.identity.claim import SpendClaim
from hermes.store.anchors import Anchor, Anchors, Attempt


class SpendSigner(Protocol):
    """What is asked of the signer (`hermes.identity.agent.Agent`)."""

    async def sign_psbt(self, psbt: str, claim: SpendClaim) -> str:
        """Sign what the claim explains; raises Refused with a reason."""
        ...


class Ask(msgspec.Struct, frozen=True):
    """What a person says with `anchor now`: a fee rate (0: the network's), a fingerprint."""

    rate: float = 0.0
    fingerprint: str = ""


class Made(msgspec.Struct, frozen=True):
    """A signed transaction and the transactions that it spends from."""

    attempt: Attempt
    parents: dict[str, bytes]


class Builder:
    """Builds for one identity."""

    def __init__(
        self,
        caps: Chain,
        anchors: Anchors,
        clock: Clock,
        scripts: CoinScripts,
        signer: Callable[[], Awaitable[SpendSigner]],
    ) -> None:
        self._caps = caps
        self._anchors = anchors
        self._clock = clock
        self._scripts = scripts
        self._signer = signer

    async def build(
        self, backend: ChainBackend, anchor: Anchor, lineage: str, tip: Tip, ask: Ask
    ) -> Made:
        """A transaction for the anchor; one that lives already is replaced by a dearer one.

        Raises NotAvailable (money), TooDear (caps), ChainError, and what the signer raises.
        """
        old = anchor.alive[-1] if anchor.alive else None
        coin = old.coin if old else lineage
        caps = await self._budget(coin)
        asked = ask.rate or await backend.fee_rate(TARGET_BLOCKS)
        rate = raised(old.fee, old.size, asked, caps) if old else rate_for(asked, caps)
        layout = await self._lay_out(backend, anchor, coin, rate, caps)
        return await self._sign(anchor, layout, tip, ask)

    async def deposits(
        self, backend: ChainBackend, beside: frozenset[Outpoint] = frozenset()
    ) -> tuple[Funds, ...]:
        """The largest confirmed deposits, each read from the transaction that made it."""
        # The coin itself lies at the same script when there is no recovery key.
        told = await backend.coins(self._scripts.deposit)
        mine = [one for one in largest(told) if one not in beside]
        found = [await self._funds(backend, outpoint) for outpoint in mine]
        return tuple(one for one in found if one.script == self._scripts.deposit)

    async def _budget(self, coin: str) -> Budget:
        spent = await self._anchors.spent_since(self._clock.now_ms() - MONTH_MS)
        return budget(self._caps, spent, coin)

    async def _lay_out(
        self, backend: ChainBackend, anchor: Anchor, coin: str, rate: float, caps: Budget
    ) -> Layout:
        payload = payload_of(anchor.payload)
        first = await self._own(backend, coin) if coin else None
        kept = await self._kept(backend, anchor)
        if first is not None:
            try:
                return lay_out(first, kept, payload, self._scripts, rate, caps)
            except NotAvailable:  # the coin has run low: deposits are looked for
                pass
        outpoints = {one.outpoint for one in kept} | {outpoint_of(coin) for _ in coin[:1]}
        found = await self.deposits(backend, frozenset(outpoints))
        return lay_out(first, (*kept, *found), payload, self._scripts, rate, caps)

    async def _own(self, backend: ChainBackend, coin: str) -> Funds:
        funds = await self._funds(backend, outpoint_of(coin))
        if funds.script not in {self._scripts.coin, self._scripts.deposit}:
            raise refusal()
        return funds

    async def _kept(self, backend: ChainBackend, anchor: Anchor) -> Sequence[Funds]:
        """What the attempt to be replaced spends beside the coin."""
        if not anchor.alive:
            return ()
        inputs = transaction_of(anchor.alive[-1].raw).inputs[1:]
        return [await self._funds(backend, one.outpoint) for one in inputs]

    async def _funds(self, backend: ChainBackend, outpoint: Outpoint) -> Funds:
        raw = await self._anchors.parent(outpoint.txid)
        if raw is None:
            raw = await backend.transaction(outpoint.txid)
        if raw is None:
            raise ChainLied(f"{backend.name} tells of a coin that it does not have")
        try:
            return funds_of(raw, outpoint)
        except ValueError as error:
            raise ChainLied(f"{backend.name}: {error}") from error

    async def _sign(self, anchor: Anchor, layout: Layout, tip: Tip, ask: Ask) -> Made:
        coin = outpoint_text(layout.inputs[0].outpoint)
        claim = SpendClaim(
            kind="anchor",
            payload=anchor.payload.hex(),
            coin=coin,
            checkpoint=anchor.note,
            fingerprint=ask.fingerprint,
        )
        asked = psbt_of(layout, (self._scripts,))
        signer = await self._signer()
        raw = finish(asked, await signer.sign_psbt(asked, claim), self._scripts)
        found = check_spend(raw, layout.previous)
        made = Attempt(
            txid=found.txid,
            coin=coin,
            raw=raw,
            fee=layout.fee,
            size=found.size,
            at=self._clock.now_ms(),
            height=tip.height,
        )
        return Made(made, {one.outpoint.txid: one.raw for one in layout.inputs})
