"""Large values between nodes: sealed here, fetched from whoever has them, kept as sealed chunks.

A blob is read by its `Reference`, which travels in an envelope. Whom to ask is the caller's word,
never a peer's. Does not hide a blob's size, nor from whom it was fetched.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.errors import BlobRefused, BlobUnreachable
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blob_seal import PLAIN, Chunk, Opener, Reference, Sealer, count_of, digest_of
from hermes.store.blob_chunks import OWN, Chunks

_PART = ".part"


class Blobs:
    """This node's blobs: what it keeps is what its endpoint serves."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    async def keep(self, source: bytes | Path) -> Reference:
        """Seal bytes or a file and keep the chunks, durably; raises BlobRefused, OSError.

        Whatever breaks off halfway leaves nothing.
        """
        sealer = Sealer()
        kept: list[str] = []
        try:
            async for plain in _parts(source):
                await self._put(await anyio.to_thread.run_sync(sealer.seal, plain), kept)
            manifest, reference = sealer.finish()
            await self._put(manifest, kept)
        except BaseException:
            with anyio.CancelScope(shield=True):
                for digest in kept:
                    await self._chunks.remove(OWN, digest)
            raise
        return reference

    async def holds(self, reference: Reference) -> bool:
        """Whether all of a blob is here; raises BlobRefused for one that can be no blob."""
        found = await self._chunks.get(reference.root)
        if found is None:
            return False
        names = Opener(reference).manifest(found)
        return all(self._chunks.size(name) is not None for name in names)

    async def mirror(self, reference: Reference, sources: Sequence[BlobClient]) -> None:
        """Fetch what is not here, chunk by chunk; what came before a failure stays.

        Raises BlobUnreachable when no source gives a chunk, BlobRefused when there is no room
        here or the manifest is not what the reference says.
        """
        names = Opener(reference).manifest(await self._chunk(reference.root, sources))
        for name in names:
            if self._chunks.size(name) is None:
                await self._chunk(name, sources)

    async def send(self, reference: Reference, to: BlobClient) -> None:
        """Leave a blob that is here at another node; chunks that are there are not sent again."""
        names = Opener(reference).manifest(await self._chunk(reference.root, ()))
        for name in (*names, reference.root):  # the manifest last: where it is, all is
            await to.put(name, await self._chunk(name, ()))

    async def read(self, reference: Reference, sources: Sequence[BlobClient], limit: int) -> bytes:
        """A blob's bytes, at most `limit`; raises BlobRefused, BlobUnreachable."""
        if reference.size > limit:
            raise BlobRefused("too large", f"{reference.size} bytes, at most {limit} are taken")
        opener = Opener(reference)
        parts = [part async for part in self._opened(opener, 0, sources)]
        return b"".join(parts)

    async def write(
        self, reference: Reference, sources: Sequence[BlobClient], target: Path
    ) -> None:
        """A blob as a file, which appears whole; goes on where it was cut off.

        What there is of it lies beside `target` meanwhile, under the blob's own name.
        """
        part = target.with_name(f".{reference.root[:32]}{_PART}")
        opener = Opener(reference)
        async with await anyio.open_file(part, "ab") as file:
            done = min(await file.tell() // PLAIN, count_of(reference.size))
            await file.truncate(done * PLAIN)
            await file.seek(0, 2)
            async for plain in self._opened(opener, done, sources):
                await file.write(plain)
        await anyio.Path(part).replace(target)

    async def names(self, reference: Reference) -> tuple[str, ...]:
        """What a blob's chunks are called, as far as is known here; the manifest is the last."""
        found = await self._chunks.get(reference.root)
        try:
            names = Opener(reference).manifest(found) if found is not None else ()
        except BlobRefused:  # no manifest of ours, or the disk altered it
            names = ()
        return (*names, reference.root)

    async def forget(self, reference: Reference, *owners: str) -> None:
        """Give up what is here of a blob: our own chunks, and those that some left here."""
        for name in await self.names(reference):
            for owner in (OWN, *owners):
                await self._chunks.remove(owner, name)

    async def keep_only(self, references: Sequence[Reference]) -> None:
        """Give up all chunks of our own but those of some blobs."""
        kept = {name for one in references for name in await self.names(one)}
        for name in set(self._chunks.owned(OWN)) - kept:
            await self._chunks.remove(OWN, name)

    @property
    def used(self) -> int:
        """How much our own chunks take."""
        return self._chunks.used(OWN)

    async def _opened(
        self, opener: Opener, first: int, sources: Sequence[BlobClient]
    ) -> AsyncIterator[bytes]:
        names = opener.manifest(await self._chunk(opener.reference.root, sources))
        for index in range(first, len(names)):
            data = await self._chunk(names[index], sources)
            yield await anyio.to_thread.run_sync(opener.chunk, index, names[index], data)

    async def _put(self, chunk: Chunk, kept: list[str]) -> None:
        await self._chunks.put(chunk.digest, chunk.data)
        kept.append(chunk.digest)

    async def _chunk(self, digest: str, sources: Sequence[BlobClient]) -> bytes:
        """A chunk from here, else from the first that gives it; then it is kept here, too."""
        found = await self._chunks.get(digest)
        if found is not None and await anyio.to_thread.run_sync(digest_of, found) == digest:
            return found
        await self._chunks.remove(OWN, digest)  # the disk altered it: as good as not here
        reasons = []
        for source in sources:
            try:
                data = await source.get(digest)
            except (BlobRefused, BlobUnreachable) as error:
                reasons.append(error.message)
                continue
            await self._chunks.put(digest, data)
            return data
        raise BlobUnreachable(
            f"nobody gives chunk {digest[:12]}…: {'; '.join(reasons) or 'nobody was asked'}"
        )


async def _parts(source: bytes | Path) -> AsyncIterator[bytes]:
    if isinstance(source, bytes):
        for at in range(0, len(source), PLAIN):
            yield source[at : at + PLAIN]
        return
    async with await anyio.open_file(source, "rb") as file:
        while part := await file.read(PLAIN):
            yield part
