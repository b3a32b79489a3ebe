"""What relays say of an instance, judged by the instance's own keys: pure.

Nothing counts that its genesis record's keys did not sign. Does not guard against relays that
all hide the same: ask others, and remember what was seen before.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from hermes.core.attestation import Attestation, attestation_of
from hermes.core.checkpoint import checkpoint_in, note_of
from hermes.errors import ProofInvalid
from hermes.identity.attest import GENESIS, Genesis, check_genesis
from hermes.identity.cosignature import check_cosignature
from hermes.identity.statements import HANDOFF, SOUL, Soul, check_handoff, check_soul
from hermes.mesh.event import RELAY_LIST, NostrEvent
from hermes.mesh.public import (
    ANCHOR,
    ATTESTATION,
    CARD,
    CHECKPOINT,
    LINEAGE,
    block_of,
    lineage_of_events,
    newest,
    relays_listed,
    shown_card,
)
from hermes.mesh.witness import signed_checkpoint

KINDS = (CARD, RELAY_LIST, CHECKPOINT, ATTESTATION, ANCHOR, LINEAGE)


class Told(msgspec.Struct, frozen=True):
    """What one relay gave; `reason`: why it gave nothing. `lies`: what was not what was asked."""

    events: tuple[NostrEvent, ...] = ()
    reason: str = ""
    lies: int = 0


class Cosigner(msgspec.Struct, frozen=True):
    """Somebody whose cosignature holds: key, log's name, when (POSIX seconds)."""

    key: str
    name: str
    at_s: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as relays show it; every signature held.

    `note` "": no checkpoint; `unknown`: names under it whose lines could not be checked.
    `relays`: for each how it did. `spoilt`: events by its key that did not hold.
    """

    genesis: Genesis
    souls: tuple[Soul, ...] = ()
    handoffs: int = 0
    note: str = ""
    cosigners: tuple[Cosigner, ...] = ()
    unknown: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    lineage: bytes = b""
    card: Mapping[str, Any] = {}
    here_until: int = 0
    reads_at: tuple[str, ...] = ()
    relays: Mapping[str, str] = {}
    spoilt: int = 0

    @property
    def size(self) -> int:
        """Entries of its log, as signed."""
        return checkpoint_in(self.note).size if self.note else 0


def judge(
    author: str,
    told: Mapping[str, Told],
    now_ms: int,
    before: str = "",
    witnesses: Sequence[NostrEvent] = (),
) -> Found:
    """Put together what holds; `before`: the note that was seen last, "" for none.

    `witnesses`: genesis records of those who are said to have cosigned.

    Raises ProofInvalid: no genesis record, two faces of one log, or a log that went back.
    """
    events = newest(event for one in told.values() for event in one.events)
    statements, spoilt = _statements(events)
    genesis = _genesis(author, statements)
    notes, wrong = _notes(told, genesis)
    note = _largest([*notes.values(), *([before] if before else ())], genesis)
    seen = max(map(_size, notes.values()), default=0)
    if seen < _size(note):
        raise ProofInvalid(
            f"rolled back: the relays show {seen} entries, {_size(note)} were seen before",
            "ask other relays with --relay, or its owner",
        )
    card = events.get((CARD, ""))
    until = _until(card)
    souls = [_soul(one, genesis) for one in statements if one.kind == SOUL]
    handoffs = [_is_handoff(one, genesis) for one in statements if one.kind == HANDOFF]
    held = [one for one in souls if one is not None]
    listed = events.get((RELAY_LIST, ""))
    return Found(
        genesis=genesis,
        souls=tuple(sorted(held, key=lambda one: one.at)),
        handoffs=sum(handoffs),
        note=note,
        cosigners=_cosigners(note, witnesses),
        unknown=_unknown(note, genesis, witnesses),
        anchors=tuple(d for (kind, d) in events if kind == ANCHOR),
        lineage=lineage_of_events([one for one in events.values() if one.kind == LINEAGE]),
        card=shown_card(card) if card else {},
        here_until=until if until > now_ms else 0,
        reads_at=relays_listed(listed) if listed else (),
        relays={url: _how(url, one, notes, note) for url, one in told.items()},
        spoilt=spoilt + wrong + (len(souls) - len(held)) + (len(handoffs) - sum(handoffs)),
    )


def _statements(events: Mapping[tuple[int, str], NostrEvent]) -> tuple[list[Attestation], int]:
    found, spoilt = [], 0
    for (kind, name), event in events.items():
        if kind == ATTESTATION:
            try:
                statement = attestation_of(block_of(event))
                if statement.block().cid != name:
                    raise ValueError("under another name")  # noqa: TRY301
                found.append(statement)
            except (ValueError, TypeError, RecursionError, ProofInvalid):
                spoilt += 1
    return found, spoilt


def _genesis(author: str, statements: Sequence[Attestation]) -> Genesis:
    records = [one for one in statements if one.kind == GENESIS and one.by == author]
    if not records:
        raise ProofInvalid(
            "these relays have no genesis record by this key", "ask others: --relay URL"
        )
    if len(records) > 1:
        raise ProofInvalid("two genesis records by one key: one of them is a copy's")
    return check_genesis(records[0])


def _notes(told: Mapping[str, Told], genesis: Genesis) -> tuple[dict[str, str], int]:
    """Each relay's note; and how many did not hold."""
    found, wrong = {}, 0
    for url, one in told.items():
        event = newest(one.events).get((CHECKPOINT, genesis.name))
        if event is not None:
            try:
                signed_checkpoint(event.content, genesis)
                found[url] = event.content
            except ProofInvalid:
                wrong += 1
    return found, wrong


