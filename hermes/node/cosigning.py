"""Cosigning: this node asks members to witness its log, and answers those who ask it.

Runs while the mesh is up, one letter after another. A member that says too much is not heard
for the rest of the minute.
"""

from collections import Counter

import anyio

from hermes.core.checkpoint import checkpoint_in
from hermes.errors import HermesError, ProofInvalid, Usage
from hermes.mesh.arrivals import Arrival
from hermes.mesh.envelope import Envelope, Letter
from hermes.mesh.members import Report, Standing
from hermes.mesh.witness import cosigner_of, signed_checkpoint
from hermes.mesh.witness_wire import (
    COSIGN,
    Ask,
    Behind,
    Cosigned,
    CosignLetter,
    Proof,
    Prove,
    Saw,
    hex_of,
    read_letter,
    write_letter,
)
from hermes.node.department import Ground
from hermes.node.witnessing import Witnessing

_TTL_MS = 3_600_000
_LOOK_S = 60.0
_AGAIN_MS = 600_000
_MOST, _WINDOW_MS = 120, 60_000
_OWN = "log as members saw it"


class Cosigning:
    """A department (`hermes.node.department.Department`)."""

    def __init__(self, ground: Ground) -> None:
        rooms = ground.owner.rooms
        self._ground = ground
        self._book = rooms.store.witness
        self._log = rooms.store.log
        self._notes = rooms.store.checkpoints
        self._alarms = rooms.alarms
        self._report = rooms.desk.report
        self._witnessing = Witnessing(ground, self._say)
        self._wake = anyio.Event()
        self._asked: dict[str, tuple[int, int]] = {}
        self._heard: Counter[str] = Counter()
        self._window = 0
        self.refused: Counter[str] = Counter()
        """Letters that had no effect, by reason."""

    def learnt(self, report: Report) -> None:
        """A member that came is asked at once."""
        if report.standing is Standing.ALIVE:
            self._wake.set()

    async def publish(self, kind: str, _name: str, _data: bytes) -> None:
        """Hear what is published (`hermes.identity.publishing.Publisher`): a new checkpoint."""
        if kind == "checkpoint":
            self._wake.set()

    async def run(self) -> None:
        """Ask and answer until cancelled."""
        await self._witnessing.load()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._ask_all)
            with self._ground.owner.rooms.continuity.publishers.also(self):
                async with self._ground.post.received(COSIGN) as arrivals:
                    async for arrival in arrivals:
                        await self._take(arrival)

    async def _ask_all(self) -> None:
        while True:
            self._wake = anyio.Event()
            note = await self._notes.latest()
            if note is not None:
                size = _size(note)
                done = {one.node: one.size for one in await self._book.newest()}
                for node in self._ground.roster.others:
                    if done.get(node) != size and self._may_ask(node, size):
                        await self._ask(node, note, done.get(node, 0))
            with anyio.move_on_after(_LOOK_S):
                await self._wake.wait()

    def _may_ask(self, node: str, size: int) -> bool:
        now = self._ground.clock.now_ms()
        member = self._ground.presence.member(node)
        if member is None or member.standing is not Standing.ALIVE:
            return False
        before, at = self._asked.get(node, (-1, 0))
        if before == size and now - at < _AGAIN_MS:
            return False
        self._asked[node] = size, now
        return True

    async def _ask(self, node: str, note: str, old: int) -> None:
        size = _size(note)
        begin = old if old <= size else 0  # a store that was put back: they will say so
        path = await self._log.consistency(begin, size)
        await self._say(node, Ask(self._genesis, note, begin, hex_of(path)))

    async def _take(self, arrival: Arrival) -> None:
        envelope = arrival.envelope
        try:
            if self._flooded(envelope.node_id):
                self.refused["too much"] += 1
            else:
                await self._hear(envelope, read_letter(envelope.data))
        except ProofInvalid:
            self.refused["does not hold"] += 1
        except HermesError as error:  # a locked signer, say: we are asked again later
            self._report("cosigning", error)
        if arrival.durable:
            await self._ground.post.settle(envelope)

    def _flooded(self, node: str) -> bool:
        now = self._ground.clock.now_ms()
        if now - self._window > _WINDOW_MS:
            self._window = now
            self._heard.clear()
        self._heard[node] += 1
        return self._heard[node] > _MOST

    async def _hear(self, envelope: Envelope, letter: CosignLetter) -> None:
        node = envelope.node_id
        match letter:
            case Ask():
                await self._witnessing.asked(node, letter, envelope.issued_at)
            case Saw():
                await self._witnessing.saw(letter)
            case Proof():
                await self._witnessing.proven(node, letter, envelope.issued_at)
            case Cosigned():
                await self._cosigned(node, letter)
            case Behind():
                await self._behind(node, letter)
            case Prove(old, new):
                await self._prove(node, old, new)

    async def _cosigned(self, node: str, told: Cosigned) -> None:
        await self._witnessing.known(node, told.genesis)
        note = await self._notes.at(told.size)
        if note is None:
            raise ProofInvalid("of no checkpoint here")
        cosigner_of(note, told.line, told.genesis)
        await self._book.cosigned(told.size, node, told.line)

    async def _behind(self, node: str, told: Behind) -> None:
        """A member wants the proof to begin elsewhere; it shows what it saw of this log."""
        note = await self._notes.latest()
        ours = await self._is_ours(told.note) if told.note else True
        if note is not None and ours and told.size <= _size(note):
            await self._ask(node, note, told.size)

    async def _is_ours(self, note: str) -> bool:
        """Whether what others saw of this log is still its beginning; an alarm where it is not."""
        seen = signed_checkpoint(note, self._ground.roster.genesis)
        now = await self._log.size()
        if seen.size <= now and await self._log.root(seen.size) == seen.root:
            self._alarms.set(_OWN, "")
            return True
        what = f"{now} are here" if seen.size > now else "others are here in their place"
        self._alarms.set(
            _OWN,
            f"members saw {seen.size} entries of this log that it had signed, and {what}: the"
            " store was shortened, put back or rewritten; put the newest backup in its place",
        )
        return False

    async def _prove(self, node: str, old: int, new: int) -> None:
        try:
            path = await self._log.consistency(old, new)
        except Usage as error:
            raise ProofInvalid("a log that this one never was") from error
        await self._say(node, Proof(old, new, hex_of(path)))

    @property
    def _genesis(self) -> str:
        return self._ground.roster.genesis.record.block().data.hex()

    async def _say(self, node: str, letter: CosignLetter) -> None:
        made = Letter(node, COSIGN, write_letter(letter), ttl_ms=_TTL_MS)
        await self._ground.post.send(made, lane=COSIGN)


def _size(note: str) -> int:
    return checkpoint_in(note).size
