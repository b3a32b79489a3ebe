"""A log's checkpoint and the signed note around it, as C2SP `tlog-checkpoint` writes them.

Reading and writing only; signatures are made and checked in `hermes.identity`.
Source: c2sp.org/tlog-checkpoint, c2sp.org/signed-note.
"""

import base64
import binascii
import re

import msgspec

_DIGEST = 32
LONGEST = 16_384
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+=*)")
_KEY_ID = 4


class Checkpoint(msgspec.Struct, frozen=True):
    """How large the log `origin` was, and its RFC 9162 root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's text: three lines, each closed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class NoteSignature(msgspec.Struct, frozen=True):
    """One signature line: whose, the first bytes of the key's hash, and what it made."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line, closed."""
        blob = base64.b64encode(self.key_id + self.signature).decode()
        return f"— {self.name} {blob}\n"


class Note(msgspec.Struct, frozen=True):
    """A text (closed lines) and its signatures."""

    text: str
    signatures: tuple[NoteSignature, ...] = ()

    def format(self) -> str:
        """The whole note."""
        return self.text + "\n" + "".join(one.line() for one in self.signatures)


def note_of(note: str) -> Note:
    """Take a signed note apart; raises ValueError."""
    if len(note) > LONGEST:
        raise ValueError("a note of more than 16 kB")
    text, gap, lines = note.rpartition("\n\n")
    if not gap or not lines.endswith("\n") or any(ord(c) < 0x20 and c != "\n" for c in note):  # noqa: PLR2004 - controls
        raise ValueError("not a signed note")
    return Note(text + "\n", tuple(map(_signature, lines[:-1].split("\n"))))


def checkpoint_in(note: str) -> Checkpoint:
    """Read what a signed note is about, and check no signature; raises ValueError."""
    return checkpoint_of(note_of(note).text)


def checkpoint_of(text: str) -> Checkpoint:
    """Read a checkpoint's text; raises ValueError. Extension lines are refused."""
    match text.split("\n"):
        case [origin, size, root, ""] if origin and re.fullmatch(r"0|[1-9][0-9]{0,18}", size):
            return Checkpoint(origin, int(size), _base64(root, _DIGEST))
        case _:
            raise ValueError("not a checkpoint")


def _signature(line: str) -> NoteSignature:
    found = _SIGNATURE.fullmatch(line)
    if not found:
        raise ValueError("a signature line is malformed")
    blob = _base64(found[2])
    if len(blob) <= _KEY_ID:
        raise ValueError("a signature line is malformed")
    return NoteSignature(found[1], blob[:_KEY_ID], blob[_KEY_ID:])


def _base64(text: str, size: int | None = None) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    # Unused bits could make two texts of one value.
    if base64.b64encode(raw).decode() != text or size not in {None, len(raw)}:
        raise ValueError("not base64 of that size")
    return raw
