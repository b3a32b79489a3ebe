"""What every succession does with the chain: money found, the coin looked at, a spend sent.

A transaction is written down before it is sent, so that the node that watches the coin knows
it; one that the network refuses is written off again.
"""

from collections.abc import Sequence

import msgspec

from hermes.chain.backend import ChainBackend, Outpoint
from hermes.chain.coin import Funds, funds_of
from hermes.chain.fees import MONTH_MS, TARGET_BLOCKS, budget, rate_for
from hermes.chain.handoff_layout import Cost
from hermes.chain.transaction import outpoint_text, transaction_of
from hermes.config import Chain
from hermes.core.anchor import Payload
from hermes.core.clock import Clock
from hermes.core.ids import uuid7
from hermes.errors import ChainLied, ChainRefused, CoinGone, Refused
from hermes.identity.spend import Spend
from hermes.store.anchors import Anchor, AnchorId, Anchors, Attempt

_UNDER_WAY = frozenset({"draft", "sent", "seen"})
_GONE = "a replayed handoff, a twin of this instance, or a stolen key: find out which"


class Takeover:
    """One node's side: its anchors, what it may pay."""

    def __init__(self, caps: Chain, anchors: Anchors, clock: Clock) -> None:
        self._caps = caps
        self._anchors = anchors
        self._clock = clock

    async def cost(self, backend: ChainBackend, rate: float, coin: Outpoint) -> Cost:
        """What may be paid; `rate` 0: what the network asks. Raises TooDear."""
        spent = await self._anchors.spent_since(self._clock.now_ms() - MONTH_MS)
        caps = budget(self._caps, spent, outpoint_text(coin))
        return Cost(rate_for(rate or await backend.fee_rate(TARGET_BLOCKS), caps), caps)

    async def funds(self, backend: ChainBackend, outpoint: Outpoint) -> Funds:
        """A coin, read from the transaction that made it; raises ChainLied."""
        raw = await backend.transaction(outpoint.txid)
        try:
            return funds_of(raw or b"", outpoint)
        except ValueError as error:
            raise ChainLied(f"{backend.name} does not have {outpoint.txid}: {error}") from error

    async def deposits(self, backend: ChainBackend, script: bytes) -> tuple[Funds, ...]:
        """The confirmed coins of a script, the smallest first."""
        told = [one.outpoint for one in await backend.coins(script) if one.height]
        found = [await self.funds(backend, outpoint) for outpoint in told]
        ours = [one for one in found if one.script == script]
        return tuple(sorted(ours, key=lambda one: (one.value, one.outpoint)))

    async def refuse_spent(
        self, backend: ChainBackend, coin: Outpoint, script: bytes, by: str = ""
    ) -> bool:
        """Raise CoinGone when another transaction than `by` spends the coin; whether `by` does."""
        spender = await backend.spender(coin, script)
        if spender is not None and spender != by:
            raise CoinGone(f"the coin {outpoint_text(coin)} is spent already, in {spender}", _GONE)
        return spender is not None

    async def refuse_under_way(self) -> None:
        """Raise Refused while an anchor waits for its block."""
        if any(one.state in _UNDER_WAY for one in await self._anchors.open()):
            raise Refused("an anchor is under way", "run: hermes anchor now --wait mined")

    async def refuse_own_coin(self, but: str = "") -> None:
        """Raise Refused when this instance has a line of its own; `but`: the takeover itself."""
        for one in await self._anchors.list():
            if one.state != "lost" and but not in {made.txid for made in one.attempts}:
                raise Refused(
                    "this instance has anchored on its own: two coins would be two lines",
                    "an heir begins without an anchor: hermes identity init",
                )

    async def send(
        self, backend: ChainBackend, raw: bytes, spend: Spend, payload: Payload, note: str = ""
    ) -> Anchor:
        """Write it down and send it; raises ChainRefused, and then it is written off.

        `note` is the signed checkpoint, where the payload is of one.
        """
        found = transaction_of(raw)
        tip = await backend.tip()
        made = Attempt(
            txid=found.txid,
            coin=spend.inputs[0].coin,
            raw=raw,
            fee=spend.fee,
            size=found.size,
            at=self._clock.now_ms(),
            height=tip.height,
        )
        anchor = await self._adopt(made, payload, _parents(spend), note)
        try:
            await backend.send(raw)
        except ChainRefused as error:
            if await backend.height_of(found.txid, found.outputs[1].script) is None:
                lost = msgspec.structs.replace(anchor, state="lost", says=error.message)
                await self._anchors.save(lost)
                raise
        return anchor

    async def _adopt(
        self, made: Attempt, payload: Payload, parents: dict[str, bytes], note: str
    ) -> Anchor:
        for one in await self._anchors.with_payload(payload.encode()):
            if made.txid in {tried.txid for tried in one.attempts}:
                again = one if one.state != "lost" else msgspec.structs.replace(one, state="sent")
                await self._anchors.save(again)
                return again
        anchor = Anchor(
            id=AnchorId(uuid7()),
            kind=payload.kind,
            payload=payload.encode(),
            note=note,
            state="sent",
            at=self._clock.now_ms(),
            attempts=(made,),
        )
        await self._anchors.adopt(anchor, parents)
        return anchor


def _parents(spend: Spend) -> dict[str, bytes]:
    inputs: Sequence[str] = [one.coin.partition(":")[0] for one in spend.inputs]
    return {txid: spend.previous(index) for index, txid in enumerate(inputs)}
