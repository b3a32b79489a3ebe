"""A handoff between two nodes, step by step: stake, offer, accept, finish. Only files go between.

Each step checks all of what came, whoever sent it, before its signer is asked; before anything
is sent the chain is asked whether the coin is still there.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import anyio.to_thread
import msgspec

from hermes.chain.addresses import address_of
from hermes.chain.backend import ChainBackend
from hermes.chain.coin import Funds
from hermes.chain.connect import open_backend
from hermes.chain.handoff import (
    Done,
    Passing,
    check_answer,
    check_exchange,
    check_offer,
    claim_for,
)
from hermes.chain.handoff_layout import lay_out_handoff, lay_out_stake
from hermes.chain.handoff_wire import ANSWER, OFFER, Exchange, exchange_of, packed
from hermes.chain.heritage import Heritage
from hermes.chain.lineage import check_heir, walk
from hermes.chain.payloads import checkpoint_payload, handoff_payload
from hermes.chain.psbt import psbt_of, put_together
from hermes.chain.scripts import scripts_of
from hermes.chain.spend import check_spend
from hermes.chain.takeover import Takeover
from hermes.chain.transaction import outpoint_text, txid_of
from hermes.chain.walk import Walk
from hermes.config import Settings
from hermes.core.checkpoint import note_of
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.errors import NotAvailable, ProofInvalid, Refused
from hermes.identity.agent import Agent
from hermes.identity.attest import GENESIS, Genesis
from hermes.identity.claim import SpendClaim
from hermes.identity.genesis import genesis_of, load_genesis
from hermes.identity.spend import read_spend
from hermes.identity.spending import STAKE
from hermes.identity.statements import ACCEPTED, HANDOFF
from hermes.store.store import Store


class Succession:
    """One node's part in handoffs.

    Args:
        settings: which chain, which caps, where the lineage lies.
        store: anchors and acts.
        clock: the time.
        agent: the unlocked signer.
        checkpoint: signs the log as it is now and gives the note.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        agent: Callable[[], Awaitable[Agent]],
        checkpoint: Callable[[], Awaitable[str]],
    ) -> None:
        self.genesis: Genesis = load_genesis(settings.data_dir / "identity")
        self.heritage = Heritage(settings.data_dir, store.anchors, store.acts, self.genesis)
        self.takeover = Takeover(settings.chain, store.anchors, clock)
        self.caps = settings.chain
        self._store = store
        self._clock = clock
        self.agent = agent
        self._checkpoint = checkpoint
        self.turn = store.anchors.turn

    def connect(self) -> AbstractAsyncContextManager[ChainBackend]:
        """The server that the settings name; raises NotAvailable, WrongNetwork, ChainError."""
        return open_backend(self.caps.backend, self.caps.network)

    async def stake(self, to: bytes, rate: float = 0.0, fingerprint: str = "") -> Json:
        """Anchor the log, and pay the successor the coin that it will sign with."""
        async with self.turn:
            return await self._pay_stake(to, rate, fingerprint)

    async def _pay_stake(self, to: bytes, rate: float, fingerprint: str) -> Json:
        at = await self._standing()
        new = self._heir(to)
        assert at.coin is not None
        if new.parent != self.genesis.cid:
            address = address_of(scripts_of(new).deposit, self.caps.network)
            raise Refused(
                "the successor's genesis record does not name this instance as its parent",
                f"pay {STAKE} sat to {address} from any wallet",
            )
        async with self.connect() as backend:
            coin = await self.takeover.funds(backend, at.coin)
            cost = await self.takeover.cost(backend, rate, at.coin)
            note = await self._checkpoint()
            payload = checkpoint_payload(note)
            layout = lay_out_stake(coin, payload, scripts_of(self.genesis), new, cost)
            claim = SpendClaim(
                kind="anchor",
                payload=payload.encode().hex(),
                coin=outpoint_text(at.coin),
                checkpoint=note,
                fingerprint=fingerprint,
                successor=to.hex(),
            )
            own = (scripts_of(self.genesis),)
            agent = await self.agent()
            spend = read_spend(await agent.sign_psbt(psbt_of(layout, own), claim))
            raw = put_together(spend, own)
            check_spend(raw, layout.previous)
            anchor = await self.takeover.send(backend, raw, spend, payload, note=note)
        return {"id": anchor.id, "txid": txid_of(raw), "sat": STAKE, "fee": layout.fee}

    async def offer(
        self, to: bytes, verdict: str = "", rate: float = 0.0, fingerprint: str = ""
    ) -> bytes:
        """The old side: record and transaction, signed by this instance."""
        at = await self._standing()
        new = self._heir(to)
        assert at.coin is not None
        own = scripts_of(self.genesis)
        async with self.connect() as backend:
            await self.takeover.refuse_spent(backend, at.coin, own.coin)
            stake = await self._stake_of(backend, new)
            coin = await self.takeover.funds(backend, at.coin)
            cost = await self.takeover.cost(backend, rate, at.coin)
        note = await self._checkpoint()
        if not note:
            raise NotAvailable("the log is empty: there is nothing to hand over")
        agent = await self.agent()
        record = await agent.attest(
            HANDOFF,
            {
                "old": self.genesis.cid,
                "new": new.cid,
                "soul": new.soul,
                "verdict": verdict,
                "checkpoint": note_of(note).text,
            },
        )
        layout = lay_out_handoff(coin, stake, self.genesis, new, record, cost)
        exchange = Exchange(
            t=OFFER,
            old=self.genesis.record.block().data.hex(),
            new=to.hex(),
            record=record.block().data.hex(),
            psbt=psbt_of(layout, (own, scripts_of(new))),
            lineage=packed(await self.heritage.lineage()),
        )
        claim = claim_for(exchange, record, outpoint_text(at.coin), "old", fingerprint)
        signed = msgspec.structs.replace(exchange, psbt=await agent.sign_psbt(exchange.psbt, claim))
        await _apart(check_exchange, signed, self.caps)
        await self._store.acts.add(HANDOFF, new.cid, record.block())
        return signed.encode()

    async def accept(self, data: bytes, fingerprint: str = "") -> bytes:
        """The new side: check everything, take the office, sign the transaction."""
        exchange = exchange_of(data)
        passing: Passing = await _apart(check_offer, exchange, self.genesis, self.caps)
        await self.takeover.refuse_own_coin(but=txid_of(passing.spend.unsigned()))
        if self.caps.backend:
            async with self.connect() as backend:
                script = scripts_of(passing.old).coin
                await self.takeover.refuse_spent(backend, passing.coin, script)
        agent = await self.agent()
        claim = claim_for(exchange, passing.record, outpoint_text(passing.coin), "new", fingerprint)
        psbt = await agent.sign_psbt(exchange.psbt, claim)
        accepted = await agent.attest(ACCEPTED, {"handoff": passing.record.block().cid})
        answer = msgspec.structs.replace(
            exchange, t=ANSWER, psbt=psbt, accepted=accepted.block().data.hex()
        )
        done: Done = await _apart(check_answer, answer, self.caps)
        await self._keep(done)  # the other side may send it, and never come back to us
        return answer.encode()

    async def finish(self, data: bytes) -> Json:
        """Either side: check everything again, send the transaction, keep the lineage."""
        done: Done = await _apart(check_answer, exchange_of(data), self.caps)
        passing, txid = done.passing, txid_of(done.raw)
        if self.genesis.cid not in {passing.old.cid, passing.new.cid}:
            raise ProofInvalid("the handoff is between two other instances")
        if self.genesis.cid == passing.new.cid:
            await self.takeover.refuse_own_coin(but=txid)
        async with self.connect() as backend, self.turn:
            script = scripts_of(passing.old).coin
            await self.takeover.refuse_spent(backend, passing.coin, script, by=txid)
            payload, keep = handoff_payload(passing.record), partial(self._keep, done)
            anchor = await self.takeover.send(backend, done.raw, passing.spend, payload, keep)
        told: dict[str, Json] = {"id": anchor.id, "txid": txid, "fee": passing.spend.fee}
        return told | {"old": passing.old.cid, "new": passing.new.cid}

    async def standing(self) -> Walk:
        """The walk to the present instance; raises ProofInvalid."""
        lineage = await self.heritage.lineage()
        return await anyio.to_thread.run_sync(walk, lineage)

    async def _standing(self) -> Walk:
        await self.takeover.refuse_bound(scripts_of(self.genesis))
        found = await self.standing()
        if found.coin is None:
            raise NotAvailable("no anchor is in a block yet", "run: hermes anchor now")
        return found

    def _heir(self, block: bytes) -> Genesis:
        new = genesis_of(block)
        check_heir(self.genesis, new)
        return new

    async def _stake_of(self, backend: ChainBackend, new: Genesis) -> Funds:
        script = scripts_of(new).deposit
        found = await self.takeover.deposits(backend, script)
        if not found:
            address = address_of(script, self.caps.network)
            raise NotAvailable(
                "the successor has no coin in a block that it could sign with",
                f"hermes anchor handoff stake --to FILE, or pay {STAKE} sat to {address}",
            )
        return found[0]

    async def _keep(self, done: Done) -> None:
        """The records become acts of this node's log, the lineage its file."""
        acts, passing = self._store.acts, done.passing
        for genesis in (passing.old, passing.new):
            await acts.add(GENESIS, genesis.cid, genesis.record.block())
        await acts.add(HANDOFF, passing.new.cid, passing.record.block())
        await acts.add(ACCEPTED, passing.record.block().cid, done.accepted.block())
        await self.heritage.save(done.lineage)


async def _apart(act: Callable[..., object], *args: object) -> Json:
    """Signatures by the thousand are checked in a thread."""
    return await anyio.to_thread.run_sync(partial(act, *args))
