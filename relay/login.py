"""Who is on the line, proved by signing a challenge (NIP-42).

LocalRelay has this, but wants its own hidden address in the signature and tells its policies
nothing. The address that was signed is compared with ours, never with what the caller says
that he dialled: a relay in between could say that for him.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from nostr_sdk import Event, NostrSdkError

from relay.note import read_note

_KIND = 22242
_FRESH_S = 600


class LoginRefused(Exception):
    """This proves nothing; the text says why."""


def proved(data: str, challenge: str, names: Collection[str], now: int) -> str:
    """The key that signed the challenge; raises LoginRefused. `now` in seconds."""
    try:
        note = read_note(data)
        whole = Event.from_json(data).verify()
    except (ValueError, RecursionError, NostrSdkError) as error:
        raise LoginRefused("this is no event") from error
    if not whole or note.kind != _KIND:
        raise LoginRefused("this is no signed login")
    if note.first("challenge") != challenge:
        raise LoginRefused("another challenge was signed")
    if place_of(note.first("relay")) not in names:
        raise LoginRefused("another relay was named")
    if abs(now - note.created_at) > _FRESH_S:
        raise LoginRefused("it is stale, or a clock is wrong")
    return note.pubkey


def place_of(url: str) -> str:
    """Host and port of a relay's address, in one form; empty when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"ws": 80, "wss": 443}[parts.scheme]
    except (ValueError, KeyError):
        return ""
    return f"{parts.hostname}:{port}"
