"""A blob's sealed form: ChaCha20-Poly1305 chunks of 4 MiB, a manifest of SHA-256, a reference.

Apart because it is all cryptography and no I/O. Whoever holds the reference can read the blob; who
holds chunks alone learns their sizes and nothing else. A key must never seal two contents.
"""

import hashlib
import secrets
from typing import Annotated, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hermes.errors import BlobRefused

MOST_CHUNK = 4 << 20
"""The most bytes of a chunk as it lies on a disk and travels."""
TAG = 16
PLAIN = MOST_CHUNK - TAG
"""How much of a blob goes into one chunk."""
MOST_CHUNKS = 1 << 16
VERSION = 1

_DOMAIN = b"hermes/blob/1"
_MANIFEST = b"\xff" * 12
_DIGEST = 32
_KEY = 32
_SIZE = 8
_Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All it takes to fetch and read a blob, but where: `root` names the sealed manifest.

    It says nothing of an address, so that no peer can make a node dial one.
    """

    v: int
    size: Annotated[int, msgspec.Meta(ge=0, le=PLAIN * MOST_CHUNKS)]
    root: _Hex
    key: _Hex

    def __repr__(self) -> str:
        return f"Reference({self.size} bytes, {self.root[:12]}…)"  # never the key


class Chunk(NamedTuple):
    """Sealed bytes and their SHA-256 in hex."""

    digest: str
    data: bytes


def write_reference(reference: Reference) -> bytes:
    """A reference's JSON, some 180 bytes however large the blob is."""
    return msgspec.json.encode(reference)


def read_reference(data: bytes) -> Reference:
    """Read a reference; raises BlobRefused on anything else."""
    try:
        found = msgspec.json.decode(data, type=Reference)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BlobRefused("malformed", "that is no reference to a blob") from error
    if found.v != VERSION:
        raise BlobRefused("unknown version", f"a reference of version {found.v}")
    return found


def digest_of(data: bytes) -> str:
    """A chunk's name."""
    return hashlib.sha256(data).hexdigest()


def count_of(size: int) -> int:
    """How many chunks a blob of `size` bytes has, the manifest aside."""
    return -(-size // PLAIN)


class Sealer:
    """Seals one blob, chunk after chunk, under a random key of its own."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY)
        self._cipher = ChaCha20Poly1305(self._key)
        self._digests: list[str] = []
        self._size = 0

    def seal(self, plain: bytes) -> Chunk:
        """The next chunk: all but the last take PLAIN bytes."""
        if not 0 < len(plain) <= PLAIN or self._size % PLAIN or len(self._digests) >= MOST_CHUNKS:
            raise ValueError(f"chunks take {PLAIN} bytes, the last one less, {MOST_CHUNKS} in all")
        chunk = self._sealed(_nonce(len(self._digests)), plain)
        self._digests.append(chunk.digest)
        self._size += len(plain)
        return chunk

    def finish(self) -> tuple[Chunk, Reference]:
        """The sealed manifest, and the reference to all; nothing is sealed afterwards."""
        listed = b"".join(bytes.fromhex(one) for one in self._digests)
        plain = _DOMAIN + self._size.to_bytes(_SIZE, "big") + listed
        chunk = self._sealed(_MANIFEST, plain)
        return chunk, Reference(VERSION, self._size, chunk.digest, self._key.hex())

    def _sealed(self, nonce: bytes, plain: bytes) -> Chunk:
        data = self._cipher.encrypt(nonce, plain, _DOMAIN)
        return Chunk(digest_of(data), data)


class Opener:
    """Opens a blob's chunks in any order, and trusts nothing that its reference does not name."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self._cipher = ChaCha20Poly1305(bytes.fromhex(reference.key))

    def manifest(self, data: bytes) -> tuple[str, ...]:
        """The chunks' names, in order; raises BlobRefused."""
        plain = self._opened(_MANIFEST, self.reference.root, data)
        size = self.reference.size
        head = _DOMAIN + size.to_bytes(_SIZE, "big")
        if not plain.startswith(head) or len(plain) != len(head) + _DIGEST * count_of(size):
            raise BlobRefused("malformed", "a blob's manifest is not the one of its reference")
        listed = plain[len(head) :]
        return tuple(listed[at : at + _DIGEST].hex() for at in range(0, len(listed), _DIGEST))

    def chunk(self, index: int, digest: str, data: bytes) -> bytes:
        """The plain bytes of chunk `index`, which the manifest names `digest`; BlobRefused."""
        plain = self._opened(_nonce(index), digest, data)
        if len(plain) != self.length(index):
            raise BlobRefused("cut off", f"chunk {index} has {len(plain)} bytes")
        return plain

    def length(self, index: int) -> int:
        """How many plain bytes chunk `index` has."""
        return min(PLAIN, self.reference.size - index * PLAIN)

    def _opened(self, nonce: bytes, digest: str, data: bytes) -> bytes:
        if digest_of(data) != digest:
            raise BlobRefused("wrong digest", f"{digest[:12]}… came as other bytes")
        try:
            return self._cipher.decrypt(nonce, data, _DOMAIN)
        except InvalidTag as error:
            raise BlobRefused(
                "forged", "a chunk was not sealed with its reference's key"
            ) from error


def _nonce(index: int) -> bytes:
    return index.to_bytes(len(_MANIFEST), "big")
