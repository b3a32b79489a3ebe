"""One connection's conversation, as far as the front door joins in; does no input or output.

It answers AUTH itself (LocalRelay cannot, behind a door), keeps COUNT and NEG-OPEN from those
who did not prove who they are (LocalRelay asks no policy there), and takes back the "blocked:"
that nostr-sdk 0.45 puts before every word of a policy.
"""

import re
import secrets
from collections.abc import Collection

import anyio
import msgspec

from hermes.core.clock import Clock
from relay.callers import Caller
from relay.frames import Frame, text_frame
from relay.interest import Interest
from relay.login import LoginRefused, proved
from relay.meters import Policy

_HEAD = 24
_WORD = re.compile(rb'\s*\[\s*"(EVENT|REQ|CLOSE|AUTH|COUNT|NEG-[A-Z]+)"')
_ASKED = re.compile(rb'\s*\[\s*"(AUTH|COUNT|NEG-OPEN)"')
_EVENT = re.compile(rb'\s*\[\s*"EVENT"')
_LISTENS = re.compile(rb'\s*\[\s*"(REQ|CLOSE)"')
_CLAIMED = re.compile(rb'\["(AUTH|OK|CLOSED|EOSE)"')
_PREFIX = re.compile(
    rb'"blocked: (auth-required|pow|rate-limited|restricted|invalid|error|unsupported): '
)
_UNKNOWN = (b'"error: unknown"', b'"blocked: something newer, or its deletion, is here"')
_MOST_KEYS = 16
_MOST_EARLY = 8
_NEED = "auth-required: prove who you are (NIP-42)"


class Line:
    """What passes by on one connection; `names`: our own addresses, as `host:port`."""

    def __init__(
        self,
        caller: Caller,
        policy: Policy,
        names: Collection[str],
        clock: Clock,
        interest: Interest,
    ) -> None:
        self.caller = caller
        self._interest = interest
        self._policy = policy
        self._names = names
        self._clock = clock
        self._challenge = secrets.token_hex(16)
        self.known = anyio.Event()
        """Set once somebody served here has proved who he is."""
        self._waiting = 0
        self._open: set[str] = set()  # asked before the login, and not answered yet
        self.quiet = anyio.Event()
        """Set while no question from before the login is open."""
        self.quiet.set()

    @property
    def second(self) -> int:
        """What time it is here."""
        return self._clock.now_ms() // 1000

    def greeting(self) -> bytes:
        """What the caller hears first."""
        return _said("AUTH", self._challenge)

    def hang_up(self) -> None:
        """The connection is over."""
        self._interest.leaves(self)

    def is_event(self, frame: Frame) -> bool:
        """Whether the caller hands in an event."""
        return frame.is_text and _EVENT.match(frame.content(_HEAD)) is not None

    def early(self, frame: Frame) -> bool:
        """Whether this should wait for a login; a few may, and only before the first."""
        asked = _ASKED.match(frame.content(_HEAD)) if frame.is_text else None
        if asked is None or asked[1] == b"AUTH" or self.caller.keys or self._waiting >= _MOST_EARLY:
            return False
        self._waiting += 1
        return True

    def is_login(self, frame: Frame) -> bool:
        """Whether the caller says who he is: that is answered once we are `quiet`.

        Clients ask again for what was closed before they hear that they are known, and for
        nothing that is closed after.
        """
        asked = _ASKED.match(frame.content(_HEAD)) if frame.is_text else None
        return asked is not None and asked[1] == b"AUTH"

    def upward(self, frame: Frame) -> bytes | None:
        """Our answer to what the caller says; None: it goes on to LocalRelay."""
        if frame.is_text and _WORD.match(frame.content(_HEAD)) is None:
            return _said("NOTICE", "invalid: this word is not known here")
        asked = _ASKED.match(frame.content(_HEAD)) if frame.is_text else None
        if asked is None:
            self._note(frame)
            return None
        if asked[1] == b"AUTH":
            return self._login(frame.content())
        if self.caller.keys & self._policy.rules.served:
            return None
        return _declined(frame.content(), "NEG-ERR" if asked[1] == b"NEG-OPEN" else "CLOSED")

    def downward(self, frame: Frame) -> bytes:
        """What the caller hears of LocalRelay's words."""
        claimed = _CLAIMED.match(frame.content(_HEAD)) if frame.is_text else None
        if claimed is None:
            return frame.raw
        if claimed[1] in {b"EOSE", b"CLOSED"}:
            self._answered(frame)
        if claimed[1] == b"EOSE":
            return frame.raw
        if claimed[1] == b"AUTH":
            return b""  # nobody can answer its challenge: its address is hidden
        said = _PREFIX.sub(rb'"\1: ', frame.content(), count=1)
        return text_frame(said.replace(*_UNKNOWN))

    def _note(self, frame: Frame) -> None:
        """Who asks for what from now on, and whether he has logged in."""
        word = _LISTENS.match(frame.content(_HEAD)) if frame.is_text else None
        if word is None:
            return
        if word[1] == b"CLOSE":
            self._interest.ends(self, _name_in(frame))
            return
        self._interest.asks(self, frame.content())
        if self.caller.keys or len(self._open) >= _MOST_EARLY:
            return
        if name := _name_in(frame):
            self._open.add(name)
            self.quiet = anyio.Event()

    def _answered(self, frame: Frame) -> None:
        if self._open:
            self._open.discard(_name_in(frame))
            if not self._open:
                self.quiet.set()

    def _login(self, data: bytes) -> bytes:
        try:
            _, event = msgspec.json.decode(data, type=tuple[str, msgspec.Raw])
            id_ = msgspec.json.decode(event, type=_Named).id
        except (ValueError, RecursionError):
            return _said("NOTICE", "invalid: this login cannot be read")
        now = self._clock.now_ms() // 1000
        try:
            key = proved(bytes(event).decode(), self._challenge, self._names, now)
        except (LoginRefused, UnicodeDecodeError) as refused:
            return _settled(id_, f"auth-required: {refused}")
        if len(self.caller.keys) < _MOST_KEYS:
            self.caller.keys |= {key}
        if key in self._policy.rules.served:
            self.known.set()
        return _settled(id_, "")


class _Named(msgspec.Struct, frozen=True):
    id: str


def _name_in(frame: Frame) -> str:
    """The subscription that a message is about; "" where there is none."""
    try:
        return msgspec.json.decode(
            msgspec.json.decode(frame.content(), type=list[msgspec.Raw])[1], type=str
        )
    except (ValueError, IndexError, RecursionError):
        return ""


def _declined(data: bytes, word: str) -> bytes:
    try:
        name = msgspec.json.decode(data, type=list[msgspec.Raw])[1]
        return _said(word, msgspec.json.decode(name, type=str), _NEED)
    except (ValueError, IndexError, RecursionError):
        return _said("NOTICE", "invalid: this cannot be read")


def _settled(id_: str, why_not: str) -> bytes:
    return text_frame(msgspec.json.encode(("OK", id_, not why_not, why_not)))


def _said(*words: str) -> bytes:
    return text_frame(msgspec.json.encode(words))
