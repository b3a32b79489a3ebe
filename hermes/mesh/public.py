"""What an instance shows to anybody, as Nostr events: pure, both ways, no key and no relay.

All but the card are addressable: `d` names the thing, the newest of a name counts. What a reader
makes of an event is nothing until the keys of a genesis record held for it.
Source: NIP-01, NIP-33, NIP-38, NIP-40, NIP-65.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hermes.errors import ProofInvalid
from hermes.mesh.event import INBOX_RELAYS, RELAY_LIST, NostrEvent, Tags
from hermes.mesh.members import Card

CARD, STATUS = 14747, 30315
CHECKPOINT, ATTESTATION, ANCHOR, LINEAGE = 34750, 34751, 34752, 34753
TOPIC = "hermes"
_PIECE = 30_000
_MOST_PIECES = 2_000
_MOST_RELAYS, _MOST_URL = 8, 128
_MOST_COSIGNERS = 32
_KEY = re.compile(r"[0-9a-f]{64}")
MOST_ANCHORS = 64
"""Anchors that are shown one by one; all of them are in the lineage."""


class Notice(msgspec.Struct, frozen=True):
    """An event before it is dated and signed; `d` "": not addressable."""

    kind: int
    d: str
    content: str
    more: Tags = ()

    @property
    def tags(self) -> Tags:
        """All tags, in order."""
        return ((("d", self.d),) if self.d else ()) + self.more

    @property
    def key(self) -> tuple[int, str]:
        """What it takes the place of."""
        return self.kind, self.d


def checkpoint_notice(origin: str, note: str, cosigners: Iterable[str] = ()) -> Notice:
    """The newest signed note of a log, cosignatures included; `cosigners`: whose, as x-only keys.

    A line names its key by 16 digits; the whole keys are where a reader looks for their records.
    """
    return Notice(CHECKPOINT, origin, note, (("t", TOPIC), *(("p", one) for one in cosigners)))


def attestation_notice(cid: str, kind: str, block: bytes) -> Notice:
    """A signed statement's block."""
    return Notice(ATTESTATION, cid, base64.b64encode(block).decode(), (("t", kind),))


def anchor_notice(txid: str, raw: bytes) -> Notice:
    """A transaction that is in a block."""
    return Notice(ANCHOR, txid, raw.hex(), (("t", TOPIC),))


def lineage_notices(data: bytes) -> tuple[Notice, ...]:
    """A walk of trust, cut into pieces that relays take."""
    digest = hashlib.sha256(data).hexdigest()
    parts = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
    more = (("x", digest), ("n", str(len(parts))))
    return tuple(
        Notice(LINEAGE, str(number), base64.b64encode(part).decode(), more)
        for number, part in enumerate(parts)
    )


def presence_notices(card: Card, expires_s: int) -> tuple[Notice, ...]:
    """What a node says of itself, and that it is there, for any client to show."""
    shown = msgspec.to_builtins(_Shown(*(getattr(card, one) for one in _Shown.__struct_fields__)))
    until = (("expiration", str(expires_s)), ("t", TOPIC))
    return (
        Notice(CARD, "", msgspec.json.encode(shown).decode(), until),
        Notice(STATUS, "general", "here", until),
    )


def relay_list_notice(urls: Iterable[str]) -> Notice:
    """Where a node reads and writes (NIP-65)."""
    return Notice(RELAY_LIST, "", "", tuple(("r", url) for url in urls))


class _Shown(msgspec.Struct, frozen=True):
    """A card as outsiders read it; unknown fields are passed over, so that it may grow."""

    release: str = ""
    capabilities: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    load: int = 0
    checkpoint: str = ""
    relays: tuple[str, ...] = ()


def shown_card(event: NostrEvent) -> dict[str, Any]:
    """A card's content; raises ProofInvalid."""
    try:
        found: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(event.content, type=_Shown))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProofInvalid("a card that cannot be read") from error
    return found


def newest(events: Iterable[NostrEvent]) -> Mapping[tuple[int, str], NostrEvent]:
    """Of each name the newest; of two of one second the lower id, as relays have it."""
    found: dict[tuple[int, str], NostrEvent] = {}
    for event in sorted(events, key=lambda one: (one.created_at, _inverse(one.id))):
        found[event.kind, event.tag("d")] = event
    return found


def block_of(event: NostrEvent) -> bytes:
    """A statement's block; raises ProofInvalid."""
    try:
        return base64.b64decode(event.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofInvalid("not a block in base64") from error


def cosigners_named(event: NostrEvent) -> tuple[str, ...]:
    """The keys of those who are said to have cosigned."""
    keys = (tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == "p")
    return tuple(dict.fromkeys(key for key in keys if _KEY.fullmatch(key)))[:_MOST_COSIGNERS]


def lineage_of_events(events: Sequence[NostrEvent]) -> bytes:
    """A walk from its pieces; empty where there are none. Raises ProofInvalid: not all are there.

    Pieces of an older walk may lie about beside the newest: those of one digest belong together.
    """
    if not events:
        return b""
    digest = max(events, key=lambda one: one.created_at).tag("x")
    pieces = {one.tag("d"): one for one in events if one.tag("x") == digest}
    count = next(iter(pieces.values())).tag("n")
    if not count.isdecimal() or not 0 < int(count[:9]) <= _MOST_PIECES:
        raise ProofInvalid("a walk of trust in no number of pieces")
    try:
        parts = [pieces[str(number)].content for number in range(int(count))]
        data = b"".join(base64.b64decode(one, validate=True) for one in parts)
    except (KeyError, binascii.Error) as error:
        raise ProofInvalid("the relay has only a part of the walk of trust") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ProofInvalid("the pieces of the walk of trust do not belong together")
    return data


def relays_listed(event: NostrEvent) -> tuple[str, ...]:
    """The addresses of a relay list: those to which one writes to reach its author."""
    name = "r" if event.kind == RELAY_LIST else "relay"
    assert event.kind in {RELAY_LIST, INBOX_RELAYS}
    urls = [
        tag[1].rstrip("/")
        for tag in event.tags
        if len(tag) > 1 and tag[0] == name and tag[2:3] != ("write",)
    ]
    good = [url for url in urls if url.startswith(("ws://", "wss://")) and _fits(url)]
    return tuple(dict.fromkeys(good))[:_MOST_RELAYS]


def _fits(url: str) -> bool:
    return len(url) <= _MOST_URL and url.isascii() and url.isprintable() and " " not in url


def _inverse(name: str) -> int:
    return -int(name, 16)
