"""CAR v1, the IPFS world's archive: a header with roots, then sections of CID and bytes.

Framing only: sizes are bounded here and each section is compared with its name; what a block
says is judged where it is taken in. Source: ipld.io/specs/transport/car/carv1.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from hermes.core.canonical import Value, decode, encode
from hermes.errors import ProofInvalid

SECTION_MOST = 64 << 20
"""Bytes of one section: what is larger is not written, and refused when read."""
_HEADER_MOST = 8 << 20
_VARINT_MOST = 9
_SHA256 = b"\x12\x20"
_DIGEST = 32
_CBOR, _RAW = 0x71, 0x55
_CODECS = (_CBOR, _RAW)


class Section(NamedTuple):
    """One block of an archive: its binary CIDv1 (36 bytes) and its bytes."""

    cid: bytes
    data: bytes

    @property
    def raw(self) -> bool:
        """Whether these are plain bytes, a blob, and no DAG-CBOR."""
        return self.cid[1] == _RAW

    @property
    def digest(self) -> str:
        """The SHA-256 in its name, in hex."""
        return self.cid[-_DIGEST:].hex()


def header(roots: Sequence[bytes]) -> bytes:
    """The first bytes of an archive; roots are binary CIDs."""
    links: list[Value] = list(roots)
    return _framed(encode({"version": 1, "roots": links}).data)


def section(one: Section) -> bytes:
    """A section as it stands in the file."""
    return _framed(one.cid + one.data)


class CarReader:
    """Reads an archive from a file, a section at a time; blocks: run it in a thread.

    Raises ProofInvalid, saying at which byte the archive does not hold.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self.roots = self._header()

    def __iter__(self) -> Iterator[Section]:
        while (size := self._varint(may_end=True)) is not None:
            yield self._section(size)

    def _header(self) -> tuple[bytes, ...]:
        size = self._varint(may_end=False)
        assert size is not None
        if not 0 < size <= _HEADER_MOST:
            raise self._bad(f"a header of {size} bytes")
        try:
            value = decode(self._take(size))
        except ValueError as error:
            raise self._bad(f"its header cannot be read: {error}") from error
        match value:
            case {"version": 1, "roots": list(roots), **rest} if not rest:
                return tuple(self._root(root) for root in roots)
            case {"version": int(version)} if version != 1:
                raise self._bad(f"CAR version {version}, only version 1 is read")
            case _:
                raise self._bad("its header is none of CAR version 1")

    def _root(self, root: object) -> bytes:
        if not isinstance(root, bytes):
            raise self._bad("a root is no link")
        return root

    def _section(self, size: int) -> Section:
        start = self._at
        if not 0 < size <= SECTION_MOST:
            raise self._bad(f"a section of {size} bytes, at most {SECTION_MOST} are taken")
        body = self._take(size)
        # What the store holds has CIDs of one form: other forms could not be kept by name.
        head = len(_SHA256) + 2
        known = len(body) >= head + _DIGEST and body[0] == 1 and body[1] in _CODECS
        if not known or body[2:head] != _SHA256:
            raise ProofInvalid(
                f"the section at byte {start} has another name than a CIDv1 of SHA-256",
                "only DAG-CBOR and raw blocks are taken",
            )
        one = Section(body[: head + _DIGEST], body[head + _DIGEST :])
        if hashlib.sha256(one.data).digest() != one.cid[head:]:
            raise ProofInvalid(f"the section at byte {start} does not match its name")
        return one

    def _varint(self, *, may_end: bool) -> int | None:
        """An unsigned LEB128 number in its shortest form; None at the end of the file."""
        value = 0
        for place in range(_VARINT_MOST):
            byte = self._file.read(1)
            if not byte:
                if may_end and place == 0:
                    return None
                raise self._bad("it is cut off")
            self._at += 1
            value |= (byte[0] & 0x7F) << (7 * place)
            if byte[0] < 0x80:  # noqa: PLR2004 - the sign that none follows
                if place and not byte[0]:
                    raise self._bad("a number in a longer form than it needs")
                return value
        raise self._bad("a number that does not end")

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        self._at += len(data)
        if len(data) != size:
            raise self._bad("it is cut off")
        return data

    def _bad(self, what: str) -> ProofInvalid:
        return ProofInvalid(f"this is no archive at byte {self._at}: {what}")


def _framed(data: bytes) -> bytes:
    size, head = len(data), bytearray()
    while size >= 0x80:  # noqa: PLR2004 - seven bits a byte
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data
