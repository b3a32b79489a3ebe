"""Blobs of a mesh run that lie here whole, and the fetching of those that do not yet.

One task a blob, which tries everybody until it has it or nobody needs it any more.
"""

from collections.abc import Awaitable, Callable, Mapping

import anyio
from anyio.abc import TaskGroup

from hermes.errors import (
    BlobRefused,
    BlobUnreachable,
    StoreError,
    SyncRefused,
    SyncUnreachable,
)
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blob_seal import Reference
from hermes.mesh.blobs import Blobs
from training.sync.replica import Replica
from training.sync.words import Entry

_AGAIN_S = 0.5
_SAME_FOR_ALL = {"too large", "malformed", "forged", "cut off", "unknown version"}
"""Why a blob is refused by whoever reads it: other refusals are this machine's own."""


class Holding:
    """What this worker has."""

    def __init__(
        self,
        blobs: Blobs,
        sources: Mapping[str, BlobClient],
        replica: Replica,
        came: Callable[[], Awaitable[None]],
    ) -> None:
        self._blobs, self._sources, self._replica, self._came = blobs, sources, replica, came
        self._held: dict[str, tuple[int, Reference]] = {}
        self._fetching: set[str] = set()
        self.held: frozenset[str] = frozenset()

    def _asked(self, first: str) -> tuple[BlobClient, ...]:
        """Whom to ask, its author before the others."""
        names = sorted(self._sources, key=lambda name: (name != first, name))
        return tuple(self._sources[name] for name in names)

    def own(self, number: int, reference: Reference) -> None:
        """A blob was made here."""
        self._held[reference.root] = number, reference
        self.held = frozenset(self._held)

    async def look(self, number: int, entry: Entry, tasks: TaskGroup) -> None:
        """Note a blob that lies here, or have it fetched."""
        try:
            if await self._blobs.holds(entry.blob):
                self.own(number, entry.blob)
        except (BlobRefused, StoreError):
            return  # it can be no blob, whoever reads it: nobody ever holds it
        self.want(number, entry, tasks)

    def want(self, number: int, entry: Entry, tasks: TaskGroup) -> bool:
        """Whether a blob is here; if not, it gets fetched."""
        root = entry.blob.root
        if root in self._held:
            return True
        if root not in self._fetching:
            self._fetching.add(root)
            tasks.start_soon(self._fetch, number, entry)
        return False

    async def read(self, reference: Reference, limit: int) -> bytes:
        """A blob's bytes, as soon as anybody has them.

        SyncRefused where nobody could take it, SyncUnreachable where only this machine cannot.
        """
        while True:
            try:
                return await self._blobs.read(reference, self._asked(""), limit)
            except BlobRefused as error:
                if error.reason in _SAME_FOR_ALL:
                    raise SyncRefused(error.message) from error
                raise SyncUnreachable(error.message, error.remedy) from error
            except BlobUnreachable:
                await anyio.sleep(_AGAIN_S)

    async def forget(self) -> None:
        """Give up blobs of forgotten rounds."""
        needed = {entry.blob.root for _, entry in self._replica.entries()}
        for root, (number, reference) in list(self._held.items()):
            if number < self._replica.floor and root not in needed:
                del self._held[root]
                await self._blobs.forget(reference)
        self.held = frozenset(self._held)

    async def _fetch(self, number: int, entry: Entry) -> None:
        try:
            while number >= self._replica.floor:
                try:
                    await self._blobs.mirror(entry.blob, self._asked(entry.worker))
                except BlobUnreachable:
                    await anyio.sleep(_AGAIN_S)
                except BlobRefused as error:
                    if error.reason != "disk full":
                        return  # no blob: it counts for nobody
                    await anyio.sleep(_AGAIN_S)
                else:
                    self.own(number, entry.blob)
                    await self._came()
                    return
        finally:
            self._fetching.discard(entry.blob.root)