def _largest(notes: Sequence[str], genesis: Genesis) -> str:
    """The note of the largest log; raises ProofInvalid where two are of one size and differ."""
    by_size: dict[int, str] = {}
    for note in notes:
        checkpoint = signed_checkpoint(note, genesis)
        other = by_size.setdefault(checkpoint.size, note)
        if signed_checkpoint(other, genesis).root != checkpoint.root:
            raise ProofInvalid(
                f"two faces: its key signed two different logs of {checkpoint.size} entries;"
                f" both notes:\n{other}\n{note}",
                "nothing of this instance's log can be relied on",
            )
        if len(note) > len(other):  # the one with more cosignatures
            by_size[checkpoint.size] = note
    return by_size[max(by_size)] if by_size else ""


def _cosigners(note: str, witnesses: Sequence[NostrEvent]) -> tuple[Cosigner, ...]:
    """Those whose line under the note was checked with the key of their own genesis record."""
    parsed = note_of(note) if note else None
    found: dict[str, Cosigner] = {}
    for event in witnesses if parsed else ():
        assert parsed is not None
        try:
            record = check_genesis(attestation_of(block_of(event)))
        except (ValueError, TypeError, RecursionError, ProofInvalid):
            continue
        key = bytes.fromhex(record.log)
        for line in parsed.signatures:
            if record.nostr == event.pubkey and line.name == record.name:
                with suppress(ProofInvalid):  # a line that does not hold vouches for nothing
                    at_s = check_cosignature(parsed.text, line, key, record.name)
                    found[record.nostr] = Cosigner(record.nostr, record.name, at_s)
    return tuple(found.values())


def _unknown(note: str, genesis: Genesis, witnesses: Sequence[NostrEvent]) -> tuple[str, ...]:
    names = {one.name for one in note_of(note).signatures} if note else set()
    return tuple(sorted(names - {genesis.name, *(one.name for one in _cosigners(note, witnesses))}))


def _how(url: str, told: Told, notes: Mapping[str, str], note: str) -> str:
    """How a relay did, in words; "": it has what there is."""
    if told.reason:
        return told.reason
    if told.lies:
        return f"gave {told.lies} events that nobody asked for, or that were altered"
    if not told.events:
        return "has nothing of it"
    if url not in notes:
        return "has no checkpoint that holds" if note else ""
    mine, most = _size(notes[url]), _size(note)
    return f"older: {mine} of {most} entries" if mine < most else ""


def _soul(statement: Attestation, genesis: Genesis) -> Soul | None:
    try:
        return check_soul(statement, genesis)
    except ProofInvalid:
        return None


def _is_handoff(statement: Attestation, genesis: Genesis) -> bool:
    try:
        check_handoff(statement, genesis)
    except ProofInvalid:
        return False
    return True


def _until(card: NostrEvent | None) -> int:
    """Until when a card holds (ms); 0: it does not say."""
    text = card.tag("expiration") if card else ""
    return int(text) * 1000 if text.isdecimal() and len(text) < 12 else 0  # noqa: PLR2004 - seconds


def _size(note: str) -> int:
    return checkpoint_in(note).size if note else 0
