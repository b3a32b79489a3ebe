"""The letters of cosigning, as `cosign` payloads: bounded before anything is made of them.

Source: c2sp.org/tlog-witness, whose requests and answers these are, over the post office.
"""

from typing import Annotated

import msgspec

from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis
from hermes.identity.genesis import genesis_of

COSIGN = "cosign"
MOST_HASHES = 63
"""A consistency proof has so many at most: one for each bit of a size."""
_Hash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Path = Annotated[tuple[_Hash, ...], msgspec.Meta(max_length=MOST_HASHES)]
_Note = Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]
_Block = Annotated[str, msgspec.Meta(max_length=8_192, pattern=r"\A([0-9a-f]{2})+\Z")]
_Size = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class _Letter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="t"):
    pass


class Ask(_Letter, frozen=True, tag="ask"):
    """Please cosign: my newest note, and the proof that it grew out of the log of `old`."""

    genesis: _Block
    note: _Note
    old: _Size
    path: _Path = ()


class Cosigned(_Letter, frozen=True, tag="cosigned"):
    """My cosignature on your log of `size`: a signature line, closed."""

    genesis: _Block
    size: _Size
    line: Annotated[str, msgspec.Meta(max_length=512)]


class Behind(_Letter, frozen=True, tag="behind"):
    """Prove it from `size`; `note` is yours, the newest that I saw ("": none)."""

    size: _Size
    note: Annotated[str, msgspec.Meta(max_length=4_096)] = ""


class Saw(_Letter, frozen=True, tag="saw"):
    """This is what that instance showed me of its log."""

    genesis: _Block
    note: _Note


class Prove(_Letter, frozen=True, tag="prove"):
    """Show me that your log of `new` entries grew out of that of `old`."""

    old: _Size
    new: _Size


class Proof(_Letter, frozen=True, tag="proof"):
    """It did: here is how."""

    old: _Size
    new: _Size
    path: _Path = ()


CosignLetter = Ask | Cosigned | Behind | Saw | Prove | Proof
_DECODER = msgspec.json.Decoder(CosignLetter)


def read_letter(data: bytes) -> CosignLetter:
    """Read a payload; raises ProofInvalid."""
    try:
        letter: CosignLetter = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProofInvalid(f"not a letter of cosigning: {error}") from error
    return letter


def write_letter(letter: CosignLetter) -> bytes:
    """A letter's payload."""
    return msgspec.json.encode(letter)


def hashes_of(path: tuple[str, ...]) -> tuple[bytes, ...]:
    """A proof's hashes."""
    return tuple(map(bytes.fromhex, path))


def hex_of(path: tuple[bytes, ...]) -> tuple[str, ...]:
    """A proof as letters have it."""
    return tuple(one.hex() for one in path)


def record_of(block: str) -> Genesis:
    """A genesis record from its block in hex; raises ProofInvalid."""
    return genesis_of(bytes.fromhex(block))
