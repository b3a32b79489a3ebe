"""Vectors of memories in memory, searched by FAISS, and in one file from run to run.

The file is only read whole and with the digest it was written with: FAISS would crash on a
damaged one.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import msgspec

from hermes.errors import NotAvailable
from hermes.load import load
from hermes.store.failures import store_error
from hermes.store.vectors import Vectored

T = TypeVar("T")

_EXTRA = "install the extra: pip install 'hermes-v2[faiss]'"
_FLOAT = 4  # bytes
_DIGEST = 32
_MOST = 1 << 31  # bytes of a file that are read


class _Saved(msgspec.Struct):
    """What the file holds behind its digest."""

    embedder: str
    entries: dict[int, tuple[str, bytes]]
    index: bytes


class FaissVectors:
    """A flat FAISS index of unit vectors; exact, and fast enough for what one person remembers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = anyio.Lock()
        self._embedder = ""
        self._entries: dict[int, tuple[str, bytes]] = {}
        self._index: Any = None  # faiss has no types
        self._changed = False

    async def open(self, embedder: str) -> None:
        """Read the file, if it is whole and by this embedder."""
        self._embedder = embedder
        await self._run(self._read)

    async def close(self) -> None:
        """Bring everything to the disk."""
        with anyio.CancelScope(shield=True):
            await self.settle()

    async def known(self) -> Mapping[int, bytes]:
        """What is in it."""
        return await self._run(lambda: {one: digest for one, (_, digest) in self._entries.items()})

    async def put(self, entries: Sequence[Vectored]) -> None:
        """Put vectors in."""
        if entries:
            await self._run(partial(self._put, entries))

    async def drop(self, memories: Sequence[int]) -> None:
        """Take vectors out."""
        await self._run(partial(self._drop, memories))

    async def settle(self) -> None:
        """Write the file, when something changed."""
        await self._run(self._save)

    async def nearest(self, project: str, vector: bytes, limit: int) -> Sequence[tuple[int, float]]:
        """The most alike."""
        return await self._run(partial(self._nearest, project, vector, limit))

    async def _run(self, function: Callable[[], T]) -> T:
        async with self._lock:  # FAISS searches while nobody writes
            try:
                return await anyio.to_thread.run_sync(function)
            except ImportError as error:
                raise NotAvailable("vectors of memories need FAISS", _EXTRA) from error
            except (OSError, RuntimeError, ValueError) as error:
                raise store_error(error, self.path) from error

    def _read(self) -> None:
        faiss, numpy = load("faiss"), load("numpy")
        faiss.omp_set_num_threads(1)  # threads that spin against an engine's cost both
        try:
            if self.path.stat().st_size > _MOST:
                return
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
            return  # damaged: it is made again
        try:
            saved = msgspec.msgpack.decode(data[_DIGEST:], type=_Saved)
        except msgspec.MsgspecError:
            return  # by another version
        if saved.embedder == self._embedder and saved.index:
            self._index = faiss.deserialize_index(numpy.frombuffer(saved.index, dtype="uint8"))
            self._entries = saved.entries

    def _put(self, entries: Sequence[Vectored]) -> None:
        faiss, numpy = load("faiss"), load("numpy")
        floats = len(entries[0].vector) // _FLOAT
        if self._index is None or self._index.d != floats:
            self._index, self._entries = faiss.IndexIDMap2(faiss.IndexFlatIP(floats)), {}
        self._drop([one.memory for one in entries])
        rows = numpy.frombuffer(b"".join(one.vector for one in entries), dtype="<f4")
        rows = rows.reshape(len(entries), floats).copy()
        faiss.normalize_L2(rows)
        numbers = numpy.array([one.memory for one in entries], dtype="int64")
        self._index.add_with_ids(rows, numbers)
        self._entries |= {one.memory: (one.project, one.digest) for one in entries}
        self._changed = True

    def _drop(self, memories: Sequence[int]) -> None:
        gone = [one for one in memories if self._entries.pop(one, None)]
        if gone:
            self._index.remove_ids(load("numpy").array(gone, dtype="int64"))
            self._changed = True

    def _nearest(self, project: str, vector: bytes, limit: int) -> list[tuple[int, float]]:
        faiss, numpy = load("faiss"), load("numpy")
        if self._index is None or self._index.d != len(vector) // _FLOAT:
            return []
        mine = [one for one, (whose, _) in self._entries.items() if whose == project]
        if not mine:
            return []
        asked = numpy.frombuffer(vector, dtype="<f4").reshape(1, -1).copy()
        faiss.normalize_L2(asked)
        only = faiss.SearchParameters(sel=faiss.IDSelectorBatch(numpy.array(mine, dtype="int64")))
        likes, found = self._index.search(asked, min(limit, len(mine)), params=only)
        pairs = zip(found[0].tolist(), likes[0].tolist(), strict=True)
        return [(memory, like) for memory, like in pairs if memory >= 0]

    def _save(self) -> None:
        if not self._changed:
            return
        index = load("faiss").serialize_index(self._index).tobytes()
        body = msgspec.msgpack.encode(_Saved(self._embedder, self._entries, index))
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path.with_name(self.path.name + ".new")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(body).digest() + body)
        draft.replace(self.path)
        self._changed = False
