"""OpenTimestamps proofs (`.ots`): read, upgraded, written, and checked against block headers.

The library's reader meets hostile bytes here and nowhere else, so size, operations, depth and
heights are bounded. Nothing here dials: what a calendar promised is no proof, and a header is
as good as whoever hands it in.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import msgspec
from bitcoin.core import CBlockHeader, SerializationError
from opentimestamps.core.notary import (
    BitcoinBlockHeaderAttestation,
    PendingAttestation,
    VerificationError,
)
from opentimestamps.core.op import CryptOp, Op, OpAppend, OpRIPEMD160, OpSHA1, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext, DeserializationError
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

from hermes.chain.backend import Network
from hermes.chain.headers import headers_of
from hermes.chain.stamp_reader import StampReader
from hermes.errors import ProofInvalid

MOST_PROOF = 65_536
"""Bytes of a proof at most."""
MOST_ANSWER = 10_000
"""Bytes of a calendar's answer at most, as the public client has it."""
_MOST_HEIGHT = 2**31 - 1
_HEADER = 80
_HASHES: dict[str, Any] = {op.TAG_NAME: op for op in (OpSHA256, OpSHA1, OpRIPEMD160)}

HeaderAt = Callable[[int], bytes | None]
"""The header (80 bytes) of a height, from a source that the caller trusts; None: not there."""


class Attested(msgspec.Struct, frozen=True, order=True):
    """What the proof says stands in a block: its Merkle root, as the header has it."""

    height: int
    root: bytes


class Promised(msgspec.Struct, frozen=True, order=True):
    """A calendar's promise: ask `uri` for the commitment, once it is in a block."""

    uri: str
    commitment: bytes


class Verdict(msgspec.Struct, frozen=True):
    """The digest existed when this block was made; `at` (ms) is the miner's time, give two hours.

    `failed` names heights whose headers say something else.
    """

    height: int
    at: int
    failed: tuple[int, ...] = ()


class TrustedHeaders(NamedTuple):
    """Headers of one network. A proof does not say of which network it is; the headers do."""

    network: Network
    header_at: HeaderAt


class Proof:
    """A digest and what vouches for it; nothing changes one once it is made."""

    def __init__(self, algorithm: str, stamp: Timestamp) -> None:
        self.algorithm = algorithm
        self._stamp = stamp

    @property
    def digest(self) -> bytes:
        """What is proved to have existed."""
        return bytes(self._stamp.msg)

    def attested(self) -> tuple[Attested, ...]:
        """The blocks that it names, lowest first; nothing is checked yet."""
        found = (
            Attested(one.height, message)
            for message, one in _attestations(self._stamp)
            if isinstance(one, BitcoinBlockHeaderAttestation)
        )
        return tuple(sorted(set(found)))

    def promised(self) -> tuple[Promised, ...]:
        """The calendars that promised more."""
        found = (
            Promised(one.uri, message)
            for message, one in _attestations(self._stamp)
            if isinstance(one, PendingAttestation)
        )
        return tuple(sorted(set(found)))

    def lines(self) -> tuple[str, ...]:
        """The tree for a person: operations and attestations, indented where it forks."""
        return tuple(_lines(self._stamp, 0))

    def encode(self) -> bytes:
        """The `.ots` file."""
        context = BytesSerializationContext()
        DetachedTimestampFile(_HASHES[self.algorithm](), self._stamp).serialize(context)
        return bytes(context.getbytes())

    def upgraded(self, commitment: bytes, answer: bytes) -> "Proof":
        """The same with a calendar's answer for a commitment; raises ProofInvalid."""
        more = _timestamp(answer, commitment)
        copy = read_proof(self.encode())
        places = [one for one in _nodes(copy._stamp) if one.msg == commitment]  # noqa: SLF001 - own class
        if not places:
            raise ProofInvalid(f"the proof does not lead to {commitment.hex()}")
        for place in places:
            place.merge(more)
        return read_proof(copy.encode())  # what was put together keeps the bounds, too


def read_proof(raw: bytes) -> Proof:
    """Read an `.ots` file; raises ProofInvalid."""
    file = _bounded(raw, MOST_PROOF, DetachedTimestampFile.deserialize)
    _check_heights(file.timestamp)
    return Proof(file.file_hash_op.TAG_NAME, file.timestamp)


def blinded(digest: bytes, nonce: bytes) -> bytes:
    """What a calendar is shown instead of the digest: SHA-256 of it and a nonce."""
    return hashlib.sha256(digest + nonce).digest()


def stamped(digest: bytes, nonce: bytes, answer: bytes, algorithm: str = "sha256") -> Proof:
    """The proof of a digest whose blinded form a calendar just took; raises ProofInvalid."""
    if len(digest) != _HASHES[algorithm].DIGEST_LENGTH:
        raise ProofInvalid(f"{len(digest)} bytes are no {algorithm} digest")
    stamp = Timestamp(digest)
    end = stamp.ops.add(OpAppend(nonce)).ops.add(OpSHA256())
    end.merge(_timestamp(answer, bytes(end.msg)))
    return read_proof(Proof(algorithm, stamp).encode())


