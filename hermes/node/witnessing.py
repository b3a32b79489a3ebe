"""This node as a witness: what members' log keys signed, compared with what they signed before.

A fault is kept with both notes and raises an alarm; whoever has one gets no more cosignatures.
Does not guard against a log that shows everybody the same made-up entries.
"""

import secrets
from collections.abc import Awaitable, Callable

import msgspec

from hermes.core.checkpoint import checkpoint_in, note_of
from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis
from hermes.identity.npub import npub_of
from hermes.mesh.witness import (
    Elsewhere,
    Fault,
    FaultKind,
    Held,
    Old,
    Taken,
    compare,
    grew,
    judge,
    signed_checkpoint,
)
from hermes.mesh.witness_wire import (
    Ask,
    Behind,
    Cosigned,
    CosignLetter,
    Proof,
    Prove,
    Saw,
    hashes_of,
    record_of,
)
from hermes.node.department import Ground

Say = Callable[[str, CosignLetter], Awaitable[None]]
"""Sends a letter to a member."""
_TOLD = 3
_PENDING = 256
_MOST_EVIDENCE = 16


class Witnessing:
    """What is held of members' logs."""

    def __init__(self, ground: Ground, say: Say) -> None:
        self._ground = ground
        self._roster = ground.roster
        self._book = ground.owner.rooms.store.witness
        self._alarms = ground.owner.rooms.alarms
        self._say = say
        self._pending: dict[tuple[str, int, int], tuple[str, str]] = {}

    async def load(self) -> None:
        """Raise the alarms of before."""
        for one in await self._book.faults():
            if not one.over:
                kind = msgspec.convert(one.kind, FaultKind)
                self._alarm(one.node, Fault(kind, one.first, one.second))

    async def asked(self, node: str, ask: Ask, issued: int) -> None:
        """A member presents its newest note: cosign it, or say why not. Raises ProofInvalid."""
        signed_checkpoint(ask.note, await self.known(node, ask.genesis))
        held = await self._held(node)
        verdict = judge(held, Held(ask.note, issued), ask.old, hashes_of(ask.path))
        match verdict:
            case Taken(taken):
                await self._hold(node, ask.genesis, taken)
                await self._cosign(node, taken)
                if held is None or held.note != taken.note:
                    await self._spread(node, ask.genesis, taken.note)
            case Elsewhere(size, note):
                await self._say(node, Behind(size, note))
            case Fault():
                await self._accuse(node, verdict)
                first = checkpoint_in(verdict.first)
                await self._say(node, Behind(first.size, verdict.first))
            case Old():
                raise ProofInvalid("overtaken")

    async def saw(self, saw: Saw) -> None:
        """Somebody tells what a third member showed them. Raises ProofInvalid."""
        node = record_of(saw.genesis).nostr
        if node == self._roster.me or not self._roster.admits(node):
            raise ProofInvalid("of nobody here")
        there = signed_checkpoint(saw.note, await self.known(node, saw.genesis))
        held = await self._held(node)
        if held is None:
            return  # it has shown nothing to us yet
        verdict = compare(held, saw.note)
        if isinstance(verdict, Fault):
            await self._accuse(node, verdict)
        elif verdict is None:
            notes = (held.note, saw.note)
            old, new = sorted((held.checkpoint.size, there.size))
            if len(self._pending) >= _PENDING:
                del self._pending[next(iter(self._pending))]
            self._pending[node, old, new] = notes if old == held.checkpoint.size else notes[::-1]
            await self._say(node, Prove(old, new))

    async def proven(self, node: str, proof: Proof, issued: int) -> None:
        """A member shows how two of its logs hang together. Raises ProofInvalid: nobody asked."""
        notes = self._pending.pop((node, proof.old, proof.new), None)
        if notes is None:
            raise ProofInvalid("nobody asked")
        before, now = (checkpoint_in(one) for one in notes)
        held = await self._held(node)
        if not grew(before, now, hashes_of(proof.path)):
            await self._accuse(node, Fault("inconsistent", *notes))
        elif held is not None and held.note == notes[0]:
            seen = await self._book.seen(node)
            assert seen is not None  # it is held
            await self._hold(node, seen.genesis, Held(notes[1], issued))

    async def known(self, node: str, block: str) -> Genesis:
        """Who a member is: the record that came first counts. Raises ProofInvalid."""
        genesis = record_of(block)
        if genesis.nostr != node:
            raise ProofInvalid("another's genesis record")
        seen = await self._book.seen(node)
        if seen is None:
            await self._book.see(node, block, "", 0)
        elif seen.genesis != block:
            await self._accuse(node, Fault("refounded", seen.genesis, block))
            raise ProofInvalid("a second genesis record")
        return genesis

    async def _cosign(self, node: str, taken: Held) -> None:
        if await self._faulty(node):
            return
        agent = await self._ground.owner.rooms.continuity.warrants.agent()
        line = await agent.cosign(note_of(taken.note).text)
        genesis = self._roster.genesis.record.block().data.hex()
        await self._say(node, Cosigned(genesis, taken.checkpoint.size, line.line()))

    async def _spread(self, node: str, block: str, note: str) -> None:
        """Tell a few others what was seen: whoever saw something else notices."""
        others = [one for one in self._roster.others if one != node]
        for one in secrets.SystemRandom().sample(others, min(_TOLD, len(others))):
            await self._say(one, Saw(block, note))

    async def _held(self, node: str) -> Held | None:
        seen = await self._book.seen(node)
        return Held(seen.note, seen.issued) if seen and seen.note else None

    async def _hold(self, node: str, block: str, held: Held) -> None:
        await self._book.see(node, block, held.note, held.issued)
        if not await self._faulty(node):
            self._alarms.set(_about(node), "")

    async def _faulty(self, node: str) -> bool:
        return any(one.node == node and not one.over for one in await self._book.faults())

    async def _accuse(self, node: str, fault: Fault) -> None:
        kept = [one for one in await self._book.faults() if one.node == node]
        if len(kept) < _MOST_EVIDENCE:  # more proves no more, and would fill the disk
            await self._book.fault(node, fault.kind, fault.first, fault.second)
        self._alarm(node, fault)

    def _alarm(self, node: str, fault: Fault) -> None:
        if self._roster.admits(node):  # whoever was let go is nobody's worry here
            text = f"the log of {npub_of(node)} cannot be trusted: {fault.says}"
            self._alarms.set(_about(node), f"{text}; the evidence: hermes log witnesses --json")


def _about(node: str) -> str:
    return f"log of {node}"
