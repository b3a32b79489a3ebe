"""Signed notes: the log's Ed25519 key signs checkpoints in the C2SP form.

A note proves who said it, not that the log behind it only grew.
Source: c2sp.org/signed-note, c2sp.org/tlog-checkpoint.
"""

import base64
import binascii
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hermes.core.checkpoint import Checkpoint, Note, NoteSignature, checkpoint_of
from hermes.errors import ProofInvalid

_ED25519 = b"\x01"
_KEY = 32
_ID = 4
_SHOWN = 16
_PRIME = 2**255 - 19
_ANYONES = frozenset(
    {
        0,
        1,
        _PRIME - 1,
        int("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7", 16),
        int("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826", 16),
    }
)
"""The y of the points whose order divides 8: whoever likes signs for them."""
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")


def log_name(nostr: str) -> str:
    """A log's origin and its key's name: `hermes/` and the start of the genesis Nostr key."""
    return f"hermes/{nostr[:_SHOWN]}"


def key_id(name: str, key: bytes) -> bytes:
    """The four bytes by which a signature line names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key).digest()[:_ID]


def vkey(name: str, key: bytes) -> str:
    """A verifier key as text, as other tools of the C2SP family read it."""
    return f"{name}+{key_id(name, key).hex()}+{base64.b64encode(_ED25519 + key).decode()}"


def read_vkey(text: str) -> tuple[str, bytes]:
    """Name and key (32 bytes) of a verifier key's text; raises ProofInvalid."""
    found = _VKEY.fullmatch(text)
    if not found:
        raise ProofInvalid("not the text of a verifier key")
    try:
        raw = base64.b64decode(found[3], validate=True)
    except binascii.Error as error:
        raise ProofInvalid("not the text of a verifier key") from error
    name, key = found[1], raw[1:]
    # Building it again refuses a wrong key id, another algorithm and base64 with loose bits.
    if len(key) != _KEY or vkey(name, key) != text:
        raise ProofInvalid("the verifier key is no Ed25519 key of that name and id")
    return name, key


def check_key(key: bytes) -> None:
    """Refuse an Ed25519 key in a second form, or one for which anybody can sign (ProofInvalid)."""
    y = int.from_bytes(key, "little") & (1 << 255) - 1
    if y >= _PRIME or y in _ANYONES:
        raise ProofInvalid("the log's key is one for which anybody can sign")


def sign(text: str, name: str, key: Ed25519PrivateKey) -> NoteSignature:
    """Sign a note's text (closed lines)."""
    public = key.public_key().public_bytes_raw()
    return NoteSignature(name, key_id(name, public), key.sign(text.encode()))


def open_note(note: Note, key: bytes, name: str) -> str:
    """The text that this key signed; raises ProofInvalid.

    Lines of other keys (witnesses) are left alone; each line that names this key must hold.
    """
    own = key_id(name, key)
    lines = [one for one in note.signatures if one.name == name and one.key_id == own]
    if not lines:
        raise ProofInvalid("the note carries no signature of this key")
    try:
        public = Ed25519PublicKey.from_public_bytes(key)
        check_key(key)
        for line in lines:
            public.verify(line.signature, note.text.encode())
    except (InvalidSignature, ValueError) as error:
        raise ProofInvalid("the note's signature does not hold") from error
    return note.text


def check_note(note: Note, key: bytes, name: str) -> Checkpoint:
    """The checkpoint of the log `name` that its key signed; raises ProofInvalid."""
    try:
        checkpoint = checkpoint_of(open_note(note, key, name))
    except ValueError as error:
        raise ProofInvalid("the signed text is no checkpoint") from error
    if checkpoint.origin != name:
        raise ProofInvalid("the checkpoint is of another log than the key's")
    return checkpoint
