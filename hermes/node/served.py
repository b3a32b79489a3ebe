"""Models that answer over HTTP: servers by their address, and GGUFs on the embedded engine.

Apart from the shelf because loading HTTP costs a start 20 ms, and a script needs none of it.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread
import msgspec

from hermes.config import Settings
from hermes.core.event import Json
from hermes.errors import NotAvailable, Usage
from hermes.models.client import ChatClient
from hermes.models.describe import describe
from hermes.models.embedded import EmbeddedModel
from hermes.models.engine import Engine
from hermes.models.engine_plan import EnginePlan, window_of
from hermes.models.gguf import read_gguf, shipped_model
from hermes.models.model import Model
from hermes.models.prefixes import Prefixes
from hermes.models.prefixes_shelf import PrefixShelf, open_shelf
from hermes.models.server import Server
from hermes.models.servers import find_servers
from hermes.node.wish import WINDOW, Wish, profile_for

T = TypeVar("T")
_ENGINE_WINDOW = 32_768  # an engine's window unless --context asks for more: it costs memory


class Hold(Protocol):
    """Opens something that stays open as long as the owner."""

    async def __call__(self, opened: AbstractAsyncContextManager[T]) -> T:
        """Open it."""
        ...


class Served:
    """Opens models and engines; the shelf keeps them (`node.shelf.Backends`)."""

    def __init__(self, settings: Settings, notice: Callable[[str], None], hold: Hold) -> None:
        self._settings = settings
        self._notice = notice
        self._hold = hold
        self._making = anyio.Lock()
        self._engines: dict[tuple[Path, int], Engine] = {}
        self._shelf: PrefixShelf | None = None

    async def open(self, wish: Wish) -> Model:
        """Open a server's model or a GGUF; raises ModelError or Usage."""
        if "://" in wish.spec:
            return await self._server(wish)
        engine = await self._engine(wish)
        profile = wish.profile or engine.info.profile or profile_for(engine.window)
        return await self._hold(EmbeddedModel(engine, profile))

    async def warm(self, wish: Wish) -> None:
        """Start the engine of a GGUF."""
        await (await self._engine(wish)).ensure()

    def state(self) -> str:
        """Whether an engine is loaded."""
        states = {engine.state for engine in self._engines.values()}
        known = ("ready", "starting", "stopped")
        return next((state for state in known if state in states), "none")

    def prefixes(self) -> dict[str, int]:
        """How many evaluated prefixes are kept, and what they take; empty where none are."""
        return self._shelf.facts() if self._shelf is not None else {}

    def counts(self, model: Model) -> bool:
        """Whether a model counts tokens with its own tokenizer."""
        return isinstance(model, EmbeddedModel)

    def shares(self, model: Model) -> bool:
        """Whether a model runs on this machine, so that asking it may hold up a turn."""
        return isinstance(model, EmbeddedModel) or (isinstance(model, ChatClient) and model.near)

    async def local(self) -> list[dict[str, Json]]:
        """The models of this machine's servers."""
        return [
            {
                "model": f"{server.base_url}#{model.name}",
                "kind": server.kind,
                "window": model.window,
            }
            for server in await find_servers()
            for model in server.models
        ]

    async def _server(self, wish: Wish) -> Model:
        url, _, name = wish.spec.partition("#")
        server = Server(model=name, base_url=url, api_key=wish.api_key)
        window = wish.window
        if not (name and window):
            found = await describe(server)
            if not name and not found.models:
                raise Usage(f"{url} offers no model", "name one: URL#MODEL")
            name, window = name or found.models[0], window or found.window or WINDOW
        profile = wish.profile or profile_for(window)
        opened = msgspec.structs.replace(server, model=name, window=window, profile=profile)
        return await self._hold(ChatClient(opened))

    async def _engine(self, wish: Wish) -> Engine:
        path = wish.path if wish.spec else shipped_model()
        info = await anyio.to_thread.run_sync(read_gguf, path)
        key = (info.path, wish.window)
        async with self._making:  # warming and the first turn must share one
            if key not in self._engines:
                plan = EnginePlan(
                    runtime_dir=self._settings.runtime_dir,
                    kind=self._settings.engine,
                    window=wish.window or min(info.context_length or WINDOW, _ENGINE_WINDOW),
                    threads=self._settings.engine_threads,
                    keep_alive_s=self._settings.keep_alive_s,
                )
                told = partial(self._restarted, info.name)
                if shelf := await self._saved_prefixes():
                    plan = msgspec.structs.replace(plan, slots_dir=shelf.directory)
                    keeping = Prefixes(shelf, info, window_of(info, plan.window))
                    self._engines[key] = await self._hold(Engine(info, plan, told, keeping))
                else:
                    self._engines[key] = await self._hold(Engine(info, plan, told))
            return self._engines[key]

    async def _saved_prefixes(self) -> PrefixShelf | None:
        """Where evaluated prefixes are kept; None where the engine or the place cannot."""
        if self._settings.engine != "xllamacpp" or self._shelf is not None:
            return self._shelf
        place, most = self._settings.data_dir / "prefixes", self._settings.memory.prefix_mib
        try:
            self._shelf = await anyio.to_thread.run_sync(open_shelf, place, most << 20)
        except (OSError, NotAvailable) as error:
            self._notice(f"evaluated prefixes are not kept: {error}")
        return self._shelf

    def _restarted(self, name: str, reason: str) -> None:
        self._notice(f"the engine of {name} was started again: {reason}")
