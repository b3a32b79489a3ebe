"""The node's own headers on the disk: appended as blocks come, checked again at each start.

One process writes, the owner of the store. A crash in the middle leaves a shorter chain or a
torn last header, which is cut.
"""

import os
from pathlib import Path

import anyio.to_thread

from hermes.chain.backend import ChainBackend, Network
from hermes.chain.connect import open_backend
from hermes.chain.headers import HEAD, Headers, headers_of
from hermes.chain.work import HEADER, sha256d, shown, time_of
from hermes.errors import (
    ChainError,
    ChainLied,
    IdentityError,
    ProofInvalid,
    Refused,
    Usage,
)
from hermes.identity.whole import write_whole

_BATCH = 2_000
_HIGHEST = 3_000_000
"""Of any network until 2060: where blocks cost nothing a liar's headers would fill the disk."""


class HeaderFile:
    """A chain of headers and its file; made by `open`."""

    def __init__(self, path: Path, headers: Headers) -> None:
        self._path = path
        self.headers = headers

    @classmethod
    async def open(cls, path: Path, network: Network) -> "HeaderFile | None":
        """Read and check a file, cutting a torn header; None when there is none yet.

        Raises ProofInvalid when it does not hold or is of another network, ChainError when it
        cannot be read.
        """
        data = await anyio.to_thread.run_sync(_read, path)
        if data is None:
            return None
        try:
            headers, torn = await anyio.to_thread.run_sync(headers_of, data)
        except ProofInvalid as error:
            raise ProofInvalid(f"{path}: {error}", "remove it: it is fetched again") from error
        if headers.network != network:
            raise ProofInvalid(f"{path.name} holds headers of {headers.network}, not {network}")
        if torn:
            await anyio.to_thread.run_sync(_write, path, len(data) - torn, b"")
        return cls(path, headers)

    @classmethod
    async def begin(cls, path: Path, headers: Headers) -> "HeaderFile":
        """Write a new file; raises ChainError when there is one."""
        await anyio.to_thread.run_sync(_create, path, headers.file())
        return cls(path, headers)

    async def adopt(self, height: int, headers: bytes) -> bool:
        """Take headers that begin at `height` if that is more work; raises ProofInvalid."""
        taken = self.headers.adopt(height, headers)
        if taken:
            place = HEAD + (height - self.headers.start) * HEADER
            await anyio.to_thread.run_sync(_write, self._path, place, self.headers.tail(height))
        return taken

    async def follow(self, backend: ChainBackend) -> None:
        """Take what the server has beyond ours, or instead of ours if it is more work.

        Raises ChainLied when its headers do not hold.
        """
        tip = await backend.tip()
        if tip.height < self.headers.start:
            return  # it has yet to reach where ours begin
        if tip.height > _HIGHEST:
            raise ChainLied(f"{backend.name} tells of {tip.height} blocks")
        height = await self._fork(backend, min(tip.height, self.headers.height)) + 1
        fresh = bytearray()
        while height + len(fresh) // HEADER <= tip.height:
            some = await backend.headers(height + len(fresh) // HEADER, _BATCH)
            if not some:
                break
            fresh += b"".join(some)
            if height > self.headers.height:  # nothing of ours is at stake: keep what came
                await self._take(backend, height, bytes(fresh))
                height, fresh = self.headers.height + 1, bytearray()
        if fresh:
            await self._take(backend, height, bytes(fresh))

    async def _take(self, backend: ChainBackend, height: int, headers: bytes) -> None:
        try:
            await self.adopt(height, headers)
        except ProofInvalid as error:
            raise ChainLied(f"{backend.name} sent headers that do not hold: {error}") from error

    async def _fork(self, backend: ChainBackend, height: int) -> int:
        """The height of the last header that is the server's too."""
        step = 1
        while height > self.headers.start:
            if await self._agrees(backend, height):
                return height
            height, step = max(self.headers.start, height - step), step * 2
        if not await self._agrees(backend, self.headers.start):
            raise ChainLied(
                f"{backend.name} knows another block at height {self.headers.start} than the"
                " one that our headers rest on"
            )
        return self.headers.start

    async def _agrees(self, backend: ChainBackend, height: int) -> bool:
        return await backend.headers(height, 1) == (self.headers.at(height),)


async def fetch_headers(
    path: Path, network: Network, url: str, start: int = 0, digest: str = ""
) -> HeaderFile:
    """Bring the file up to the server's tip, making it from `start` where there is none.

    `digest` is the hash of block `start`, which a person believes; block 0 needs none. Raises
    Usage when the file begins elsewhere, ChainLied, and whatever `open_backend` raises.
    """
    async with open_backend(url, network) as backend:
        file = await HeaderFile.open(path, network)
        if file is None:
            file = await HeaderFile.begin(path, await _first(backend, network, start, digest))
        elif digest and (file.headers.start, file.headers.hash_at(file.headers.start)) != (
            start,
            digest,
        ):
            raise Usage(
                f"{path} begins at block {file.headers.start}", "remove it to begin elsewhere"
            )
        await file.follow(backend)
        try:
            file.headers.check_enough()
        except ProofInvalid as error:  # kept all the same: a better chain takes their place
            raise ChainLied(f"{backend.name}: {error.message}", error.remedy) from error
        return file


async def _first(backend: ChainBackend, network: Network, start: int, digest: str) -> Headers:
    found = await backend.headers(start, 1)
    if not found:
        raise Usage(f"{backend.name} has no block {start} yet")
    if digest and shown(sha256d(found[0])) != digest:
        raise ChainLied(f"{backend.name} knows another block {start} than {digest}")
    return Headers(network, start, found[0])


def newest_time(path: Path) -> int:
    """The time in a file's last whole header, in seconds, with nothing checked. Blocking.

    Raises ChainError when it cannot be read or holds none.
    """
    try:
        with path.open("rb") as file:
            whole = (file.seek(0, os.SEEK_END) - HEAD) // HEADER
            file.seek(HEAD + max(whole - 1, 0) * HEADER)
            header = file.read(HEADER)
    except OSError as error:
        raise ChainError(f"{path} cannot be read: {error.strerror}") from error
    if len(header) < HEADER:
        raise ChainError(f"{path} holds no headers", "remove it: it is fetched again")
    return time_of(header)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ChainError(f"{path} cannot be read: {error.strerror}") from error


def _create(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data, replace=False)
    except (IdentityError, Refused) as error:
        raise ChainError(f"{path} cannot be written: {error.message}") from error


def _write(path: Path, place: int, data: bytes) -> None:
    try:
        with path.open("r+b") as file:
            if file.seek(0, os.SEEK_END) < place:
                raise ChainError(f"{path} lost headers", "remove it: it is fetched again")
            file.truncate(place)
            file.seek(place)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ChainError(f"{path} cannot be written: {error.strerror}") from error
