"""The envelope: what one node says to another, signed by its node key and bound to its recipient.

Everything that comes in is checked here but two things: replay is the inbox's to know (`inbox`),
and what a payload means is its reader's. Source: seed 004 §3.1, BIP-340.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import msgspec

from hermes.core.canonical import Block, Value, encode
from hermes.core.ids import Cid
from hermes.errors import EnvelopeRefused
from hermes.identity.hot import HotKey, holds

VERSION = 1
MOST_PAYLOAD = 1 << 20
MOST_BYTES = 3 << 20
"""What an envelope takes as JSON at most, however it is escaped."""
EARLY_MS = 15 * 60_000
"""How far ahead of ours a sender's clock may be."""
LONGEST_MS = 30 * 24 * 3_600_000
"""The longest life of an envelope; what nobody fetched by then is reported as expired."""
BINARY = frozenset({"blocks"})
"""Payload types whose text is base64 of bytes; all others are text, mostly JSON."""

Reason = Literal[
    "malformed",
    "too large",
    "unknown version",
    "not for us",
    "not admitted",
    "forged",
    "early",
    "stale",
    "replayed",
]
"""Why an envelope is refused; counted under this word."""

_DOMAIN = b"hermes/envelope/1"
_Key = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Moment = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800_000)]


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message between nodes; times in ms UTC, `node_id` and `to` are x-only keys in hex."""

    v: int
    conversation_id: Annotated[str, msgspec.Meta(max_length=128)]
    node_id: _Key
    seq: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    nonce: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    issued_at: _Moment
    expires_at: _Moment
    to: _Key
    payload_type: Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_-]{0,31}\Z")]
    payload: str
    signature: Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{128})?\Z")] = ""

    @property
    def data(self) -> bytes:
        """The payload's bytes."""
        if self.payload_type in BINARY:
            return base64.b64decode(self.payload, validate=True)
        return self.payload.encode()

    @property
    def block(self) -> Block:
        """The canonical value without its signature: that is what is signed and named."""
        value: dict[str, Value] = {
            name: getattr(self, name) for name in self.__struct_fields__ if name != "signature"
        }
        return encode(value)

    @property
    def id(self) -> Cid:
        """The envelope's name, the same however often it was signed or sent."""
        return self.block.cid

    @property
    def digest(self) -> bytes:
        """What the node key signs."""
        return hashlib.sha256(_DOMAIN + self.block.data).digest()


class Letter(NamedTuple):
    """What is to be said, to whom, and for how long it is worth saying."""

    to: str
    payload_type: str
    payload: bytes
    conversation_id: str = ""
    ttl_ms: int = 24 * 3_600_000


_DECODER = msgspec.json.Decoder(Envelope)
_ENCODER = msgspec.json.Encoder()


class _Head(msgspec.Struct, frozen=True):
    v: int


def seal(key: HotKey, letter: Letter, seq: int, now: int) -> Envelope:
    """Make and sign an envelope; raises ValueError on what nobody would accept."""
    if len(letter.payload) > MOST_PAYLOAD:
        raise ValueError(f"a payload has at most {MOST_PAYLOAD} bytes; larger values go as blobs")
    if not 0 < letter.ttl_ms <= LONGEST_MS:
        raise ValueError("an envelope lives for a moment at least and 30 days at most")
    if letter.payload_type in BINARY:
        text = base64.b64encode(letter.payload).decode()
    else:
        text = letter.payload.decode()
    unsigned = Envelope(
        v=VERSION,
        conversation_id=letter.conversation_id,
        node_id=key.public,
        seq=seq,
        nonce=secrets.token_hex(16),
        issued_at=now,
        expires_at=now + letter.ttl_ms,
        to=letter.to,
        payload_type=letter.payload_type,
        payload=text,
    )
    try:
        signed = msgspec.structs.replace(unsigned, signature=key.sign(unsigned.digest))
        return msgspec.convert(msgspec.to_builtins(signed), Envelope)
    except msgspec.ValidationError as error:
        raise ValueError(f"not an envelope: {error}") from error


def write(envelope: Envelope) -> bytes:
    """An envelope's JSON, as links carry it."""
    return _ENCODER.encode(envelope)


def read(data: bytes) -> Envelope:
    """Read an envelope without judging it; raises EnvelopeRefused on form, size and version."""
    if len(data) > MOST_BYTES:
        raise EnvelopeRefused("too large")
    try:
        found = _DECODER.decode(data)
        if len(found.data) > MOST_PAYLOAD:
            raise EnvelopeRefused("too large", sender=found.node_id)
    except (msgspec.DecodeError, UnicodeError, RecursionError, binascii.Error) as error:
        raise EnvelopeRefused(_why(data)) from error
    if found.v != VERSION:
        raise EnvelopeRefused("unknown version", sender=found.node_id)
    return found


def open_envelope(data: bytes, me: str, now: int, known: Callable[[str, str], bool]) -> Envelope:
    """Read and judge an envelope that came in; raises EnvelopeRefused.

    Args:
        data: hostile bytes.
        me: our own key; an envelope for another is refused, so that none can be passed on.
        now: our clock, ms.
        known: whether a sender is admitted with a payload type; asked first, as a signature
            costs more.
    """
    found = read(data)
    sender = found.node_id
    if found.to != me:
        raise EnvelopeRefused("not for us", sender=sender)
    if not known(sender, found.payload_type):
        raise EnvelopeRefused("not admitted", sender=sender)
    if not holds(sender, found.signature, found.digest):
        raise EnvelopeRefused("forged", sender=sender)
    if found.issued_at > now + EARLY_MS:
        raise EnvelopeRefused("early", f"its sender's clock is ahead of {now}", sender)
    if now >= found.expires_at:
        raise EnvelopeRefused("stale", sender=sender)
    if not found.issued_at < found.expires_at <= found.issued_at + LONGEST_MS:
        raise EnvelopeRefused("malformed", "it lives too long, or not at all", sender)
    return found


def _why(data: bytes) -> Reason:
    """A later version may have other fields: then its form is no reason to call it malformed."""
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return "malformed"
    return "unknown version" if head.v > VERSION else "malformed"
