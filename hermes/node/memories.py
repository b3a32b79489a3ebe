"""Project memory as the owner serves it: queries, and what the tools of memory work on."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.load import load
from hermes.memory.project import project_hash
from hermes.memory.recall import Hit, Recalled, Recaller, ids
from hermes.node.desk import Query
from hermes.store.memory import Memory
from hermes.store.store import Store

_LONGEST = 4_000  # characters of one memory


class Memories:
    """One store's memories, addressed by project directory."""

    def __init__(self, store: Store, recaller: Recaller, least: float) -> None:
        self._store = store
        self._recaller = recaller
        self._least = least

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "memory.add": self.add,
            "memory.search": self.search,
            "memory.list": self.list,
            "memory.forget": self.forget,
            "memory.why": self.why,
        }

    async def add(self, root: str, content: str, type: str = "decision") -> Json:  # noqa: A002 - the public query's word
        """Remember what the person says."""
        text = content.strip()
        if not text or len(text) > _LONGEST:
            raise Usage(f"a memory has 1 to {_LONGEST} characters", f"this one has {len(text)}")
        if kind := await anyio.to_thread.run_sync(_secret_in, text):
            raise Usage(
                f"this holds a secret ({kind}): it was not kept",
                "leave the secret out, and say where it is stored instead",
            )
        identity = await self._store.memory.add(await hash_of(root), type, text, "person")
        return _plain(await self._store.memory.get(identity))

    async def search(self, root: str, query: str, limit: int = 20) -> Json:
        """Memories and sentences of the person that fit the query, best first, with scores."""
        found = await self._recaller.ask(await hash_of(root), query, limit)
        return [_scored(one) for one in found]

    async def list(self, root: str, limit: int = 50, offset: int = 0) -> Json:
        """Newest first."""
        found = await self._store.memory.list(await hash_of(root), limit, offset)
        return [_plain(memory) for memory in found]

    async def forget(self, id: int) -> Json:  # noqa: A002
        """Erase a memory's words for good."""
        await self._recaller.forgetting(await self._store.memory.get(int(id)))
        return {"id": id, "erased": await self._store.memory.forget(int(id))}

    async def why(self, root: str, conversation: str = "", turns: int = 5) -> Json:
        """What memory brought to a conversation's last turns, and why; none named: the newest."""
        named = (
            await self._store.conversations.resolve(conversation)
            if conversation
            else await self._store.recalled.newest(root)
        )
        found = await self._store.recalled.why(named, turns) if named else ()
        return {
            "conversation_id": named or "",
            "least": self._least,
            "memories": [msgspec.to_builtins(one) | {"at": rfc3339(one.at)} for one in found],
        }


class Line(msgspec.Struct, frozen=True):
    """What the tool Recall is told."""

    content: str


class Notebook:
    """What the tools Remember and Recall work on (`tools.recall.Memories`)."""

    def __init__(self, store: Store, recaller: Recaller) -> None:
        self._store = store
        self._recaller = recaller
        self.add = store.memory.add

    async def recall(self, project_hash: str, query: str, limit: int) -> Sequence[Line]:
        """What answers the query, best first; each memory counts as used."""
        found = await self._recaller.ask(project_hash, query, limit)
        held = [one for one in found if isinstance(one, Recalled) and one.until is None]
        await self._store.recalled.used(ids(held))
        return [Line(one.line) for one in found]


async def hash_of(root: str) -> str:
    """The project that a directory belongs to."""
    return await anyio.to_thread.run_sync(partial(project_hash, Path(root)))


def _scored(one: Hit) -> dict[str, Json]:
    until = {} if one.until is None else {"until": rfc3339(one.until)}
    if isinstance(one, Recalled):
        why = msgspec.to_builtins(one.why)
        beside = {"others": list(one.others)} if one.others else {}
        return _plain(one.memory) | {"score": one.score, "why": why} | until | beside
    return {
        "id": None,
        "memory_type": "said",
        "content": one.line,
        "source_session_id": one.session,
        "promoted_at": rfc3339(one.at),
        "score": one.score,
        "why": {"words": list(one.words), "cid": one.cid},
    } | until


def _secret_in(text: str) -> str:
    kind: str = load("secrets").secret_in(text)
    return kind


def _plain(memory: Memory) -> dict[str, Json]:
    plain: dict[str, Json] = msgspec.to_builtins(memory)
    expires = memory.expires_at
    return plain | {
        "promoted_at": rfc3339(memory.promoted_at),
        "expires_at": None if expires is None else rfc3339(expires),
    }
