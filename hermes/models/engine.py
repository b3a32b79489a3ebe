"""The embedded engine's supervisor: one child process a model, started when it is needed.

The engine is a process of its own so that a crash or out-of-memory in native code costs a turn,
never the node. It ends when idle, when its owner closes it, and when its owner dies. Nothing
here understands what the engine says; that is the client's work.
"""

import math
import os
import secrets
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from hermes.config import Engine as EngineKind
from hermes.errors import EngineDied, HermesError
from hermes.models.engine_home import EngineHome, private_place
from hermes.models.engine_keeping import Keeping
from hermes.models.engine_plan import EnginePlan, slots_of, threads_of, window_of
from hermes.models.engine_process import EngineProcess, command_of, engine_process, is_dead
from hermes.models.engine_wire import EngineOptions
from hermes.models.gguf import GgufInfo, read_gguf

_MODULES: dict[EngineKind, str] = {
    "xllamacpp": "hermes.models.engine_xllamacpp",
    "llama-cpp-python": "hermes.models.engine_llama_cpp",
}
_MOST_DEATHS = 3
_NOTICED_S = 1.0


@dataclass(frozen=True)
class EngineServer:
    """Where a running engine answers: a unix socket, the key it wants, its window in tokens."""

    uds: str
    key: str = field(repr=False)
    window: int
    pid: int


@dataclass(eq=False)
class _Life:
    """One life of the child: `settled` once it is ready or has failed, `over` once it is gone.

    `alive` is shielded: who cancels the engine's owner must not end the child before what it has
    evaluated is kept. The engine itself cancels it.
    """

    settled: anyio.Event = field(default_factory=anyio.Event)
    over: anyio.Event = field(default_factory=anyio.Event)
    idle: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    alive: anyio.CancelScope = field(default_factory=lambda: anyio.CancelScope(shield=True))
    server: EngineServer | None = None
    error: HermesError | None = None

    def is_ending(self) -> bool:
        """Whether it is on its way out, noticed or not."""
        if self.idle.cancel_called or self.over.is_set():
            return True
        return self.server is not None and is_dead(self.server.pid)


