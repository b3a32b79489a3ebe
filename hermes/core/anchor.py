"""What an anchor writes into Bitcoin: `HRM2 | version | kind | body`, in one OP_RETURN."""

import enum
import hashlib

import msgspec

from hermes.core.checkpoint import Checkpoint

MAGIC = b"HRM2"
VERSION = 1
_DIGEST = 32
_HEAD = len(MAGIC) + 2
GONE = "find out who holds the key first; then `hermes anchor resume` looks again"
"""What to do when somebody else spent the coin."""


class AnchorKind(enum.IntEnum):
    """What the body commits to."""

    GENESIS = 0
    """The digest of the genesis record's CID."""
    CHECKPOINT = 1
    """SHA-256 of a checkpoint's text."""
    HANDOFF = 2
    """SHA-256 of the old log's last checkpoint, then the digest of the handoff record's CID."""
    BATCH = 3
    """The root of an OpenTimestamps tree."""


class Payload(msgspec.Struct, frozen=True):
    """One anchor's commitment; 38 bytes, a handoff 70."""

    kind: AnchorKind
    body: bytes

    def encode(self) -> bytes:
        """The bytes behind OP_RETURN."""
        return MAGIC + bytes((VERSION, self.kind)) + self.body


def payload_of(raw: bytes) -> Payload:
    """Read a payload; raises ValueError on anything but version 1 of ours."""
    if raw[: len(MAGIC)] != MAGIC or len(raw) < _HEAD:
        raise ValueError("not an anchor of ours")
    if raw[len(MAGIC)] != VERSION:
        raise ValueError(f"anchor version {raw[len(MAGIC)]} is unknown")
    kind = AnchorKind(raw[len(MAGIC) + 1])
    body = raw[_HEAD:]
    if len(body) != (2 * _DIGEST if kind is AnchorKind.HANDOFF else _DIGEST):
        raise ValueError(f"{len(body)} bytes are no body of a {kind.name.lower()} anchor")
    return Payload(kind, body)


def commitment(checkpoint: Checkpoint) -> bytes:
    """What an anchor says of a log: SHA-256 of the checkpoint's text."""
    return hashlib.sha256(checkpoint.text.encode()).digest()
