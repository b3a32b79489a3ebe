"""What is too long for one event, in parts: cut and joined here; what is half here is bounded.

A part names the whole by its digest, so that parts of two senders, or of two tries, never mix.
Only bytes of senders that are let in are kept; whoever calls asks that first.
"""

import base64
import binascii
import hashlib
import re

from hermes.mesh.event import Rumour, Tags

WHOLE = 28_000
"""A rumour's content that fits one event of 64 KiB: it is padded and written as base64 twice."""
_PIECE = 20_000
_MOST_PARTS = 200
_MOST = 8 << 20
_HEAD = re.compile(r"([0-9a-f]{64})\Z")
TAG = "part"
_CONTROLS = bytes(range(32))
_Half = dict[int, tuple[bytes, str]]


class Parts:
    """Parts that came, until they are whole; of one sender's the oldest go when they are too many.

    `given_up`: wraps of what went, which may be brought again.
    """

    def __init__(self) -> None:
        self._open: dict[str, dict[str, _Half]] = {}
        self.given_up: list[str] = []

    def take(self, rumour: Rumour) -> tuple[bytes, tuple[str, ...]] | None:
        """The whole and the wraps it came in, once all is here; None before, or for nonsense."""
        tag = next((one for one in rumour.tags if one[:1] == (TAG,)), ())
        if not tag:
            return rumour.content.encode(), (rumour.wrap,)
        if (head := _head(tag)) is None:
            return None
        digest, number, count = head
        try:
            piece = base64.b64decode(rumour.content, validate=True)
        except (binascii.Error, ValueError):
            return None
        halves = self._open.setdefault(rumour.pubkey, {})
        name = f"{digest}:{count}"
        half = halves[name] = halves.pop(name, {})  # the newest last
        half.setdefault(number, (piece, rumour.wrap))
        if len(half) < count:
            self._bound(halves)
            return None
        del halves[name]
        whole = b"".join(half[place][0] for place in range(count))
        if hashlib.sha256(whole).hexdigest() != digest:
            return None
        return whole, tuple(half[place][1] for place in range(count))

    def _bound(self, halves: dict[str, _Half]) -> None:
        while sum(len(piece) for half in halves.values() for piece, _ in half.values()) > _MOST:
            gone = halves.pop(next(iter(halves)))
            self.given_up += (wrap for _, wrap in gone.values())


def cut(data: bytes) -> list[tuple[str, Tags]]:
    """Contents and tags of the rumours that carry some text; one without a tag where it fits."""
    if _escaped(data) <= WHOLE:
        return [(data.decode(), ())]
    digest = hashlib.sha256(data).hexdigest()
    pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
    return [
        (base64.b64encode(piece).decode(), ((TAG, digest, str(number), str(len(pieces))),))
        for number, piece in enumerate(pieces)
    ]


def _escaped(data: bytes) -> int:
    """How long a text gets inside JSON, at most."""
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return len(data) + data.count(b'"') + data.count(b"\\") + 5 * controls


def _head(tag: tuple[str, ...]) -> tuple[str, int, int] | None:
    if len(tag) != 4 or not _HEAD.match(tag[1]):  # noqa: PLR2004 - name, digest, number, count
        return None
    if not (tag[2].isdecimal() and tag[3].isdecimal() and len(tag[2]) < 4 and len(tag[3]) < 4):  # noqa: PLR2004
        return None
    number, count = int(tag[2]), int(tag[3])
    return (tag[1], number, count) if number < count <= _MOST_PARTS else None
