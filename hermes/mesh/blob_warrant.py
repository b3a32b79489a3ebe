"""The authorisation of one request for one chunk: a Nostr event of kind 24242, as Blossom has it.

Each is used once, by an admitted key, at the server it names. Over plain HTTP it does not hide who
asks for what, and whoever can alter the line can swap its bytes: digests are checked elsewhere.
Source: BUD-01 and BUD-02 of Blossom, NIP-01, NIP-98's way of writing a header.
"""

import base64
import binascii
import hashlib
import heapq
import re
import secrets
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from hermes.errors import BlobRefused
from hermes.identity.hot import HotKey, holds

KIND = 24_242
TTL_S = 120
"""How long what we write is good for."""
LONGEST_S = 900
"""Warrants that last longer are refused: their ids have to be remembered."""
EARLY_S = 900
"""How far ahead of ours an asker's clock may be."""
MOST_HEADER = 4_096

Verb = Literal["get", "upload", "delete"]

_SCHEME = "Nostr "
_REMEMBERED = 1 << 17
_Key = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
# What JSON writers escape differently never occurs: then an id is the same for all of them.
_PLAIN = re.compile(r"[\x20-\x7e]*")
_Text = Annotated[str, msgspec.Meta(max_length=512)]
_Tag = Annotated[tuple[_Text, ...], msgspec.Meta(min_length=1, max_length=8)]


class Warrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The event; seconds since the epoch, as Nostr has them."""

    id: _Key
    pubkey: _Key
    created_at: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]
    kind: int
    tags: Annotated[tuple[_Tag, ...], msgspec.Meta(max_length=16)]
    content: _Text
    sig: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{128}\Z")]

    def said(self, name: str) -> frozenset[str]:
        """The values of all tags of a name."""
        return frozenset(tag[1] for tag in self.tags if tag[0] == name and len(tag) > 1)

    @property
    def expires_at(self) -> int:
        """In seconds; 0 where it does not say so once, in digits."""
        found = self.said("expiration")
        text = next(iter(found)) if len(found) == 1 else ""
        return int(text) if re.fullmatch("[0-9]{1,12}", text) else 0


def write_warrant(key: HotKey, verb: Verb, digest: str, server: str, now: int) -> str:
    """A header's value for one request; `server` is HOST:PORT, `now` in ms."""
    moment = now // 1000
    until, once = str(moment + TTL_S), secrets.token_hex(8)  # two of the same second differ
    tags = (("t", verb), ("x", digest), ("server", server), ("expiration", until), ("n", once))
    name = _id(key.public, moment, KIND, tags, verb)
    event = Warrant(name.hex(), key.public, moment, KIND, tags, verb, key.sign(name))
    return _SCHEME + base64.b64encode(msgspec.json.encode(event)).decode()


def read_warrant(header: str) -> Warrant:
    """Read a header's value and check its id, not its signature; raises BlobRefused."""
    scheme, _, text = header.partition(" ")
    if not text or scheme.lower() != _SCHEME.strip().lower() or len(text) > MOST_HEADER:
        raise BlobRefused("no authorisation", "ask with an authorisation of kind 24242")
    try:
        raw = base64.b64decode(text, validate=True)
        event = msgspec.json.decode(raw, type=Warrant)
    except (msgspec.DecodeError, ValueError, RecursionError, binascii.Error) as error:
        raise BlobRefused("malformed", "the authorisation is no event of kind 24242") from error
    texts = [event.content, *(part for tag in event.tags for part in tag)]
    if event.kind != KIND or not all(_PLAIN.fullmatch(one) for one in texts):
        raise BlobRefused("malformed", "the authorisation is no event of kind 24242")
    own = _id(event.pubkey, event.created_at, event.kind, event.tags, event.content)
    if own.hex() != event.id:
        raise BlobRefused("forged", "the authorisation has another id than its content")
    return event


class Gate:
    """Who may do what now; remembers what was used until it has expired.

    Args:
        known: whether a key is admitted; asked before the signature, which costs more.
        servers: how this endpoint is called, each HOST:PORT in lower case.
    """

    def __init__(self, known: Callable[[str], bool], servers: frozenset[str]) -> None:
        self._known = known
        self._servers = servers
        self._used: set[str] = set()
        self._by_end: list[tuple[int, str]] = []

    def admit(self, header: str, verb: Verb, digest: str, now: int) -> str:
        """The key that may do this, once; raises BlobRefused. `now` in ms."""
        event, moment = read_warrant(header), now // 1000
        if not self._known(event.pubkey):
            raise BlobRefused("stranger", "this key is not admitted here")
        if not holds(event.pubkey, event.sig, bytes.fromhex(event.id)):
            raise BlobRefused("forged", "the authorisation's signature does not hold")
        if event.said("t") != {verb} or digest not in event.said("x"):
            raise BlobRefused("other use", "the authorisation is for something else")
        if not self._servers & {one.lower() for one in event.said("server")}:
            raise BlobRefused("other server", "the authorisation is for another server")
        if event.created_at > moment + EARLY_S:
            raise BlobRefused("early", "the authorisation is from the future: check the clocks")
        if not moment < event.expires_at <= moment + LONGEST_S + EARLY_S:
            raise BlobRefused("expired", "the authorisation is over, or lasts too long")
        self._use(event, moment)
        return event.pubkey

    def _use(self, event: Warrant, moment: int) -> None:
        while self._by_end and self._by_end[0][0] <= moment:
            self._used.discard(heapq.heappop(self._by_end)[1])
        if event.id in self._used:
            raise BlobRefused("replayed", "this authorisation was used already")
        if len(self._used) >= _REMEMBERED:
            raise BlobRefused("busy", "too many requests at once")
        self._used.add(event.id)
        heapq.heappush(self._by_end, (event.expires_at, event.id))


def _id(
    public: str, moment: int, kind: int, tags: tuple[tuple[str, ...], ...], content: str
) -> bytes:
    return hashlib.sha256(msgspec.json.encode([0, public, moment, kind, tags, content])).digest()
