"""A handoff as the watch over anchors meets it: the coin's spend that both sides signed.

Whichever side sends it first, on the other node it looks like a stranger's spend, unless it is
recognised by the record that this identity signed.
"""

from msgspec.structs import replace

from hermes.chain.backend import ChainBackend, Txid
from hermes.chain.discover import fetch
from hermes.chain.payloads import handoff_payload
from hermes.chain.scripts import CoinScripts, payload_in
from hermes.chain.transaction import outpoint_text, output_of, transaction_of
from hermes.core.anchor import AnchorKind, Payload
from hermes.core.attestation import attestation_of
from hermes.core.clock import Clock
from hermes.core.ids import uuid7
from hermes.errors import Refused
from hermes.identity.attest import Genesis
from hermes.identity.statements import HANDOFF
from hermes.store.acts import Acts
from hermes.store.anchors import Anchor, AnchorId, Anchors, Attempt

HANDED_OVER = "the continuity coin was handed over: this identity anchors no more"
_UNDER_WAY = frozenset({"draft", "sent", "seen"})


class Passings:
    """The handoffs of one identity's coin."""

    def __init__(self, anchors: Anchors, acts: Acts, clock: Clock, genesis: Genesis) -> None:
        self._anchors = anchors
        self._acts = acts
        self._clock = clock
        self._genesis = genesis

    async def take_up(self, backend: ChainBackend, spender: str) -> bool:
        """Keep a spend of the coin that is a handoff which this identity signed; else False.

        What was still to be anchored is lost with it.
        """
        raw = await fetch(backend, Txid(spender))
        payload = payload_in(transaction_of(raw).outputs[0].script)
        if payload is None or not await self._signed(payload):
            return False
        found = transaction_of(raw)
        ids = dict.fromkeys(one.outpoint.txid for one in found.inputs)
        parents = {str(txid): await fetch(backend, txid) for txid in ids}
        held = [output_of(parents[one.outpoint.txid], one.outpoint) for one in found.inputs]
        fee = sum(one.value for one in held) - sum(one.value for one in found.outputs)
        coin = outpoint_text(found.inputs[0].outpoint)
        made = Attempt(found.txid, coin, raw, fee, found.size, self._clock.now_ms(), 0)
        for one in await self._anchors.open():
            if one.state in _UNDER_WAY:
                await self._anchors.save(replace(one, state="lost", says=HANDED_OVER))
        await keep(self._anchors, self._clock, made, payload, parents)
        return True

    async def _signed(self, payload: Payload) -> bool:
        if payload.kind is not AnchorKind.HANDOFF:
            return False
        records = [attestation_of(act.data) for act in await self._acts.list(HANDOFF)]
        ours = [one for one in records if one.by == self._genesis.attest]
        return payload in map(handoff_payload, ours)


async def keep(
    anchors: Anchors,
    clock: Clock,
    made: Attempt,
    payload: Payload,
    parents: dict[str, bytes],
    note: str = "",
) -> Anchor:
    """Keep a transaction that a handoff or a recovery made; one that is there lives again.

    `note` is the signed checkpoint, where the payload is of one.
    """
    for one in await anchors.with_payload(payload.encode()):
        if made.txid in {tried.txid for tried in one.attempts}:
            again = replace(one, state="sent") if one.state == "lost" else one
            await anchors.save(again)
            return again
    anchor = Anchor(
        id=AnchorId(uuid7()),
        kind=payload.kind,
        payload=payload.encode(),
        note=note,
        state="sent",
        at=clock.now_ms(),
        attempts=(made,),
    )
    await anchors.adopt(anchor, parents)
    return anchor


async def handed_over(anchors: Anchors, own: CoinScripts) -> bool:
    """Whether a handoff took the coin to another identity."""
    for one in await anchors.of_kind(AnchorKind.HANDOFF):
        if one.state != "lost" and one.attempts:
            taken = transaction_of(one.attempts[-1].raw).outputs[1].script
            if taken not in {own.coin, own.deposit}:
                return True
    return False


def refusal() -> Refused:
    """What is said to who would spend it still."""
    return Refused(HANDED_OVER, "its successor goes on; see: hermes trust show")