def signed_digest(identifier: bytes, signature: bytes) -> bytes:
    """What is stamped of a signed event: SHA-256 of its id and its signature.

    A bare id says nothing of who signed: it can be stamped before the key is stolen (the
    attack that made NIP-03 unrecommended). Raises ValueError on other sizes than 32 and 64.
    """
    if (len(identifier), len(signature)) != (32, 64):
        raise ValueError("an event's id has 32 bytes, its signature 64")
    return hashlib.sha256(identifier + signature).digest()


def digest_of(stream: BinaryIO, algorithm: str = "sha256") -> bytes:
    """The digest of a file; blocking."""
    digest: bytes = _HASHES[algorithm]().hash_fd(stream)
    return digest


def headers_in(data: bytes) -> TrustedHeaders:
    """A file of headers (`hermes.chain.headers`), checked; raises ProofInvalid."""
    headers, _ = headers_of(data)
    headers.check_enough()

    def header_at(height: int) -> bytes | None:
        return headers.at(height) if headers.start <= height <= headers.height else None

    return TrustedHeaders(headers.network, header_at)


def check_proof(proof: Proof, digest: bytes, header_at: HeaderAt) -> Verdict:
    """Check a proof offline; the verdict is on its earliest block that holds.

    Raises:
        ProofInvalid: another digest, only promises, headers that are missing, or none that
            agrees with it.
    """
    if digest != proof.digest:
        raise ProofInvalid(f"the proof is of {proof.digest.hex()}, not of {digest.hex()}")
    blocks = proof.attested()
    if not blocks:
        calendars = ", ".join(sorted({one.uri for one in proof.promised()})) or "nobody we know"
        raise ProofInvalid(
            f"no block vouches for it yet, only the promise of {calendars}",
            "hermes timestamp upgrade, once the calendar's transaction is settled",
        )
    headers = [(one, header_at(one.height)) for one in blocks]
    known = [(one, header) for one, header in headers if header is not None]
    if not known:
        raise ProofInvalid(
            f"the header of block {blocks[0].height} is not at hand",
            "fetch headers: hermes anchor headers",
        )
    held = [(one.height, _time(one, header)) for one, header in known]
    failed = tuple(height for height, at in held if at is None)
    for height, at in held:
        if at is not None:
            return Verdict(height, at, failed)
    raise ProofInvalid(f"block {failed[0]} has another Merkle root: it does not hold this digest")


def _time(block: Attested, header: bytes) -> int | None:
    """The block's time in ms; None when it is another block."""
    if len(header) != _HEADER:
        raise ProofInvalid(f"the header of block {block.height} has {len(header)} bytes")
    try:
        parsed = CBlockHeader.deserialize(header)
        attestation = BitcoinBlockHeaderAttestation(block.height)
        seconds: int = attestation.verify_against_blockheader(block.root, parsed)
    except VerificationError:
        return None
    except SerializationError as error:
        raise ProofInvalid(f"the header of block {block.height}: {error}") from error
    return seconds * 1000


def _timestamp(raw: bytes, message: bytes) -> Timestamp:
    """A calendar's answer, which starts at `message`."""

    def read(reader: StampReader) -> Timestamp:
        stamp = Timestamp.deserialize(reader, message)
        reader.assert_eof()
        return stamp

    stamp = _bounded(raw, MOST_ANSWER, read)
    _check_heights(stamp)
    return stamp


def _bounded(raw: bytes, most: int, read: Callable[[StampReader], Any]) -> Any:  # noqa: ANN401 - the library has no types
    if len(raw) > most:
        raise ProofInvalid(f"a timestamp of {len(raw)} bytes, {most} at most")
    try:
        return read(StampReader(raw))
    except (DeserializationError, ValueError, AssertionError, RecursionError) as error:
        # The library asserts and recurses on what it was given.
        raise ProofInvalid(f"not a timestamp: {str(error)[:200]}") from error


def _check_heights(stamp: Timestamp) -> None:
    for _, one in _attestations(stamp):
        if getattr(one, "height", 0) > _MOST_HEIGHT:
            raise ProofInvalid("not a timestamp: a height that no block will ever have")


def _nodes(stamp: Timestamp) -> Iterator[Timestamp]:
    waiting = [stamp]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(one.ops.values())


def _attestations(stamp: Timestamp) -> Iterator[tuple[bytes, Any]]:
    for one in _nodes(stamp):
        for attestation in one.attestations:
            yield bytes(one.msg), attestation


def _lines(stamp: Timestamp, depth: int) -> Iterator[str]:
    waiting: list[tuple[int, Op | None, Timestamp]] = [(depth, None, stamp)]
    while waiting:
        level, op, one = waiting.pop()
        if op is not None:
            yield (
                "  " * level
                + str(op)
                + (f"  -> {one.msg.hex()}" if isinstance(op, CryptOp) else "")
            )
        for attestation in sorted(one.attestations):
            yield "  " * level + f"attested: {attestation!r}"
        deeper = level + (len(one.ops) > 1)
        waiting.extend((deeper, op, result) for op, result in sorted(one.ops.items(), reverse=True))
