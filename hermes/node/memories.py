"""Project memory as the owner serves it: queries, marker lines for the prompt, what tools use."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.memory.markers import choose
from hermes.memory.project import project_hash
from hermes.node.desk import Query
from hermes.store.memory import Memory
from hermes.store.store import Store

_MARKER_CHARS = 1_600
_CANDIDATES = 50
_LONGEST = 4_000  # characters of one memory


class Memories:
    """One store's memories, addressed by project directory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "memory.add": self.add,
            "memory.search": self.search,
            "memory.list": self.list,
            "memory.forget": self.forget,
        }

    async def markers(self, root: str, limit: int) -> tuple[str, ...]:
        """The newest memories of a project as marker lines (`prompt.sections.Recall`)."""
        rows = await self._store.memory.list(await _hash(root), _CANDIDATES)
        return choose(rows, _MARKER_CHARS, limit)

    async def add(self, root: str, content: str, type: str = "decision") -> Json:  # noqa: A002 - the public query's word
        """Remember what the person says."""
        text = content.strip()
        if not text or len(text) > _LONGEST:
            raise Usage(f"a memory has 1 to {_LONGEST} characters", f"this one has {len(text)}")
        identity = await self._store.memory.add(await _hash(root), type, text, "person")
        return _plain(await self._store.memory.get(identity))

    async def search(self, root: str, query: str, limit: int = 20) -> Json:
        """Memories that share words with the query."""
        found = await self._store.memory.recall(await _hash(root), query, limit)
        return [_plain(memory) for memory in found]

    async def list(self, root: str, limit: int = 50, offset: int = 0) -> Json:
        """Newest first."""
        found = await self._store.memory.list(await _hash(root), limit, offset)
        return [_plain(memory) for memory in found]

    async def forget(self, id: int) -> Json:  # noqa: A002
        """Erase a memory's words for good."""
        return {"id": id, "erased": await self._store.memory.forget(int(id))}


async def _hash(root: str) -> str:
    return await anyio.to_thread.run_sync(partial(project_hash, Path(root)))


def _plain(memory: Memory) -> dict[str, Json]:
    plain: dict[str, Json] = msgspec.to_builtins(memory)
    expires = memory.expires_at
    return plain | {
        "promoted_at": rfc3339(memory.promoted_at),
        "expires_at": None if expires is None else rfc3339(expires),
    }
