"""Finds the model that a turn names: the one that ships, a GGUF, a server, a script.

A model is opened once and shared by all front ends of the owner; a script is played once a
conversation, going on where an earlier owner was cut off.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, Self, TypeVar

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from hermes.config import Settings
from hermes.conversation.session import Session
from hermes.core.event import Json
from hermes.core.request import Profile, TurnRequest
from hermes.errors import Usage
from hermes.models.client import ChatClient
from hermes.models.describe import describe
from hermes.models.embedded import EmbeddedModel
from hermes.models.engine import Engine
from hermes.models.engine_plan import EnginePlan
from hermes.models.gguf import read_gguf, shipped_model
from hermes.models.model import Model
from hermes.models.scripted import ScriptedModel
from hermes.models.server import Server
from hermes.models.servers import find_servers

T = TypeVar("T")
_WINDOW = 4_096  # where nobody says how large it is
_FULL_FROM = 16_384  # tokens of window from which a model gets the full prompt
_ENGINE_WINDOW = 32_768  # an engine's window unless --context asks for more: it costs memory
_SCRIPTED = "scripted:"


class Wish(NamedTuple):
    """What a turn asks for: the model's words, profile and window (0: the model's)."""

    spec: str
    profile: Profile | Literal[""]
    window: int
    api_key: str
    cwd: str


class Shelf(anyio.AsyncContextManagerMixin):
    """The owner's models, by what they were asked for with (`conversation.kit.Models`)."""

    def __init__(self, settings: Settings, notice: Callable[[str], None]) -> None:
        self._settings = settings
        self._notice = notice
        self._opening = anyio.Lock()
        self._models: dict[tuple[str, ...], Model] = {}
        self._engines: dict[tuple[Path, int], Engine] = {}
        self._tasks: TaskGroup
        self.shipped = shipped_model().stem

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with anyio.create_task_group() as self._tasks:
            yield self
            self._tasks.cancel_scope.cancel()

    async def open(self, request: TurnRequest, session: Session) -> Model:
        """Return the model, opened; raises ModelError or Usage."""
        wish = self._wish(request)
        key = tuple(map(str, wish))
        if wish.spec.startswith(_SCRIPTED):
            path = _path_of(wish, _SCRIPTED)
            state = await anyio.to_thread.run_sync(_state_of, path)
            key += (session.conversation, state)
        async with self._opening:
            if key not in self._models:
                self._models[key] = await self._make(wish, session)
            return self._models[key]

    def engine_facts(self) -> dict[str, Json]:
        """Whether the embedded engine is loaded."""
        states = {engine.state for engine in self._engines.values()}
        known = ("ready", "starting", "stopped")
        return {"state": next((state for state in known if state in states), "none")}

    async def warm(self) -> None:
        """Start the default model's engine while nobody waits for it yet."""
        wish = Wish(self._settings.model, self._settings.profile, self._settings.context, "", "/")
        if "://" not in wish.spec and not wish.spec.startswith(_SCRIPTED):
            await (await self._engine(wish)).ensure()

    async def models(self) -> Json:
        """The models that can be chosen: the one that ships, and those of local servers."""
        shipped = {"model": "", "kind": "embedded", "window": 0, "current": True}
        info = await anyio.to_thread.run_sync(read_gguf, shipped_model())
        found: list[Json] = [
            shipped
            | {
                "model": str(info.path),
                "window": info.context_length,
                "current": not self._settings.model,
            }
        ]
        for server in await find_servers() if self._settings.search_servers else ():
            found += [
                {
                    "model": f"{server.base_url}#{model.name}",
                    "kind": server.kind,
                    "window": model.window,
                    "current": self._settings.model == f"{server.base_url}#{model.name}",
                }
                for model in server.models
            ]
        return found

    def _wish(self, request: TurnRequest) -> Wish:
        return Wish(
            request.model or self._settings.model,
            request.profile or self._settings.profile,
            request.context or self._settings.context,
            request.api_key or self._settings.api_key,
            request.cwd,
        )

    async def _make(self, wish: Wish, session: Session) -> Model:
        if wish.spec.startswith(_SCRIPTED):
            path = _path_of(wish, _SCRIPTED)
            script = await anyio.to_thread.run_sync(ScriptedModel.read, path)
            script.skip(_played(session))
            window = wish.window or script.window
            return script.sized(window, wish.profile or _profile_for(window))
        if "://" in wish.spec:
            return await self._server(wish)
        engine = await self._engine(wish)
        profile = wish.profile or engine.info.profile or _profile_for(engine.window)
        return await self._hold(EmbeddedModel(engine, profile))

    async def _server(self, wish: Wish) -> Model:
        url, _, name = wish.spec.partition("#")
        server = Server(model=name, base_url=url, api_key=wish.api_key)
        window = wish.window
        if not (name and window):
            found = await describe(server)
            if not name and not found.models:
                raise Usage(f"{url} offers no model", "name one: URL#MODEL")
            name, window = name or found.models[0], window or found.window or _WINDOW
        profile = wish.profile or _profile_for(window)
        opened = msgspec.structs.replace(server, model=name, window=window, profile=profile)
        return await self._hold(ChatClient(opened))

    async def _engine(self, wish: Wish) -> Engine:
        path = _path_of(wish, "") if wish.spec else shipped_model()
        info = await anyio.to_thread.run_sync(read_gguf, path)
        key = (info.path, wish.window)
        if key not in self._engines:
            plan = EnginePlan(
                runtime_dir=self._settings.runtime_dir,
                kind=self._settings.engine,
                window=wish.window or min(info.context_length or _WINDOW, _ENGINE_WINDOW),
                threads=self._settings.engine_threads,
                keep_alive_s=self._settings.keep_alive_s,
            )
            told = partial(self._restarted, info.name)
            self._engines[key] = await self._hold(Engine(info, plan, told))
        return self._engines[key]

    async def _hold(self, opened: AbstractAsyncContextManager[T]) -> T:
        """Open something in a task of its own: whoever asked first may be gone long before it."""
        held: T = await self._tasks.start(_keep, opened)
        return held

    def _restarted(self, name: str, reason: str) -> None:
        self._notice(f"the engine of {name} was started again: {reason}")


async def _keep(opened: AbstractAsyncContextManager[T], *, task_status: TaskStatus[T]) -> None:
    async with opened as held:
        task_status.started(held)
        await anyio.sleep_forever()


def _path_of(wish: Wish, prefix: str) -> Path:
    return Path(wish.cwd, wish.spec.removeprefix(prefix))


def _state_of(path: Path) -> str:
    """Tells a script that was written anew from the one that was played."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _played(session: Session) -> int:
    """The replies that an interrupted session has had already."""
    before = [m for m in session.messages if m.session == session.continues]
    return sum(message.role == "assistant" for message in before)


def _profile_for(window: int) -> Profile:
    return "full" if window >= _FULL_FROM else "lean"