class Engine(anyio.AsyncContextManagerMixin):
    """Runs a GGUF's engine for one owner; all of the owner's front ends share it.

    `on_restart` is told why the engine died when it is started again; `keeping` is told of every
    start and stop, and stays open as long as this.
    """

    def __init__(
        self,
        info: GgufInfo,
        plan: EnginePlan,
        on_restart: Callable[[str], None] | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self.info = info
        self.plan = plan
        self.window = window_of(info, plan.window)
        self.keeping = keeping
        self._on_restart = on_restart
        self._key = secrets.token_urlsafe(32)
        self._deaths: deque[float] = deque(maxlen=_MOST_DEATHS)
        self._reason = ""
        self._dead: EngineServer | None = None
        self._uses = 0
        self._life: _Life | None = None
        self._home: EngineHome | None = None
        self._tasks: TaskGroup

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        try:
            async with AsyncExitStack() as stack:
                if self.keeping is not None:
                    await stack.enter_async_context(self.keeping)
                self._tasks = await stack.enter_async_context(anyio.create_task_group())
                try:
                    yield self
                finally:
                    await self._part()
                    if self._life is not None:
                        self._life.alive.cancel()
                    self._tasks.cancel_scope.cancel()
        finally:
            if self._home is not None:
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(self._home.close)

    @asynccontextmanager
    async def use(self) -> AsyncIterator[EngineServer]:
        """Keep the engine loaded while the context lasts; raises as `ensure`."""
        self._uses += 1
        self._rest()
        try:
            yield await self.ensure()
        finally:
            self._uses -= 1
            self._rest()

    async def ensure(self) -> EngineServer:
        """Start the engine unless it runs; concurrent callers share one start.

        Raises ModelFileInvalid, NotAvailable, or EngineDied with the engine's last words.
        """
        while (life := self._life) is not None and life.is_ending():
            await life.over.wait()
        if life is None:
            life = self._begin()
        await life.settled.wait()
        if life.error is not None:
            raise type(life.error)(life.error.message, life.error.remedy) from life.error
        if life.server is None:
            raise EngineDied("the engine was closed while it started")
        self._rest()
        return life.server

    async def death(self, server: EngineServer) -> str:
        """Why this engine ended; empty where it runs or was stopped for being idle.

        Waits up to a second: a stream that is cut is seen before the process's end.
        """
        if (life := self._life) is not None and life.server == server:
            with anyio.move_on_after(_NOTICED_S):
                await life.over.wait()
        return self._reason if self._dead == server else ""

    @property
    def state(self) -> Literal["stopped", "starting", "ready"]:
        """Whether the child runs."""
        life = self._life
        if life is None or life.is_ending():
            return "stopped"
        return "ready" if life.server is not None else "starting"

    def _begin(self) -> _Life:
        """Start a life; raises EngineDied after three deaths in a short time."""
        since = anyio.current_time() - self.plan.calm_s
        if len(self._deaths) == _MOST_DEATHS and self._deaths[0] > since:
            raise EngineDied(
                f"the engine died {_MOST_DEATHS} times within {self.plan.calm_s:g} s, "
                f"last: {self._reason}",
                "try a smaller window (--context) or another model, or wait a minute",
            )
        if self._reason and self._on_restart is not None:
            self._on_restart(self._reason)
        self._reason, self._dead = "", None
        self._life = life = _Life()
        self._tasks.start_soon(self._live, life)
        return life

    def _rest(self) -> None:
        """Let the idle clock run, or hold it while the engine is used."""
        if self._life is not None and self._life.server is not None:
            wait = math.inf if self._uses else self.plan.keep_alive_s
            self._life.idle.deadline = anyio.current_time() + wait

    async def _part(self) -> None:
        """Let what was evaluated be kept; a dead engine has nothing left."""
        life = self._life
        if self.keeping is not None and life is not None and life.server is not None:
            with anyio.CancelScope(shield=True):
                if not is_dead(life.server.pid):
                    await self.keeping.parting()

    async def _live(self, life: _Life) -> None:
        """One life of the child, from the file's check to its end."""
        if self.keeping is not None:
            self.keeping.starting()
        try:
            with life.alive:
                await self._run(life)
        except OSError as error:
            life.error = EngineDied(f"the engine cannot be started: {error}")
        except EngineDied as error:
            life.error = error
            self._died(error.message)
        except HermesError as error:
            life.error = error
        finally:
            self._life = None
            life.settled.set()
            life.over.set()

    async def _run(self, life: _Life) -> None:
        options = await to_thread.run_sync(self._options)
        command = command_of(self.plan.python, _MODULES[self.plan.kind])
        async with engine_process(self._tasks, command, Path(options.uds).parent) as child:
            await child.become_ready(options, self.plan.start_s)
            await self._serve(life, child, options)

    async def _serve(self, life: _Life, child: EngineProcess, options: EngineOptions) -> None:
        life.server = EngineServer(options.uds, options.key, options.window, child.pid)
        self._rest()
        if self.keeping is not None:
            self.keeping.ready(options.uds, options.key)
        life.settled.set()
        with life.idle:
            await child.wait()
        if life.idle.cancelled_caught:
            await self._part()
        else:
            self._dead = life.server
            self._died(await child.reason())

    def _died(self, reason: str) -> None:
        self._deaths.append(anyio.current_time())
        self._reason = reason

    def _options(self) -> EngineOptions:
        """Check the file and make the socket's place. Blocking."""
        info = read_gguf(self.info.path)  # it may have changed since it was first read
        if self._home is None:
            self._home = EngineHome(self.plan.runtime_dir)
        self._home.socket.unlink(missing_ok=True)
        return EngineOptions(
            owner=os.getpid(),
            model=str(info.path),
            uds=str(self._home.socket),
            key=self._key,
            window=self.window,
            threads=threads_of(info, self.plan.threads),
            slots=slots_of(info, self.plan.slots),
            cache_ram_mib=self.plan.cache_ram_mib,
            slots_dir=private_place(self.plan.slots_dir),
        )
