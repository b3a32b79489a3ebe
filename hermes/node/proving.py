"""Queries that make what is checked elsewhere: proof bundles, and headers to check them with.

Light: what knows Bitcoin is loaded by the first question.
"""

import re
from base64 import b64encode
from collections.abc import Mapping

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.load import load
from hermes.node.desk import Query
from hermes.store.naming import Named
from hermes.store.store import Store

_CID = re.compile(r"bafyrei[a-z2-7]+", re.IGNORECASE)
_FROM = re.compile(r"(0|[1-9][0-9]{0,8}):([0-9a-f]{64})")


class Proving:
    """Proofs of this store's entries."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._chain = settings.chain
        self._data = settings.data_dir
        self._store = store
        self._following = anyio.Lock()

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {"anchor.prove": self.prove, "anchor.headers": self.headers}

    async def prove(self, name: str, *, show: bool = True) -> Json:
        """A bundle (base64) for the block that a CID, its beginning, or words of a message name."""
        genesis = (await anyio.to_thread.run_sync(load, "genesis")).load_genesis
        record = await anyio.to_thread.run_sync(genesis, self._data / "identity")
        heavy = await anyio.to_thread.run_sync(load, "prover")
        block = await self._named(name)
        prover = heavy.Prover(self._store, record.record.block().data)
        bundle, proven = await prover.prove(block, show=show)
        return {
            "bundle": b64encode(bundle).decode(),
            "cid": block.cid,
            "kind": block.kind,
            "shown": bool(proven.content),
            "index": proven.index,
            "size": proven.size,
            "txid": proven.txid,
            "block": proven.block,
            "time": rfc3339(proven.time),
        }

    async def headers(self, start: str = "") -> Json:
        """Follow the server's headers; `start` is HEIGHT:HASH of a block to begin at."""
        begin = _FROM.fullmatch(start or f"0:{'0' * 64}")
        if not begin:
            raise Usage(f"{start!r} is no block", "give HEIGHT:HASH, the hash in lower case")
        heavy = await anyio.to_thread.run_sync(load, "header_file")
        path = self._data / "headers" / f"{self._chain.network}.headers"
        height, digest = (int(begin[1]), begin[2]) if start else (0, "")
        async with self._following:  # two at once would write over each other
            file = await heavy.fetch_headers(
                path, self._chain.network, self._chain.backend, height, digest
            )
        found = file.headers
        return {
            "path": str(path),
            "network": found.network,
            "start": found.start,
            "height": found.height,
            "tip": found.tip,
        }

    async def _named(self, name: str) -> Named:
        if _CID.fullmatch(name.strip()):
            return await self._store.block_named(name)
        hits = await self._store.search.messages(name, limit=2)
        if not hits:
            raise Usage("no message holds these words", "see: hermes conversations search WORDS")
        if len(hits) > 1:
            raise Usage(
                "several messages hold these words",
                "name one by its CID: hermes conversations show ID --json",
            )
        return await self._store.block_named(hits[0].cid)
