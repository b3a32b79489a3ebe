"""The hot key as Nostr uses it: signed events, and NIP-59 wraps made and opened.

A wrap hides who sends; its seal proves it. Does not guard against replay: a wrap can come twice.
Source: NIP-01, NIP-44, NIP-59.
"""

import secrets

import msgspec
from nostr_sdk import (
    Event,
    EventBuilder,
    Keys,
    Kind,
    Nip44Version,
    NostrSdkError,
    PublicKey,
    SecretKey,
    Tag,
    Timestamp,
    UnsignedEvent,
    nip44_decrypt,
    nip44_encrypt,
    nip59_make_seal,
)

from hermes.errors import EnvelopeRefused
from hermes.mesh.event import LIVE_WRAP, SEAL, WRAP, NostrEvent, Rumour, Tags
from hermes.mesh.nostr_loop import quicken

_TWO_DAYS_S = 2 * 24 * 3_600
_DECODER = msgspec.json.Decoder(NostrEvent)
_RUMOURS = msgspec.json.Decoder(Rumour)


class NostrKeys:
    """Signs and wraps with one key."""

    def __init__(self, secret: bytes) -> None:
        quicken()
        self.library = Keys(SecretKey.from_bytes(secret))
        self.public: str = self.library.public_key().to_hex()

    def sign(self, kind: int, content: str, tags: Tags, created_at: int) -> NostrEvent:
        """Make an event; `created_at` in seconds."""
        return value_of(_builder(kind, content, tags, created_at).finalize(self.library))

    def rumour(self, kind: int, content: str, tags: Tags, created_at: int) -> Rumour:
        """Make what is to be wrapped: unsigned, by us."""
        made = _builder(kind, content, tags, created_at)
        unsigned = made.finalize_unsigned(self.library.public_key()).ensure_id()
        return Rumour(self.public, created_at, kind, tags, content, unsigned.id().to_hex())

    def wrap(self, to: str, rumour: Rumour, expires_at: int, *, now: int, live: bool) -> NostrEvent:
        """Wrap a rumour of ours for one reader; times in seconds, `expires_at` 0: never.

        A live wrap bears its true time and is kept by nobody; others lie up to two days back.
        """
        reader = PublicKey.parse(to)
        made = _builder(rumour.kind, rumour.content, rumour.tags, rumour.created_at)
        unsigned = made.finalize_unsigned(self.library.public_key())
        seal = nip59_make_seal(self.library, reader, unsigned).as_json()
        once = Keys.generate()
        content = nip44_encrypt(once.secret_key(), reader, seal, Nip44Version.V2)
        kind, moment = (LIVE_WRAP, now) if live else (WRAP, now - secrets.randbelow(_TWO_DAYS_S))
        tags = (("p", to), *((("expiration", str(expires_at)),) if expires_at else ()))
        return value_of(_builder(kind, content, tags, moment).finalize(once))

    def unwrap(self, event: NostrEvent) -> Rumour:
        """Open a wrap for us; raises EnvelopeRefused: malformed, not for us, or forged."""
        if event.kind not in {WRAP, LIVE_WRAP}:
            raise EnvelopeRefused("malformed", "not a wrap")
        if event.tag("p") != self.public:
            raise EnvelopeRefused("not for us")
        seal = self._open(event.pubkey, event.content)
        try:
            sealed = Event.from_json(seal)
            proved = sealed.verify()
        except NostrSdkError as error:
            raise EnvelopeRefused("malformed", "a wrap without a seal") from error
        sender = sealed.author().to_hex()
        if not proved or sealed.kind().as_u16() != SEAL:
            raise EnvelopeRefused("forged", "a seal that is none", sender)
        text = self._open(sender, sealed.content())
        try:
            found = _RUMOURS.decode(text.encode())
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise EnvelopeRefused("malformed", "a seal without a rumour", sender) from error
        if found.pubkey != sender:
            raise EnvelopeRefused("forged", "a rumour under another's name", sender)
        live = event.kind == LIVE_WRAP
        return msgspec.structs.replace(found, id=_id_of(found), wrap=event.id, live=live)

    def _open(self, author: str, content: str) -> str:
        try:
            text: str = nip44_decrypt(self.library.secret_key(), PublicKey.parse(author), content)
        except NostrSdkError as error:
            raise EnvelopeRefused("malformed", "it does not decrypt") from error
        return text


def value_of(event: Event) -> NostrEvent:
    """The library's event as a value."""
    return _DECODER.decode(event.as_json())


def event_of(value: NostrEvent) -> Event:
    """A value as the library's event; raises EnvelopeRefused when it is none."""
    try:
        return Event.from_json(value.json)
    except NostrSdkError as error:
        raise EnvelopeRefused("malformed", "not an event") from error


def genuine(value: NostrEvent) -> bool:
    """Whether id and signature hold."""
    try:
        return bool(event_of(value).verify())
    except EnvelopeRefused:
        return False


def _builder(kind: int, content: str, tags: Tags, created_at: int) -> EventBuilder:
    made = EventBuilder(Kind(kind), content).custom_created_at(Timestamp.from_secs(created_at))
    return made.tags([Tag.parse(list(tag)) for tag in tags])


def _id_of(rumour: Rumour) -> str:
    plain = {name: getattr(rumour, name) for name in rumour.__struct_fields__[:5]}
    try:
        unsigned = UnsignedEvent.from_json(msgspec.json.encode(plain).decode()).ensure_id()
    except NostrSdkError as error:
        raise EnvelopeRefused("malformed", "not a rumour", rumour.pubkey) from error
    found: str = unsigned.id().to_hex()
    return found
