"""Sealed chunks on disk: one file each, `<root>/<owner>/<sha256>`; the directories are the index.

Not in the database: chunks are megabytes that would swell its log and backups, their names are
their checks, and a training worker keeps some without owning the store. One process a root.
"""

import errno
import hashlib
import os
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn, Self, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
import msgspec

from hermes.errors import BlobRefused, StoreError

OWN = "own"
"""The owner of what this node keeps for itself; all others are x-only keys in hex."""

_NAME = re.compile(r"[0-9a-f]{64}")
_BLOCK = 4_096
_PIECE = 1 << 18
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

T = TypeVar("T")
Given = TypeVarTuple("Given")


class Quota(msgspec.Struct, frozen=True):
    """How much may lie here, in bytes; each chunk counts as whole blocks of 4 KiB."""

    others: int = 1 << 30
    """Of all other nodes together."""
    each: int = 1 << 29
    """Of one of them."""
    spare: int = 64 << 20
    """What stays free on the disk; our own chunks leave it alone, too."""


class Incoming:
    """A chunk on its way to the disk."""

    def __init__(self, file: anyio.AsyncFile[bytes], size: int) -> None:
        self._file, self._left = file, size
        self._hash = hashlib.sha256()
        self._waiting = bytearray()

    async def write(self, data: bytes) -> None:
        """Take the next bytes; raises BlobRefused when they are more than was said."""
        self._left -= len(data)
        if self._left < 0:
            raise BlobRefused("too large", "more bytes came than were announced")
        self._hash.update(data)
        self._waiting += data
        if len(self._waiting) >= _PIECE:
            await self._flush()

    async def close(self, digest: str) -> None:
        """See that all came, and bring it to the disk; raises BlobRefused."""
        if self._left:
            raise BlobRefused("cut off", f"{self._left} bytes are missing")
        if self._hash.hexdigest() != digest:
            raise BlobRefused("wrong digest", "these are not the bytes of that SHA-256")
        await self._flush()
        await self._file.flush()
        await anyio.to_thread.run_sync(os.fsync, self._file.wrapped.fileno())

    async def _flush(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        await self._file.write(data)


class Chunks:
    """Chunks by SHA-256; made by `open`, which reads the directories."""

    def __init__(self, root: Path, quota: Quota) -> None:
        self._root, self._quota = root, quota
        self._sizes: dict[str, int] = {}
        self._owners: dict[str, set[str]] = {}
        self._used: dict[str, int] = {}
        self._lock = anyio.Lock()  # a name and its file change together

    @classmethod
    async def open(cls, root: Path, quota: Quota | None = None) -> Self:
        """Read what lies in `root`, and remove what was cut off; raises StoreError."""
        chunks = cls(root, quota or Quota())
        await _aside(chunks._scan)
        return chunks

    def size(self, digest: str) -> int | None:
        """How many bytes a chunk has; None where it is not here."""
        return self._sizes.get(digest)

    def used(self, owner: str) -> int:
        """How much an owner's chunks take, those on their way included."""
        return self._used.get(owner, 0)

    def owned(self, owner: str) -> tuple[str, ...]:
        """The names of an owner's chunks."""
        return tuple(name for name, owners in self._owners.items() if owner in owners)

    @asynccontextmanager
    async def receiving(self, owner: str, digest: str, size: int) -> AsyncGenerator[Incoming]:
        """Take a chunk in: it is there, durably, once the context ends without an error.

        Raises BlobRefused: over quota, disk full, too large, cut off, wrong digest.
        """
        cost = _cost(size)
        await self._reserve(owner, cost)
        aside = self._root / owner / f".{uuid.uuid4().hex}"
        kept = False
        try:
            async with _opened(aside) as file:
                incoming = Incoming(file, size)
                yield incoming
                await incoming.close(digest)
            async with self._lock:
                await _aside(_settle, aside, self._root / owner / digest)
                kept = owner not in self._owners.get(digest, ())
                self._sizes[digest] = size
                self._owners.setdefault(digest, set()).add(owner)
        except OSError as error:
            _raise(error)
        finally:
            if not kept:
                self._used[owner] -= cost
            with anyio.CancelScope(shield=True):
                await _aside(lambda: aside.unlink(missing_ok=True))

    async def put(self, digest: str, data: bytes, owner: str = OWN) -> None:
        """Keep a chunk that is in memory; raises BlobRefused."""
        async with self.receiving(owner, digest, len(data)) as incoming:
            await incoming.write(data)

    async def get(self, digest: str) -> bytes | None:
        """A chunk's bytes as they lie there, unchecked; None where it is not here."""
        size = self.size(digest)
        if size is None:
            return None
        return b"".join([piece async for piece in self.read(digest, 0, size)])

    async def read(self, digest: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Part of a chunk, in pieces; ends early where the file does."""
        owner = next(iter(self._owners.get(digest, ())), OWN)
        try:
            async with await anyio.open_file(self._root / owner / digest, "rb") as file:
                await file.seek(start)
                while start < stop and (piece := await file.read(min(_PIECE, stop - start))):
                    start += len(piece)
                    yield piece
        except OSError as error:
            _raise(error)

    async def remove(self, owner: str, digest: str) -> bool:
        """Give up an owner's chunk; False where there is none."""
        async with self._lock:
            owners = self._owners.get(digest, set())
            if owner not in owners:
                return False
            owners.discard(owner)
            self._used[owner] -= _cost(self._sizes[digest])
            if not owners:
                del self._owners[digest], self._sizes[digest]
            await _aside(lambda: (self._root / owner / digest).unlink(missing_ok=True))
            return True

    async def sweep(self, before: int) -> int:
        """Remove what others left here before a moment (ms); how many chunks that were."""
        others = [(o, name) for name, all_of in self._owners.items() for o in all_of - {OWN}]
        old = await _aside(self._old, others, before)
        return sum([await self.remove(owner, name) for owner, name in old])

    async def _reserve(self, owner: str, cost: int) -> None:
        if owner != OWN:
            others = sum(used for name, used in self._used.items() if name != OWN)
            if self.used(owner) + cost > self._quota.each or others + cost > self._quota.others:
                raise BlobRefused("over quota", "there is no room left here for this node's chunks")
        self._used[owner] = self.used(owner) + cost  # before anything awaits
        try:
            await _aside(self._check_room, owner, cost)
        except BaseException:
            self._used[owner] -= cost
            raise

    def _check_room(self, owner: str, cost: int) -> None:
        (self._root / owner).mkdir(parents=True, exist_ok=True, mode=0o700)
        about = os.statvfs(self._root)
        if about.f_bavail * about.f_frsize - cost < self._quota.spare:
            raise OSError(errno.ENOSPC, "the disk has to keep some room")

    def _scan(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for owner in self._root.iterdir():
            if owner.name != OWN and not _NAME.fullmatch(owner.name):
                continue
            for file in owner.iterdir():
                if file.name.startswith("."):
                    file.unlink(missing_ok=True)
                elif _NAME.fullmatch(file.name) and file.is_file() and not file.is_symlink():
                    size = self._sizes[file.name] = file.stat().st_size
                    self._owners.setdefault(file.name, set()).add(owner.name)
                    self._used[owner.name] = self.used(owner.name) + _cost(size)

    def _old(self, chunks: list[tuple[str, str]], before: int) -> list[tuple[str, str]]:
        files = [(one, self._root / one[0] / one[1]) for one in chunks]
        limit = before * 1_000_000
        return [one for one, file in files if file.exists() and file.stat().st_mtime_ns < limit]


def _settle(aside: Path, place: Path) -> None:
    """Give a written file its name, and bring that to the disk, too."""
    aside.replace(place)
    number = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@asynccontextmanager
async def _opened(path: Path) -> AsyncGenerator[anyio.AsyncFile[bytes]]:
    file = await anyio.open_file(path, "xb")
    try:
        yield file
    finally:
        with anyio.CancelScope(shield=True):
            await file.aclose()


def _cost(size: int) -> int:
    return max(1, -(-size // _BLOCK)) * _BLOCK


async def _aside(call: Callable[[*Given], T], *given: *Given) -> T:
    try:
        return await anyio.to_thread.run_sync(call, *given)
    except OSError as error:
        _raise(error)


def _raise(error: OSError) -> NoReturn:
    if error.errno in _FULL:
        raise BlobRefused("disk full", "the disk here has no room left", "make room on it")
    raise StoreError(f"chunks cannot be kept: {error.strerror or error}") from error
