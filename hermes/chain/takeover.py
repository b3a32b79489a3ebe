"""What every succession does with the chain: money found, the coin looked at, a spend sent.

A transaction is written down before it is sent, so that the node that watches the coin knows
it; one that the network refuses is written off again.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from hermes.chain.backend import ChainBackend, Outpoint
from hermes.chain.coin import Funds, funds_of, largest
from hermes.chain.fees import MONTH_MS, TARGET_BLOCKS, budget, rate_for
from hermes.chain.handoff_layout import Cost
from hermes.chain.passing import handed_over, keep, refusal
from hermes.chain.scripts import CoinScripts
from hermes.chain.transaction import outpoint_text, transaction_of
from hermes.config import Chain
from hermes.core.anchor import Payload
from hermes.core.clock import Clock
from hermes.errors import ChainLied, ChainRefused, CoinGone, Refused
from hermes.identity.spend import Spend
from hermes.store.anchors import Anchor, Anchors, Attempt

_UNDER_WAY = frozenset({"draft", "sent", "seen"})
_GONE = (
    "an anchor since the offer was made (then: offer again), another handoff, a twin of this"
    " instance, or a stolen key: find out which"
)


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
        """The largest confirmed coins of a script, the smallest of them first."""
        told = largest(await backend.coins(script))
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

    async def refuse_bound(self, own: CoinScripts) -> None:
        """Raise Refused while an anchor waits for its block, or once the coin is another's."""
        if await handed_over(self._anchors, own):
            raise refusal()
        if any(one.state in _UNDER_WAY for one in await self._anchors.open()):
            raise Refused("an anchor is under way", "run: hermes anchor now --wait mined")

    async def refuse_own_coin(self, but: str = "") -> None:
        """Raise Refused when this instance has a line of its own; `but`: the takeover itself."""
        begun = [one for one in await self._anchors.list() if one.state != "lost"]
        # What comes after the takeover spends its coin.
        if begun and but not in {made.txid for made in begun[0].attempts}:
            raise Refused(
                "this instance has anchored on its own: two coins would be two lines",
                "an heir begins without an anchor: hermes identity init",
            )

    async def send(
        self,
        backend: ChainBackend,
        raw: bytes,
        spend: Spend,
        payload: Payload,
        keep_more: Callable[[], Awaitable[None]] | None = None,
        note: str = "",
    ) -> Anchor:
        """Write it down and send it; raises ChainRefused, and then it is written off.

        Args:
            backend: where to.
            raw: the transaction.
            spend: what it spends.
            payload: what it commits to.
            keep_more: writes down what else must not be lost once it is sent.
            note: the signed checkpoint, where the payload is of one.
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
        anchor = await keep(self._anchors, self._clock, made, payload, _parents(spend), note)
        if keep_more:
            await keep_more()
        try:
            await backend.send(raw)
        except ChainRefused as error:
            if await backend.height_of(found.txid, found.outputs[1].script) is None:
                lost = msgspec.structs.replace(anchor, state="lost", says=error.message)
                await self._anchors.save(lost)
                raise
        return anchor


def _parents(spend: Spend) -> dict[str, bytes]:
    inputs: Sequence[str] = [one.coin.partition(":")[0] for one in spend.inputs]
    return {txid: spend.previous(index) for index, txid in enumerate(inputs)}
