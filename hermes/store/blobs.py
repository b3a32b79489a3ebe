"""Content that is too raw for a canonical value: bytes by their SHA-256."""

import hashlib

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
    """Bytes by digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, data: bytes) -> str:
        """Keep bytes durably; returns their digest."""
        await self._database.write(blob_statement(data))
        return digest_of(data)

    async def get(self, digest: str) -> bytes | None:
        """The bytes, or None."""
        rows = await self._database.read("SELECT data FROM blobs WHERE digest = ?", (digest,))
        return rows[0][0] if rows else None
