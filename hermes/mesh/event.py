"""Nostr events and filters as plain values, so that only `nostr_*` modules know the library.

A value here is as it was written, not as it was verified: what the wire hands out, it has verified.
Source: NIP-01.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

WRAP, LIVE_WRAP = 1059, 21059
SEAL = 13
ENVELOPE = 4747
INBOX_RELAYS, RELAY_LIST = 10050, 10002
_Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Kind = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
_Second = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
Tags = tuple[tuple[str, ...], ...]


class NostrEvent(msgspec.Struct, frozen=True):
    """A signed event; `created_at` in seconds."""

    id: _Hex
    pubkey: _Hex
    created_at: _Second
    kind: _Kind
    tags: Tags
    content: str
    sig: str

    def tag(self, name: str) -> str:
        """The first tag's value of that name, or ""."""
        return _tag(self.tags, name)

    @property
    def json(self) -> str:
        """The event as relays take it."""
        return msgspec.json.encode(self).decode()


class Rumour(msgspec.Struct, frozen=True):
    """What lay in a wrap: `pubkey` is proved by the seal around it, `id` is worked out here.

    `wrap`: the id of the wrap it came in; `live`: nobody keeps that wrap.
    """

    pubkey: _Hex
    created_at: _Second
    kind: _Kind
    tags: Tags
    content: str
    id: str = ""
    wrap: str = ""
    live: bool = False

    def tag(self, name: str) -> str:
        """The first tag's value of that name, or ""."""
        return _tag(self.tags, name)


class Filter(msgspec.Struct, frozen=True):
    """Which events are wanted; an empty part asks for nothing in particular.

    `tags` are single letters: relays ignore longer names. Times in seconds, both ends count.
    """

    kinds: tuple[int, ...] = ()
    authors: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = {}
    since: int | None = None
    until: int | None = None
    limit: int | None = None

    @property
    def json(self) -> str:
        """The filter as relays take it."""
        plain: dict[str, object] = {
            name: value
            for name in ("kinds", "authors", "ids", "since", "until", "limit")
            if (value := getattr(self, name)) not in {None, ()}
        }
        plain |= {f"#{letter}": values for letter, values in self.tags.items()}
        return msgspec.json.encode(plain).decode()


class Known(msgspec.Struct, frozen=True, array_like=True):
    """An event that we had: its id and `created_at`, which is all that reconciling takes."""

    id: str
    created_at: int


def _tag(tags: Tags, name: str) -> str:
    return next((tag[1] for tag in tags if len(tag) > 1 and tag[0] == name), "")
