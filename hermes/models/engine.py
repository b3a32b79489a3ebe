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
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from hermes.config import Engine as EngineKind
from hermes.errors import EngineDied, HermesError, NotAvailable
from hermes.models.engine_home import EngineHome
from hermes.models.engine_plan import EnginePlan, slots_of, threads_of, window_of
from hermes.models.engine_process import EngineProcess, command_of, engine_process
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
    """One life of the child: `settled` once it is ready or has failed, `over` once it is gone."""

    settled: anyio.Event = field(default_factory=anyio.Event)
    over: anyio.Event = field(default_factory=anyio.Event)
    idle: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    server: EngineServer | None = None
    error: HermesError | None = None

    def is_ending(self) -> bool:
        """Whether it is on its way out, noticed or not."""
        if self.idle.cancel_called or self.over.is_set():
            return True
        return self.server is not None and _is_dead(self.server.pid)


class Engine(anyio.AsyncContextManagerMixin):
    """Runs a GGUF's engine for one owner; all of the owner's front ends share it.

    `on_restart` is told why the engine died when it is started again.
    """

    def __init__(
        self, info: GgufInfo, plan: EnginePlan, on_restart: Callable[[str], None] | None = None
    ) -> None:
        self.info = info
        self.plan = plan
        self.window = window_of(info, plan.window)
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
            async with anyio.create_task_group() as self._tasks:
                try:
                    yield self
                finally:
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

    async def _live(self, life: _Life) -> None:
        """One life of the child, from the file's check to its end."""
        try:
            options = await to_thread.run_sync(self._options)
            command = command_of(self.plan.python, _MODULES[self.plan.kind])
            async with engine_process(self._tasks, command, Path(options.uds).parent) as child:
                await child.become_ready(options, self.plan.start_s)
                await self._serve(life, child, options)
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

    async def _serve(self, life: _Life, child: EngineProcess, options: EngineOptions) -> None:
        life.server = EngineServer(options.uds, options.key, options.window, child.pid)
        self._rest()
        life.settled.set()
        with life.idle:
            await child.wait()
        if not life.idle.cancelled_caught:
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
            slots_dir=_slots_dir(self.plan.slots_dir),
        )


def _slots_dir(directory: Path | None) -> str:
    """A directory for saved prefixes, made private; the engine wants a slash at its end."""
    if directory is None:
        return ""
    directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        raise NotAvailable(f"others can read {directory}", f"chmod 700 {directory}")
    return f"{directory}/"


def _is_dead(pid: int) -> bool:
    """Whether a child has ended, also when the loop has not noticed yet; reaps nothing."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
