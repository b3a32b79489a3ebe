"""The engine's slots over HTTP: which request lies in which, save one to a file, restore one.

Measured on xllamacpp 2026.10: a request goes to the free slot whose tokens it shares most with
(more than a tenth), else to the least recently used one, whose state moves to a cache in memory
first. A restored slot counts like an evaluated one, but what it replaces is lost, not moved.
`id_task` is that of the last request in a slot. A slot that works defers a save or restore.
"""

from typing import Literal, TypeVar

import msgspec

from hermes.errors import ModelError
from hermes.models.server import Server, Timeouts
from hermes.models.transport import Transport

T = TypeVar("T")
_LONGEST_S = 20.0


class Slot(msgspec.Struct, frozen=True):
    """`id_task` -1 and `n_prompt_tokens` 0: no request was in it."""

    id: int
    is_processing: bool = False
    id_task: int = -1
    n_prompt_tokens: int = 0


class _Restored(msgspec.Struct):
    n_restored: int


class Saved(msgspec.Struct, frozen=True, rename={"tokens": "n_saved", "size": "n_written"}):
    """What was written: tokens, bytes."""

    tokens: int
    size: int


class SlotDoor:
    """Speaks to one running engine. None from any method: it did not work."""

    def __init__(self, uds: str, key: str) -> None:
        self._server = Server(model="", uds=uds, api_key=key, embedded=True)

    async def slots(self) -> list[Slot] | None:
        """All slots."""
        return await self._fetch("GET", "/slots", b"", list[Slot])

    async def save(self, slot: int, name: str) -> Saved | None:
        """Write a slot's state to a file in the engine's directory of slots."""
        return await self._fetch("POST", f"/slots/{slot}?action=save", _file(name), Saved)

    async def restore(self, slot: int, name: str) -> int | None:
        """Read a slot's state from a file: its tokens."""
        path = f"/slots/{slot}?action=restore"
        answer = await self._fetch("POST", path, _file(name), _Restored)
        return answer.n_restored if answer else None

    async def _fetch(
        self, method: Literal["GET", "POST"], path: str, body: bytes, kind: type[T]
    ) -> T | None:
        # A connection each time: the engine it leads to may be another one by now.
        async with Transport(self._server, Timeouts()) as transport:
            try:
                answer = await transport.fetch(method, path, body, _LONGEST_S)
                return msgspec.json.decode(answer, type=kind)
            except (ModelError, ValueError):
                return None


def _file(name: str) -> bytes:
    return msgspec.json.encode({"filename": name})
