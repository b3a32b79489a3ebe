"""Cosignatures: one log's key says of another log's checkpoint that it saw it grow so far.

The key is the log's own, as the genesis record names it; another key id and another first line
keep its two uses apart. Source: c2sp.org/tlog-cosignature, Ed25519 (`cosignature/v1`).
"""

import base64
import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hermes.core.checkpoint import Note, NoteSignature
from hermes.errors import ProofInvalid
from hermes.identity.note import check_key

_COSIGNATURE = b"\x04"
_ID = 4
_TIME = 8
_SIGNATURE = 64
_MOST_TIME = 2**63 - 1


def cosigner_id(name: str, key: bytes) -> bytes:
    """The four bytes by which a cosignature's line names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _COSIGNATURE + key).digest()[:_ID]


def cosigner_vkey(name: str, key: bytes) -> str:
    """A cosigner's key as text, as other tools of the C2SP family read it."""
    return f"{name}+{cosigner_id(name, key).hex()}+{base64.b64encode(_COSIGNATURE + key).decode()}"


def cosigned_bytes(text: str, at_s: int) -> bytes:
    """What is signed: the moment (POSIX seconds) and the whole text of the checkpoint."""
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def cosign(text: str, at_s: int, name: str, key: Ed25519PrivateKey) -> NoteSignature:
    """Cosign a checkpoint's text; whether it only grew is for the caller to know."""
    if not 0 <= at_s <= _MOST_TIME:
        raise ValueError("no moment to sign at")
    public = key.public_key().public_bytes_raw()
    made = at_s.to_bytes(_TIME, "big") + key.sign(cosigned_bytes(text, at_s))
    return NoteSignature(name, cosigner_id(name, public), made)


def check_cosignature(text: str, line: NoteSignature, key: bytes, name: str) -> int:
    """When this cosigner signed this text (POSIX seconds); raises ProofInvalid."""
    if line.name != name or line.key_id != cosigner_id(name, key):
        raise ProofInvalid("a cosignature names another key")
    if len(line.signature) != _TIME + _SIGNATURE:
        raise ProofInvalid("a cosignature has 8 bytes of time and 64 of signature")
    at_s = int.from_bytes(line.signature[:_TIME], "big")
    if at_s > _MOST_TIME:
        raise ProofInvalid("a cosignature's time is none")
    try:
        check_key(key)
        public = Ed25519PublicKey.from_public_bytes(key)
        public.verify(line.signature[_TIME:], cosigned_bytes(text, at_s))
    except (InvalidSignature, ValueError) as error:
        raise ProofInvalid("a cosignature does not hold") from error
    return at_s


def with_lines(note: Note, lines: Iterable[NoteSignature]) -> Note:
    """The note with more signature lines, each once."""
    return Note(note.text, tuple(dict.fromkeys((*note.signatures, *lines))))
