"""Recovery step by step, on the heir's node: follow the coin, build, have it signed, send.

The predecessor's lineage may be older than its death: the moves that it made since are taken
from the chain, each checked by its signature.
"""

from functools import partial

import anyio.to_thread
import msgspec

from hermes.chain.backend import ChainBackend, Outpoint
from hermes.chain.discover import Link as Move
from hermes.chain.discover import discover
from hermes.chain.handoff_layout import lay_out_recovery
from hermes.chain.lineage import COIN_OUTPUT, walk
from hermes.chain.lineage_wire import Lineage, Link, lineage_of
from hermes.chain.payloads import genesis_payload
from hermes.chain.psbt import psbt_of
from hermes.chain.recovery import Recovered, check_recoverable, check_recovered
from hermes.chain.scripts import scripts_of
from hermes.chain.succession import Succession
from hermes.chain.transaction import outpoint_text, output_of, transaction_of, txid_of
from hermes.core.event import Json
from hermes.errors import ChainLied, ChainRefused
from hermes.identity.attest import Genesis
from hermes.identity.claim import SpendClaim
from hermes.identity.genesis import genesis_of
from hermes.identity.spend import read_spend

_MOST_MOVES = 100_000


class Rescue:
    """A recovery to this node's identity; `line` knows its coin, its caps and its signer."""

    def __init__(self, line: Succession) -> None:
        self._line = line

    async def draft(self, record: bytes, rate: float = 0.0, fingerprint: str = "") -> Json:
        """The transaction for the recovery key to sign, and what its process must know.

        `record` is the predecessor's lineage, or its genesis record when it was the first.
        """
        new = self._line.genesis
        await self._line.takeover.refuse_own_coin()
        async with self._line.connect() as backend:
            lineage = await self._follow(backend, record)
            at = await anyio.to_thread.run_sync(walk, lineage)
            old = at.now.genesis
            check_recoverable(old, new)
            assert at.coin is not None
            coin = await self._line.takeover.funds(backend, at.coin)
            deposits = await self._line.takeover.deposits(backend, scripts_of(new).deposit)
            cost = await self._line.takeover.cost(backend, rate, at.coin)
            left = await self._wait(backend, at.coin, old)
        layout = lay_out_recovery(coin, deposits, old, new, cost)
        owners = (scripts_of(old), scripts_of(new))
        psbt = psbt_of(layout, owners, old.recovery_after)
        if len(layout.inputs) > 1:
            claim = self._claim(old, outpoint_text(at.coin), fingerprint)
            psbt = await (await self._line.agent()).sign_psbt(psbt, claim)
        return {
            "psbt": psbt,
            "old": old.record.block().data.hex(),
            "new": new.record.block().data.hex(),
            "fee": layout.fee,
            "blocks_left": left,
        }

    async def finish(self, record: bytes, psbt: str) -> Json:
        """Check what the recovery key signed, send it, keep the lineage."""
        new, caps = self._line.genesis, self._line.caps
        spend = read_spend(psbt)
        await self._line.takeover.refuse_own_coin(but=txid_of(spend.unsigned()))
        async with self._line.connect() as backend, self._line.turn:
            lineage = await self._follow(backend, record, txid_of(spend.unsigned()))
            check = partial(check_recovered, spend, lineage, new, caps)
            found: Recovered = await anyio.to_thread.run_sync(check)
            takeover, heritage = self._line.takeover, self._line.heritage
            at, old = found.coin, found.old
            try:
                payload, keep = genesis_payload(new), partial(heritage.save, found.lineage)
                anchor = await takeover.send(backend, found.raw, spend, payload, keep)
            except ChainRefused as error:
                left = await self._wait(backend, at, old)
                says = f"the recovery key may act in {left} blocks" if left else ""
                raise ChainRefused(error.message, says) from error
        told: dict[str, Json] = {"id": anchor.id, "txid": txid_of(found.raw), "fee": spend.fee}
        return told | {"old": old.cid, "new": new.cid}

    async def _follow(self, backend: ChainBackend, record: bytes, but: str = "") -> Lineage:
        """The lineage with every move that the chain knows beyond it, `but` not this one."""
        lineage = (
            lineage_of(record) if record[:4] == b"HRML" else await self._found(backend, record)
        )
        links = list(lineage.links)
        while links and len(links) < _MOST_MOVES:
            last = transaction_of(links[-1].raw)
            coin = last.outpoint(COIN_OUTPUT)
            spender = await backend.spender(coin, last.outputs[COIN_OUTPUT].script)
            if spender is None or spender == but:
                break
            raw = await backend.transaction(spender)
            links.append(await self._link(backend, raw or b""))
        return msgspec.structs.replace(lineage, links=tuple(links), place=None)

    async def _found(self, backend: ChainBackend, record: bytes) -> Lineage:
        """Where only the first instance's genesis record is left: its coin shows the way back."""
        genesis = genesis_of(record)
        moves = await discover(backend, genesis, scripts_of(genesis))
        if not moves:
            raise ChainLied(
                f"{backend.name} shows no coin of that genesis record",
                "give the predecessor's lineage instead: hermes trust export",
            )
        links = [_as_link(move, first=number == 0) for number, move in enumerate(moves)]
        return Lineage(record, tuple(links))

    async def _link(self, backend: ChainBackend, raw: bytes) -> Link:
        """A move that the lineage does not know, with the values of its deposits."""
        try:
            spends = transaction_of(raw).inputs[1:]
        except ValueError as error:
            raise ChainLied(f"{backend.name} names a spender that it does not have") from error
        funds = [await self._line.takeover.funds(backend, one.outpoint) for one in spends]
        return Link(raw, tuple(one.value for one in funds))

    def _claim(self, old: Genesis, coin: str, fingerprint: str) -> SpendClaim:
        return SpendClaim(
            kind="recover",
            payload=genesis_payload(self._line.genesis).encode().hex(),
            coin=coin,
            fingerprint=fingerprint,
            predecessor=old.record.block().data.hex(),
        )

    async def _wait(self, backend: ChainBackend, coin: Outpoint, old: Genesis) -> int:
        """Blocks until the recovery key may act, as far as the server tells."""
        tip = await backend.tip()
        height = await backend.height_of(coin.txid, scripts_of(old).coin)
        return max(0, (height or tip.height + 1) + old.recovery_after - tip.height - 1)


def _as_link(move: Move, *, first: bool) -> Link:
    spends = move.transaction.inputs[0 if first else 1 :]
    values = [output_of(move.parents[one.outpoint.txid], one.outpoint).value for one in spends]
    return Link(move.raw, tuple(values))
