"""Finds the model that a turn names: the one that ships, a GGUF, a server, a script.

A model is opened once and shared by all front ends of the owner; a script is played once a
conversation, going on where an earlier owner was cut off.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol, Self, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from hermes.config import Settings
from hermes.conversation.session import Session
from hermes.core.event import Json
from hermes.core.request import TurnRequest
from hermes.load import load
from hermes.models.gguf import read_gguf, shipped_model
from hermes.models.model import Model
from hermes.models.scripted import ScriptedModel
from hermes.node.wish import SCRIPTED, Wish, profile_for, wish_of

T = TypeVar("T")


class Backends(Protocol):
    """What opens models that are no script; loaded when the first of them is wanted."""

    async def open(self, wish: Wish) -> Model:
        """Open a server's model or a GGUF."""
        ...

    async def warm(self, wish: Wish) -> None:
        """Start the engine of a GGUF."""
        ...

    def state(self) -> str:
        """Whether an engine is loaded."""
        ...

    def counts(self, model: Model) -> bool:
        """Whether a model counts tokens with its own tokenizer."""
        ...

    def shares(self, model: Model) -> bool:
        """Whether a model runs on this machine, so that asking it may hold up a turn."""
        ...

    async def local(self) -> list[dict[str, Json]]:
        """The models of this machine's servers."""
        ...


class Shelf(anyio.AsyncContextManagerMixin):
    """The owner's models, by what they were asked for with (`conversation.kit.Models`)."""

    def __init__(self, settings: Settings, notice: Callable[[str], None]) -> None:
        self._settings = settings
        self._notice = notice
        self._opening = anyio.Lock()
        self._loading = anyio.Lock()
        self._models: dict[tuple[str, ...], Model] = {}
        self._backends: Backends | None = None
        self._tasks: TaskGroup
        self.shipped = shipped_model().stem

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with anyio.create_task_group() as self._tasks:
            yield self
            self._tasks.cancel_scope.cancel()

    async def open(self, request: TurnRequest, session: Session) -> Model:
        """Return the model, opened; raises ModelError or Usage."""
        wish = wish_of(request, self._settings)
        key = tuple(map(str, wish))
        if wish.spec.startswith(SCRIPTED):
            state = await anyio.to_thread.run_sync(_state_of, wish.path)
            key += (session.conversation, state)
        async with self._opening:
            if key not in self._models:
                self._models[key] = await self._make(wish, session)
            return self._models[key]

    async def beside(self, request: TurnRequest) -> Model:
        """Return a model that is no script, for no conversation; raises ModelError or Usage."""
        wish = wish_of(request, self._settings)
        async with self._opening:
            if (key := tuple(map(str, wish))) not in self._models:
                self._models[key] = await (await self._served()).open(wish)
            return self._models[key]

    def named(self, request: TurnRequest) -> str:
        """What the person would call the model that a request names."""
        return request.model or self._settings.model or self.shipped

    def engine_facts(self) -> dict[str, Json]:
        """Whether the embedded engine is loaded."""
        return {"state": self._backends.state() if self._backends else "none"}

    def counts(self, model: Model) -> bool:
        """Whether a model counts tokens with its own tokenizer."""
        return self._backends is not None and self._backends.counts(model)

    def shares(self, model: Model) -> bool:
        """Whether a model runs on this machine, so that asking it may hold up a turn."""
        return self._backends is not None and self._backends.shares(model)

    async def warm(self) -> None:
        """Start the default model's engine while nobody waits for it yet."""
        wish = Wish(self._settings.model, self._settings.profile, self._settings.context, "", "/")
        if "://" not in wish.spec and not wish.spec.startswith(SCRIPTED):
            await (await self._served()).warm(wish)

    async def models(self) -> Json:
        """The models that can be chosen: the one that ships, and those of local servers."""
        info = await anyio.to_thread.run_sync(read_gguf, shipped_model())
        found = [
            {"model": str(info.path), "kind": "embedded", "window": info.context_length},
            *(await (await self._served()).local() if self._settings.search_servers else ()),
        ]
        chosen = self._settings.model or str(info.path)
        return [one | {"current": one["model"] == chosen} for one in found]

    async def _make(self, wish: Wish, session: Session) -> Model:
        if not wish.spec.startswith(SCRIPTED):
            return await (await self._served()).open(wish)
        script = await anyio.to_thread.run_sync(ScriptedModel.read, wish.path)
        script.skip(_played(session))
        window = wish.window or script.window
        return script.sized(window, wish.profile or profile_for(window))

    async def _served(self) -> Backends:
        async with self._loading:
            if self._backends is None:
                part = await anyio.to_thread.run_sync(load, "served")
                self._backends = part.Served(self._settings, self._notice, self._hold)
            return self._backends

    async def _hold(self, opened: AbstractAsyncContextManager[T]) -> T:
        """Open something in a task of its own: whoever asked first may be gone long before it."""
        held: T = await self._tasks.start(_keep, opened)
        return held


async def _keep(opened: AbstractAsyncContextManager[T], *, task_status: TaskStatus[T]) -> None:
    async with opened as held:
        task_status.started(held)
        await anyio.sleep_forever()


def _state_of(path: Path) -> str:
    """Tells a script that was written anew from the one that was played."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _played(session: Session) -> int:
    """The replies that an interrupted session, and those that went on with it, have had."""
    sessions = [message.session for message in session.messages]
    if session.continues not in sessions:
        return 0
    since = session.messages[sessions.index(session.continues) :]
    return sum(message.role == "assistant" for message in since)
