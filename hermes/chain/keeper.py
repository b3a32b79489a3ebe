"""Keeps one identity's anchors going: looks, decides by `anchors.step`, does it, writes it down.

A transaction is written down before it is sent: killed at any point, the next look goes on with
the very same one. One coin, one open anchor at a time; further drafts wait their turn.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

import msgspec

from hermes.chain.addresses import address_of
from hermes.chain.anchors import Do, step
from hermes.chain.backend import ChainBackend, Tip
from hermes.chain.build import Ask, Builder, SpendSigner
from hermes.chain.connect import open_backend
from hermes.chain.discover import discover
from hermes.chain.fees import TooDear
from hermes.chain.passing import HANDED_OVER, Passings, handed_over, refusal
from hermes.chain.payloads import genesis_payload
from hermes.chain.scripts import scripts_of
from hermes.chain.sending import Sender
from hermes.chain.server import server_of
from hermes.chain.transaction import Output, outpoint_of, output_of
from hermes.chain.watch import COIN_OUTPUT, Watch
from hermes.config import Chain
from hermes.core.anchor import GONE, AnchorKind
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.errors import CoinGone, HermesError
from hermes.identity.attest import Genesis
from hermes.identity.genesis import load_genesis
from hermes.store.acts import Acts
from hermes.store.anchors import Anchor, Anchors

__all__ = ["NOTHING", "Keeper", "coin_after", "load_genesis"]

NOTHING = Ask()
_MINED = {"mined", "settled", "final"}


class Keeper:
    """The anchors of one identity on one node."""

    def __init__(
        self,
        caps: Chain,
        anchors: Anchors,
        acts: Acts,
        clock: Clock,
        genesis: Genesis,
        signer: Callable[[], Awaitable[SpendSigner]],
    ) -> None:
        self.genesis = genesis
        self.scripts = scripts_of(genesis)
        self.builder = Builder(caps, anchors, clock, self.scripts, signer)
        self._caps = caps
        self._anchors = anchors
        self._sender = Sender(anchors)
        self._passings = Passings(anchors, acts, clock, genesis)
        self._turn = anchors.turn
        self._tip: Tip | None = None

    def connect(self) -> AbstractAsyncContextManager[ChainBackend]:
        """The server that the settings name; raises NotAvailable, WrongNetwork, ChainError."""
        return open_backend(self._caps.backend, self._caps.network)

    def asked(self, rate: float, fingerprint: str) -> Ask:
        """What a person said, as `tick` takes it."""
        return Ask(rate, fingerprint)

    def genesis_payload(self) -> bytes:
        """What the first anchor commits to: the genesis record."""
        return genesis_payload(self.genesis).encode()

    async def handed_over(self) -> bool:
        """Whether the coin is another identity's by a handoff."""
        return await handed_over(self._anchors, self.scripts)

    async def refuse_handed_over(self) -> None:
        """Raise Refused once it is."""
        if await self.handed_over():
            raise refusal()

    def facts(self) -> dict[str, Json]:
        """What a person needs to pay to the coin, and which server is asked; no credentials."""
        network, url = self._caps.network, self._caps.backend
        return {
            "genesis": self.genesis.cid,
            "address": address_of(self.scripts.deposit, network),
            "coin_address": address_of(self.scripts.coin, network),
            "server": server_of(url).shown if url else "",
        }

    async def adopt(self, backend: ChainBackend) -> int:
        """Take up a lineage that the store does not know; how many anchors were found."""
        async with self._turn:
            if await self._anchors.newest() is not None:
                return 0
            links = await discover(backend, self.genesis, self.scripts)
            for link in links:
                parents = {str(txid): raw for txid, raw in link.parents.items()}
                await self._anchors.adopt(link.anchor(), parents)
            return len(links)

    async def tick(self, backend: ChainBackend, ask: Ask = NOTHING) -> Tip:
        """Look at every open anchor and do what is due; returns the tip that was looked at.

        What an anchor waits for is written into it. Raises CoinGone, ChainError, and what
        the signer raises.
        """
        async with self._turn:
            if (halt := await self._anchors.halted()) is not None:
                raise CoinGone(halt.says, GONE)
            known = await self._anchors.open()
            last = next((one.id for one in reversed(known) if one.attempts), "")
            watch = Watch(backend, self._caps.network)
            now = _Round(backend, await backend.tip(), ask, last, watch)
            if now.tip != self._tip:
                await now.watch.prepare(known, now.tip)
            before = await self._anchors.newest_final()
            for anchor in known:
                before = await self._go_on(now, anchor, before)
                if not before.attempts or before.state == "lost":
                    self._tip = now.tip
                    return now.tip  # the others wait behind it, or went with it
            await self._guard(now, before)
            self._tip = now.tip
            return now.tip

    async def resume(self, backend: ChainBackend) -> None:
        """Let the alarm go, once nobody else's spend of the coin is there; raises CoinGone."""
        async with self._turn:
            if (halt := await self._anchors.halted()) is None:
                return
            coin = outpoint_of(halt.coin)
            held, ours = await self._held(halt.coin), await self._anchors.spenders(halt.coin)
            thief = await Watch(backend, self._caps.network).thief(coin, held, ours)
            if thief and not await self._passings.take_up(backend, thief):
                raise CoinGone(halt.says, GONE)
            await self._anchors.lift()

    async def _go_on(self, now: "_Round", anchor: Anchor, before: Anchor | None) -> Anchor:
        lineage = coin_after(before)
        ready = before is None or before.state in _MINED
        if anchor.state in _MINED and now.tip == self._tip:
            return anchor  # what this very block buries was looked at
        if not anchor.attempts and await self._handed_over(lineage):
            return await self._left_behind(anchor, before)
        if not anchor.attempts and not ready:
            return anchor
        seen = await now.watch.look(anchor, lineage, now.tip)
        if ready and not seen.mined and not seen.waiting:
            thief = await self._thief(now, anchor, lineage)
            seen = msgspec.structs.replace(seen, thief=thief)
        found, todo = step(anchor, seen, now.tip)
        if Do.ALARM in todo:
            await self._gone(now.backend, found, lineage, seen.thief)
            return await self._anchors.get(anchor.id)
        if found != anchor:
            await self._anchors.save(found)
        for do in todo:
            if do is Do.SEND:
                found = await self._sender.send(now.backend, now.watch, found)
            elif ready if do is Do.BUILD else now.last == anchor.id:
                found = await self._build(now, found, lineage)
        return found

    async def _thief(self, now: "_Round", anchor: Anchor, lineage: str) -> str:
        """Who spent the coin that an anchor in no block is made of."""
        spent = lineage or (anchor.alive[-1].coin if anchor.alive else "")
        if not spent:
            return ""
        ours = await self._anchors.spenders(spent) | {one.txid for one in anchor.attempts}
        return await now.watch.thief(outpoint_of(spent), await self._held(spent), ours)

    async def _left_behind(self, anchor: Anchor, before: Anchor | None) -> Anchor:
        """A draft whose coin was handed over: it waits only while that may be undone."""
        state = "lost" if before and before.state == "final" else anchor.state
        left = msgspec.structs.replace(anchor, state=state, says=HANDED_OVER)
        if left != anchor:
            await self._anchors.save(left)
        return left

    async def _build(self, now: "_Round", anchor: Anchor, lineage: str) -> Anchor:
        if await self._needs_another(anchor):
            return await self._sender.say(anchor, "it waits for a block as it was signed by two")
        try:
            made = await self.builder.build(now.backend, anchor, lineage, now.tip, now.ask)
        except TooDear as error:
            return await self._sender.say(anchor, error.message)
        except HermesError as error:
            await self._sender.say(anchor, error.message)
            raise
        kept = await self._anchors.attempt(anchor, made.attempt, made.parents)
        return await self._sender.send(now.backend, now.watch, kept)

    async def _guard(self, now: "_Round", last: Anchor | None) -> None:
        """Nothing of ours spends the newest coin: whoever does is a stranger."""
        coin = coin_after(last)
        if last is None or last.state not in _MINED:
            return
        held = await self._held(coin)
        if self._is_anothers(held):
            return
        thief = await now.watch.thief(outpoint_of(coin), held, await self._anchors.spenders(coin))
        if thief:
            await self._gone(now.backend, None, coin, thief)

    async def _gone(
        self, backend: ChainBackend, anchor: Anchor | None, coin: str, thief: str
    ) -> None:
        """The coin is spent: by a handoff that we signed, or else that is the alarm."""
        if await self._passings.take_up(backend, thief):
            return
        says = f"somebody else spent the continuity coin {coin}, in {thief}"
        halt = await self._anchors.halt(coin, thief, says)
        if anchor is not None:
            await self._anchors.save(anchor)
        raise CoinGone(halt.says, GONE)

    async def _needs_another(self, anchor: Anchor) -> bool:
        """Whether somebody else's key signed too: we cannot make another one alone."""
        by_two = anchor.kind == AnchorKind.HANDOFF
        return by_two or (bool(anchor.alive) and await self._handed_over(anchor.alive[-1].coin))

    async def _handed_over(self, coin: str) -> bool:
        """Whether the coin is another identity's by now."""
        return bool(coin) and self._is_anothers(await self._held(coin))

    def _is_anothers(self, held: Output) -> bool:
        return held.script not in {self.scripts.coin, self.scripts.deposit}

    async def _held(self, coin: str) -> Output:
        """What a coin of ours holds."""
        outpoint = outpoint_of(coin)
        return output_of(await self._sender.parent(outpoint.txid), outpoint)


class _Round(NamedTuple):
    backend: ChainBackend
    tip: Tip
    ask: Ask
    last: str
    """The newest anchor with a transaction: raising another would undo what spends its coin."""
    watch: Watch


def coin_after(anchor: Anchor | None) -> str:
    """The continuity coin that an anchor leaves, `txid:index`; empty without one."""
    if anchor is None or not anchor.attempts:
        return ""
    newest = anchor.txid or (anchor.alive or anchor.attempts)[-1].txid
    return f"{newest}:{COIN_OUTPUT}"
