"""The warm prefix: an engine's evaluated conversations saved to disk, and taken up again.

What is saved is a slot's state (the shipped model: 4,112 bytes a token in F16; one of 7 billion
parameters with grouped heads: about 130 kB), with the chain of the request that was evaluated.
When: once no request ran for `settle_s`, and before the engine is stopped; never while one runs.
When it comes back: at the engine's start the state used last, while nobody waits yet; and before a
request whose beginning a saved state knows by far better than any slot, so a new conversation
begins with the system text and tools of an earlier one. A wrong guess costs time alone: the engine
compares token by token what it was given with what is asked.

A request that comes while a save runs waits for it (37 ms for 8,000 tokens of the shipped model).
The directory holds what was said, readable for who can read the store. The engine's own cache in
memory is not seen here: a state that lies only there may be read from disk once more.
"""

import secrets
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from hermes.core.model import ModelRequest
from hermes.errors import ModelError
from hermes.models.gguf import GgufInfo
from hermes.models.prefixes_book import Asked, Held, SlotBook
from hermes.models.prefixes_chain import Chain, chain_of
from hermes.models.prefixes_index import Prefix
from hermes.models.prefixes_shelf import PART, PrefixShelf
from hermes.models.prefixes_slots import SlotDoor

SETTLE_S = 2.0
PARTING_S = 5.0
_AT_ONCE = 64 * 1024 * 1024  # a GGUF up to here is hashed while the engine starts
_LEAVING_S = 0.01


