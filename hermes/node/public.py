"""What anybody may know of this instance, kept on the relays of the settings as signed events.

Checkpoints with their cosignatures, statements, anchors, the walk of trust, and that it is here.
Nothing of a conversation is told; of the fleet, only who cosigned. `mesh.public = false` ends it.
"""

from base64 import b64decode
from contextlib import suppress

import anyio
import msgspec

from hermes.chain.lineage_wire import lineage_of
from hermes.core.attestation import attestation_of
from hermes.core.checkpoint import Note, NoteSignature, note_of
from hermes.errors import HermesError, RelayRefused
from hermes.identity.cosignature import with_lines
from hermes.identity.statements import MEMBER, REVOKED
from hermes.mesh.event import RELAY_LIST
from hermes.mesh.members import Report
from hermes.mesh.public import (
    ANCHOR,
    ATTESTATION,
    CARD,
    CHECKPOINT,
    LINEAGE,
    MOST_ANCHORS,
    STATUS,
    anchor_notice,
    attestation_notice,
    checkpoint_notice,
    lineage_notices,
    presence_notices,
    relay_list_notice,
)
from hermes.node.department import Ground
from hermes.node.notices import Board
from hermes.node.publishing import PUBLIC
from hermes.node.relay_lists import RelayLists

_KINDS = (CARD, STATUS, RELAY_LIST, CHECKPOINT, ATTESTATION, ANCHOR, LINEAGE)
_RENEW, _LIVES = 10, 3
_DIALLED = 2
_SOON_S, _LOOK_S = 10.0, 60.0


class Public:
    """A department (`hermes.node.department.Department`), and a publisher."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._rooms = ground.owner.rooms
        self._store = ground.owner.rooms.store
        self._every_s = ground.settings.mesh.presence_s * _RENEW
        self._board = Board(ground.wire, ground.clock, _KINDS)
        self._lists = RelayLists(ground.wire, self._store.witness, ground.clock)
        self._wake = anyio.Event()
        self._walk_due = True
        self._card_until = 0

    def learnt(self, _report: Report) -> None:
        """Others' comings and goings are not told."""

    async def publish(self, kind: str, name: str, data: bytes) -> None:
        """See `hermes.identity.publishing.Publisher`; goes out soon."""
        if kind == "attestation":
            self._attest(name, data)
        elif kind == "anchor":
            self._board.put(anchor_notice(name, data))
            self._walk_due = True
        self._wake.set()

    async def run(self) -> None:
        """Keep the relays up to date, until cancelled."""
        changed = self._ground.roster.changed
        changed.append(self._moved)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._look_others_up)
                if self._ground.settings.mesh.public:
                    tasks.start_soon(self._show)
        finally:
            changed.remove(self._moved)

    def _moved(self) -> None:
        """Members came or went: a member's relay takes what it took not before."""
        self._board.ask_again()
        self._wake.set()

    async def _show(self) -> None:
        with self._rooms.continuity.publishers.also(self):
            await self._load()
            while True:
                self._wake = anyio.Event()
                try:
                    await self._renew()
                except HermesError as error:
                    self._rooms.desk.report("publishing", error)
                done = await self._board.bring(self._urls)
                with anyio.move_on_after(min(self._every_s, _SOON_S) if not done else self._next_s):
                    await self._wake.wait()

    async def _look_others_up(self) -> None:
        """Where members say that they read, also those that were not heard of for long."""
        await self._lists.load()
        places, roster = self._ground.places, self._ground.roster
        while True:
            await self._lists.look(roster.others, self._urls)
            for node in roster.others:
                if listed := self._lists.where(node):
                    places.listed[node] = listed
                    if not places.is_known(node):  # others are dialled as their cards say
                        with suppress(RelayRefused):  # what is no address
                            await self._ground.wire.connect(listed[:_DIALLED])
            await anyio.sleep(_LOOK_S)

    @property
    def _urls(self) -> tuple[str, ...]:
        """Where it is told: our own relay and those of the settings, not the members'."""
        named = {self._ground.places.own, *self._ground.settings.mesh.relays}
        plain = {url.rstrip("/") for url in named if url}
        return tuple(url for url in self._ground.wire.urls if url in plain)

    @property
    def _next_s(self) -> float:
        return min(self._every_s, _LOOK_S) if self._card_until else 1.0

    async def _load(self) -> None:
        for act in await self._store.acts.since(0, PUBLIC):
            self._attest(act.cid, act.data)
        anchors = [one for one in await self._store.anchors.list() if one.mined]
        for one in anchors[-MOST_ANCHORS:]:
            assert one.mined is not None
            self._board.put(anchor_notice(one.txid, one.mined.raw))
        self._walk_due = bool(anchors)

    def _attest(self, cid: str, data: bytes) -> None:
        self._board.put(attestation_notice(cid, attestation_of(data).kind, data))

    async def _renew(self) -> None:
        """What changes by itself: the note and who cosigned it, the card, the walk."""
        if told := self._ground.places.told:
            self._board.put(relay_list_notice(told))
        self._show_card()
        note = await self._store.checkpoints.latest()
        if note is not None:
            parsed = note_of(note)
            origin, size, *_ = parsed.text.split("\n")
            rows = await self._store.witness.lines(int(size))
            lines = _signatures(parsed.text, [one.line for one in rows])
            whole = with_lines(parsed, lines).format()
            self._board.put(checkpoint_notice(origin, whole, [one.node for one in rows]))
        if self._walk_due:
            self._walk_due = False  # whatever hinders it now, the next anchor asks again
            for notice in lineage_notices(await self._walk()):
                self._board.put(notice)

    def _show_card(self) -> None:
        held = self._ground.presence.member(self._ground.key.public)
        now = self._ground.clock.now_ms() // 1000
        if held and held.card and now >= self._card_until - (_LIVES - 1) * self._every_s:
            self._card_until = now + max(2, round(_LIVES * self._every_s))
            for notice in presence_notices(held.card, self._card_until):
                self._board.put(notice)

    async def _walk(self) -> bytes:
        """The walk of trust as a file, without the fleet."""
        told = await self._rooms.continuity.queries["trust.export"]()
        whole = lineage_of(b64decode(told["file"]))
        public = [
            one for one in whole.statements if attestation_of(one).kind not in {MEMBER, REVOKED}
        ]
        return msgspec.structs.replace(whole, statements=tuple(public)).encode()


def _signatures(text: str, lines: list[str]) -> tuple[NoteSignature, ...]:
    """Lines that were checked when they came."""
    found: Note = note_of(f"{text}\n{''.join(lines)}") if lines else Note(text)
    return found.signatures
