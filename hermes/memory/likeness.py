"""Memories by likeness: keeps their vectors up to date beside the turns, and asks for the nearest.

Whatever fails here, memories are still found by their words: it is reported and passed over.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, Self

import anyio

from hermes.core.clock import Clock
from hermes.errors import HermesError
from hermes.memory.embedding import Embedder, embedder_of
from hermes.memory.recall import Near
from hermes.store.likely import Likely, Stamp
from hermes.store.vectors import SqliteVectors, Vectored, VectorIndex
from hermes.store.vectors_faiss import FaissVectors

__all__ = ["Vectors", "embedder_of", "index_of"]

_BATCH = 64
_PATIENCE_S = 0.5  # a turn waits so long for a server that makes the question's vector
_PAUSE_S = 60.0  # after a failure
_LEAST_FIT = 0.1
_CROWD = 32  # neighbours from which on the last one shows what "nothing in common" looks like


class Vectors:
    """The vectors of a store's memories (`hermes.memory.recall.Likeness`)."""

    def __init__(
        self,
        likely: Likely,
        clock: Clock,
        embedder: Embedder,
        index: VectorIndex,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._likely = likely
        self._clock = clock
        self._embedder = embedder
        self._index = index
        self._report = report
        self._stamp: Stamp | None = None
        self._wanted = anyio.Event()
        self._open = False
        self.synced = anyio.Event()
        """Set whenever the vectors are those of the live memories, until that is no longer so."""

    async def __aenter__(self) -> Self:
        """Open the embedder; the vectors are opened by `keep`."""
        await self._embedder.__aenter__()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close both."""
        self._open = False
        with anyio.CancelScope(shield=True):
            try:
                await self._index.close()
            except HermesError as error:
                self._report("vectors of memories", error)
            await self._embedder.__aexit__(None, None, None)

    async def keep(self) -> None:
        """Bring the vectors up to date whenever something changed, until cancelled."""
        try:
            await self._index.open(self._embedder.name)
        except HermesError as error:
            self._report("vectors of memories", error)
            return
        self._open = True
        while True:
            self._wanted = anyio.Event()
            try:
                await self._sync()
            except HermesError as error:
                self._report("vectors of memories", error)
                await anyio.sleep(_PAUSE_S)
                continue
            self.synced.set()
            await self._wanted.wait()

    async def nearest(self, project_hash: str, query: str, limit: int) -> Sequence[Near]:
        """The most alike first; none where something failed or took too long."""
        found: Sequence[tuple[int, float]] = ()
        if not self._open:
            return ()
        with anyio.move_on_after(_PATIENCE_S):
            try:
                if await self._likely.stamp() != self._stamp:
                    self.synced = anyio.Event()
                    self._wanted.set()
                (vector,) = await self._embedder.embed((query,))
                found = await self._index.nearest(project_hash, vector, limit)
            except HermesError as error:
                self._report("vectors of memories", error)
        return _fits(found, self._embedder.floor)

    async def _sync(self) -> None:
        """Make what is missing, drop what is no live memory any more."""
        stamp, now = await self._likely.stamp(), self._clock.now_ms()
        known = dict(await self._index.known())
        live: set[int] = set()
        after = 0
        while page := await self._likely.page(after, _BATCH, now):
            after = page[-1].memory
            live |= {one.memory for one in page}
            digests = {one.memory: _digest(one.project_hash, one.content) for one in page}
            fresh = [one for one in page if known.get(one.memory) != digests[one.memory]]
            if fresh:
                vectors = await self._embedder.embed([one.content for one in fresh])
                pairs = zip(fresh, vectors, strict=True)
                await self._index.put(
                    [
                        Vectored(one.memory, one.project_hash, digests[one.memory], vector)
                        for one, vector in pairs
                    ]
                )
        for gone in _batches(known.keys() - live):
            await self._index.drop(gone)
        await self._index.settle()
        self._stamp = stamp


def index_of(kind: Literal["sqlite-vec", "faiss"], directory: Path) -> VectorIndex:
    """Where vectors lie, by the setting's word."""
    if kind == "faiss":
        return FaissVectors(directory / "vectors.faiss")
    return SqliteVectors(directory / "vectors.db")


def _digest(project_hash: str, content: str) -> bytes:
    return hashlib.sha256(f"{project_hash}\0{content}".encode("utf-8", "replace")).digest()[:16]


def _fits(found: Sequence[tuple[int, float]], floor: float) -> tuple[Near, ...]:
    """Cosines as fits from 0 to 1: embedders differ in what they give to strangers."""
    if len(found) >= _CROWD:
        floor = max(floor, found[-1][1])
    span = max(1e-6, 1.0 - floor)
    fits = [Near(memory, min(1.0, (cosine - floor) / span)) for memory, cosine in found]
    return tuple(one for one in fits if one.fit >= _LEAST_FIT)


def _batches(numbers: Iterable[int]) -> Iterable[list[int]]:
    left = iter(sorted(numbers))
    while batch := list(islice(left, _BATCH)):
        yield batch