class Prefixes(anyio.AsyncContextManagerMixin):
    """The prefixes of one engine (`models.engine_keeping.Keeping`); a shelf may serve several.

    `settle_s` without a request before a save; at most `parting_s` for all saves at the end.
    """

    def __init__(
        self,
        shelf: PrefixShelf,
        info: GgufInfo,
        window: int,
        settle_s: float = SETTLE_S,
        parting_s: float = PARTING_S,
    ) -> None:
        self._shelf = shelf
        self._info = info
        self._window = window
        self._settle_s = settle_s
        self._parting_s = parting_s
        self._model = ""
        self._door: SlotDoor | None = None
        self._book = SlotBook()
        self._lock = anyio.Lock()
        self._prepared = anyio.Event()
        self._ready = anyio.Event()
        self._preparing = anyio.CancelScope()
        self._settling = anyio.CancelScope()
        self._tasks: TaskGroup | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield self
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel()

    def starting(self) -> None:
        """An engine is being started: look up meanwhile what may be restored."""
        self._preparing.cancel()
        self._prepared.set()  # who waits for an engine that is gone goes on, and fails by itself
        self._prepared, self._ready = anyio.Event(), anyio.Event()
        self._door = None
        self._preparing = anyio.CancelScope()
        if self._tasks is not None:
            self._tasks.start_soon(self._prepare, self._preparing)

    def ready(self, uds: str, key: str) -> None:
        """The engine answers; its slots are empty."""
        self._door = SlotDoor(uds, key)
        self._book = SlotBook()
        self._ready.set()

    async def parting(self) -> None:
        """The engine is about to be stopped: save what is not saved yet, within seconds."""
        with anyio.move_on_after(self._parting_s):
            while await self._save_all():  # noqa: ASYNC110 - nobody tells when a slot is left
                await anyio.sleep(_LEAVING_S)

    async def warmed(self) -> None:
        """Return once the state used last is back; after `ready`."""
        async with self._lock:
            return

    async def saved(self) -> None:
        """Save now what is worth it."""
        await self._save_all()

    @asynccontextmanager
    async def around(self, request: ModelRequest) -> AsyncGenerator[None]:
        """Watch over one request: restore before it what fits, note after it what lies where.

        Raises nothing of its own: without a prefix the request only takes longer.
        """
        chain = chain_of(request)
        self._settling.cancel()
        await self._restore_for(chain)
        book = self._book
        asked = book.begin(chain)
        try:
            yield
        except ModelError:
            asked.chain = ()
            raise
        finally:
            self._ended(book, asked)

    def _ended(self, book: SlotBook, asked: Asked) -> None:
        book.end(asked)
        if self._tasks is not None and book is self._book:
            self._tasks.start_soon(self._note)

    async def _prepare(self, scope: anyio.CancelScope) -> None:
        """Find the model's key and bring its newest state back, before somebody asks."""
        with scope:
            async with self._lock:
                newest = await to_thread.run_sync(self._newest)
                self._prepared.set()
                await self._ready.wait()
                if newest is not None and not self._book.requests:
                    await self._restore(newest)
            if not self._model:
                whole = partial(self._identify, most=sys.maxsize)
                self._model = await to_thread.run_sync(whole)

    def _newest(self) -> Prefix | None:
        """The state used last, checked. Blocking."""
        self._model = self._identify(most=_AT_ONCE)
        newest = next(iter(self._shelf.of(self._model)), None)
        return newest if newest is not None and self._shelf.is_sound(newest) else None

    def _identify(self, *, most: int) -> str:
        try:
            return self._shelf.identify(self._info.path, self._window, most=most)
        except OSError:
            return ""  # it went away: the engine will say so

    async def _restore_for(self, chain: Chain) -> None:
        await self._prepared.wait()
        if self._best(chain) is None:
            return
        async with self._lock:
            if (best := self._best(chain)) is not None:
                await self._restore(best)

    def _best(self, chain: Chain) -> Prefix | None:
        return self._book.best(chain, self._shelf.of(self._model))

    async def _restore(self, prefix: Prefix) -> None:
        """Put a state into a slot that nobody uses; a file that does not work is deleted."""
        slots = await self._door.slots() if self._door is not None else None
        if self._door is None or not slots or (slot := self._book.free(slots)) is None:
            return
        if not await to_thread.run_sync(self._shelf.is_sound, prefix):
            return
        if (held := self._book.held.get(slot.id)) is not None:
            await self._save(slot.id, held)  # the engine would lose it
        self._book.empty(slot)
        tokens = await self._door.restore(slot.id, prefix.name)
        if tokens is None:
            await to_thread.run_sync(self._shelf.drop, prefix.name)
            return
        self._book.fill(slot, prefix, tokens)
        if self._tasks is not None:
            self._tasks.start_soon(to_thread.run_sync, self._shelf.touch, prefix.name)

    async def _note(self) -> None:
        """After a request: write down which slot it lies in, and let the clock run."""
        async with self._lock:
            await self._attribute()
        self._settling.cancel()
        if self._tasks is not None and not self._book.is_busy:
            self._settling = scope = anyio.CancelScope()
            self._tasks.start_soon(self._settle, scope)

    async def _settle(self, scope: anyio.CancelScope) -> None:
        with scope:
            await anyio.sleep(self._settle_s)
        if not scope.cancel_called:
            await self._save_all()

    async def _attribute(self) -> bool:
        """Bring the book up to date; True where a slot is still being left."""
        if self._door is None or not self._book.is_behind:
            return False
        book, slots = self._book, await self._door.slots()
        book.attribute(slots or [])
        return book.is_behind

    async def _save_all(self) -> bool:
        """Save what is worth it; True where a slot is still being left."""
        async with self._lock:
            behind = await self._attribute()
        for slot, held in list(self._book.held.items()):
            async with self._lock:
                if self._book.is_busy:
                    return False  # it comes first
                if self._book.held.get(slot) is held:
                    await self._save(slot, held)
        return behind

    async def _save(self, slot: int, held: Held) -> None:
        """Write a slot's state to the shelf, where it is not there and that spares enough."""
        if held.saved or self._door is None or not self._model:
            return
        if not self._book.is_worth_saving(held, self._shelf.of(self._model)):
            return
        held.saved = True
        if not await to_thread.run_sync(self._shelf.has_room, self._model, held.tokens):
            return
        part = f"{secrets.token_hex(8)}{PART}"
        saved = await self._door.save(slot, part)
        if saved is None or saved.tokens != held.tokens:  # it failed, or another request came first
            await to_thread.run_sync(self._shelf.discard, part)
            return
        keep = partial(self._shelf.keep, part, self._model, held.chain, saved.tokens, saved.size)
        await to_thread.run_sync(keep)
