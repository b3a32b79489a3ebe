"""A Nostr event as the relay looks at it, and what of it decides where it is stored.

Signatures are not checked here: LocalRelay and strfry do that before they ask.
"""

from collections.abc import Iterator

import msgspec

from hermes.store.relay_events import Erasure, Kept

DELETION, WRAP, LIVE_WRAP = 5, 1059, 21059
WRAPS = (WRAP, LIVE_WRAP)
_ID_BYTES = 32
_REPLACED_ONCE = (0, 3)
_REPLACEABLE = range(10_000, 20_000)
_EPHEMERAL = range(20_000, 30_000)
_ADDRESSABLE = range(30_000, 40_000)
_LONGEST_TIME = 20
_MOST_ERASED = 1_000


class Note(msgspec.Struct, frozen=True):
    """An event; `created_at` in seconds. Source: NIP-01."""

    id: str
    pubkey: str
    created_at: int
    kind: int
    tags: tuple[tuple[str, ...], ...]
    content: str
    sig: str = ""

    @property
    def json(self) -> str:
        """It, with nothing that is no event's."""
        return _encoder.encode(self).decode()

    @property
    def ephemeral(self) -> bool:
        """Whether it is handed on and never stored."""
        return self.kind in _EPHEMERAL

    @property
    def protected(self) -> bool:
        """Whether only its author may hand it in. Source: NIP-70."""
        return any(tag[:1] == ("-",) for tag in self.tags)

    def values(self, name: str) -> Iterator[str]:
        """The values of all tags of one name."""
        return (tag[1] for tag in self.tags if len(tag) > 1 and tag[0] == name)

    def first(self, name: str) -> str:
        """The first tag's value; empty where there is none."""
        return next(self.values(name), "")


_decoder = msgspec.json.Decoder(Note)
_encoder = msgspec.json.Encoder()


def read_note(data: str | bytes) -> Note:
    """An event from its JSON; raises msgspec.DecodeError."""
    return _decoder.decode(data)


def kept(note: Note, data: str) -> Kept:
    """The row that an event becomes."""
    return Kept(
        bytes.fromhex(note.id),
        bytes.fromhex(note.pubkey),
        note.created_at,
        note.kind,
        expires(note),
        _address(note),
        data,
    )


def erasure(note: Note) -> Erasure | None:
    """What a deletion request takes back of its author's. Source: NIP-09."""
    if note.kind != DELETION:
        return None
    ids = tuple(bytes.fromhex(value) for value in note.values("e") if _is_id(value))
    addresses = tuple(value for value in note.values("a") if _is_own(note, value))
    return Erasure(ids[:_MOST_ERASED], addresses[:_MOST_ERASED])


def expires(note: Note) -> int | None:
    """When an event is due to be forgotten, in seconds. Source: NIP-40."""
    text = note.first("expiration")
    # Python's own conversion takes more than digits; LocalRelay does not.
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_TIME else None


def _address(note: Note) -> str | None:
    if note.kind in _REPLACED_ONCE or note.kind in _REPLACEABLE:
        return f"{note.kind}:{note.pubkey}:"
    if note.kind in _ADDRESSABLE:
        return f"{note.kind}:{note.pubkey}:{note.first('d')}"
    return None


def _is_id(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == _ID_BYTES and len(text) == 2 * _ID_BYTES
    except ValueError:
        return False


def _is_own(note: Note, address: str) -> bool:
    kind, _, rest = address.partition(":")
    author = rest.partition(":")[0]
    return kind.isascii() and kind.isdigit() and author == note.pubkey
