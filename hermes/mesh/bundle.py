"""Sneakernet: what waits for some nodes as one file, signed by its maker and sealed to each reader.

A tar of three members: who it is from and for, that one's signature, and NIP-59 wraps, one a line.
All of it is checked before anything of it is taken; whether a letter is let in, and whether it is
new, the post office says. Does not hide who wrote to whom: `manifest.json` names them.
"""

import hashlib
import io
import tarfile
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec

from hermes.core.canonical import encode
from hermes.errors import BundleInvalid, EnvelopeRefused
from hermes.identity.hot import HotKey, holds
from hermes.mesh.envelope import Envelope, read, write
from hermes.mesh.event import ENVELOPE, WRAP, NostrEvent
from hermes.mesh.link import Received
from hermes.mesh.nostr_keys import NostrKeys, genuine
from hermes.mesh.nostr_parts import Parts, cut

VERSION = 1
MOST_BYTES = 64 << 20
MOST_EVENTS = 100_000
_MEMBERS = ("manifest.json", "manifest.sig", "events.jsonl")
_DOMAIN = b"hermes/bundle/1"
_SMALL = 1 << 16
_MOST_READERS = 256
_Key = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_REMEDY = "ask for a new one"
_FIRST = "joined"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lies in a bundle; `created_at` in ms UTC, `sha256` of the wraps."""

    v: int
    creator: _Key
    created_at: Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800_000)]
    to: Annotated[tuple[_Key, ...], msgspec.Meta(max_length=_MOST_READERS)]
    events: Annotated[int, msgspec.Meta(ge=0, le=MOST_EVENTS)]
    sha256: _Key

    @property
    def digest(self) -> bytes:
        """What its maker signs."""
        block = encode(msgspec.to_builtins(self, builtin_types=()) | {"to": list(self.to)})
        return hashlib.sha256(_DOMAIN + block.data).digest()


class Enclosed(NamedTuple):
    """A letter for a bundle: to whom, an envelope's bytes, and until when (ms)."""

    to: str
    data: bytes
    expires_at: int


def enclosed(to: str, envelope: Envelope) -> Enclosed:
    """An envelope, for whoever gets the bundle."""
    return Enclosed(to, write(envelope), envelope.expires_at)


class Unpacked(NamedTuple):
    """A bundle that held: what lies in it for us, and how many wraps were no letters."""

    manifest: Manifest
    received: tuple[Received, ...]
    odd: int


def pack(key: HotKey, letters: Sequence[Enclosed], now: int) -> bytes:
    """Make a bundle; raises ValueError when it gets too large. `now` in ms."""
    keys = NostrKeys(key.secret)
    second = now // 1000
    wraps = [
        keys.wrap(
            one.to,
            keys.rumour(ENVELOPE, content, tags, second),
            one.expires_at // 1000 + 1,
            now=second,
            live=False,
        )
        for one in letters
        for content, tags in cut(one.data)
    ]
    wraps.sort(key=lambda wrap: (wrap.created_at, wrap.id))
    events = "".join(f"{wrap.json}\n" for wrap in wraps).encode()
    if len(wraps) > MOST_EVENTS or len(events) > MOST_BYTES - 2 * _SMALL:
        raise ValueError("too much for one bundle")
    manifest = Manifest(
        v=VERSION,
        creator=key.public,
        created_at=now,
        to=tuple(sorted({one.to for one in letters})),
        events=len(wraps),
        sha256=hashlib.sha256(events).hexdigest(),
    )
    parts = (msgspec.json.encode(manifest), key.sign(manifest.digest).encode(), events)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in zip(_MEMBERS, parts, strict=True):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def unpack(data: bytes, key: HotKey) -> Unpacked:
    """Check a bundle and open what is for us; raises BundleInvalid, and then nothing is taken."""
    if len(data) > MOST_BYTES:
        raise BundleInvalid("the bundle is too large", _REMEDY)
    first, signature, events = _members(data)
    manifest = _manifest(first)
    if not holds(manifest.creator, signature.decode("ascii", "replace"), manifest.digest):
        raise BundleInvalid("the bundle was altered: its signature does not hold", _REMEDY)
    if hashlib.sha256(events).hexdigest() != manifest.sha256:
        raise BundleInvalid("the bundle was altered: its letters are not those of its maker")
    if key.public not in manifest.to:
        raise BundleInvalid("the bundle is for somebody else", "make one for this node's key")
    wraps = [_event(line) for line in events.splitlines()]
    if len(wraps) != manifest.events:
        raise BundleInvalid("the bundle does not hold what it says", _REMEDY)
    return _opened(manifest, wraps, NostrKeys(key.secret))


def _opened(manifest: Manifest, wraps: Sequence[NostrEvent], keys: NostrKeys) -> Unpacked:
    parts, received, odd = Parts(), [], 0
    for wrap in wraps:
        if wrap.tag("p") != keys.public:
            continue
        try:
            rumour = keys.unwrap(wrap)
        except EnvelopeRefused:
            odd += 1
            continue
        whole = parts.take(rumour) if rumour.kind == ENVELOPE else None
        if whole is not None:
            received.append(Received(whole[0], rumour.pubkey, "bundle", keep=True))
    return Unpacked(manifest, tuple(sorted(received, key=_place)), odd)


def _place(received: Received) -> tuple[bool, int]:
    """As they were written, but first what makes us a member: till then its sender is nobody."""
    try:
        envelope = read(received.data)
    except EnvelopeRefused:  # counted where it is taken
        return True, 0
    return envelope.payload_type != _FIRST, envelope.seq


def _members(data: bytes) -> list[bytes]:
    """The three members, in their order; a name or a kind that is not ours ends it."""
    found = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for name in _MEMBERS:
                member = tar.next()
                file = tar.extractfile(member) if member and member.isreg() else None
                if file is None or member is None or member.name != name:
                    raise BundleInvalid("not a bundle, or cut off", _REMEDY)
                most = MOST_BYTES if name == _MEMBERS[-1] else _SMALL
                part = file.read(min(member.size, most) + 1)
                if len(part) != member.size:
                    raise BundleInvalid("the bundle is cut off", _REMEDY)
                found.append(part)
    except (tarfile.TarError, ValueError, EOFError, OSError) as error:
        raise BundleInvalid("not a bundle, or cut off", _REMEDY) from error
    return found


def _manifest(data: bytes) -> Manifest:
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BundleInvalid("the bundle's manifest is none", _REMEDY) from error
    if found.v != VERSION:
        raise BundleInvalid(f"a bundle of version {found.v}", "update Hermes, or ask for another")
    return found


def _event(line: bytes) -> NostrEvent:
    try:
        found = msgspec.json.decode(line, type=NostrEvent)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BundleInvalid("the bundle holds what is no event", _REMEDY) from error
    if found.kind != WRAP or not genuine(found):
        raise BundleInvalid("the bundle holds an event that does not hold", _REMEDY)
    return found
