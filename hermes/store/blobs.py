"""Content that is too raw for a canonical value: bytes by their SHA-256."""

import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import anyio

from hermes.store.database import Database
from hermes.store.statement import Statement

_INSERT = "INSERT INTO blobs (digest, size, data) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING"


def digest_of(data: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(data).hexdigest()


def blob_statement(data: bytes) -> Statement:
    """Store bytes; those that are there already stay."""
    parameters = (digest_of(data), len(data), data)
    return Statement(_INSERT, parameters, append=True, size=len(data))


class Blobs:
    """Bytes by digest.

    What this process put stays while it runs: whoever put it may not have named it in a block
    yet, and `hermes.store.sweep` must not take it for garbage meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: set[str] = set()
        self._removing: anyio.Event | None = None

    async def put(self, data: bytes) -> str:
        """Keep bytes durably; returns their digest."""
        digest = digest_of(data)
        await self.hold((digest,))
        await self._database.write(blob_statement(data))
        return digest

    async def hold(self, digests: Iterable[str]) -> None:
        """Say that these are about to be written: none is swept, now or later in this process."""
        while self._removing is not None:
            await self._removing.wait()
        self._held.update(digests)

    @asynccontextmanager
    async def removing(self) -> AsyncGenerator[frozenset[str]]:
        """Remove blobs inside, one sweep at a time, but none of those that are held."""
        await self.hold(())
        done = self._removing = anyio.Event()
        try:
            yield frozenset(self._held)
        finally:
            self._removing = None
            done.set()

    async def get(self, digest: str) -> bytes | None:
        """The bytes, or None."""
        rows = await self._database.read("SELECT data FROM blobs WHERE digest = ?", (digest,))
        return rows[0][0] if rows else None
