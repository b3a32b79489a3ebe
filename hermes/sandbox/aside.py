"""A chat's commands in the sandbox: on a layer over the project, or only reading it.

What only reads gets the project itself, read-only, in a sandbox that waited for it; what may
write gets an overlay, whose changes come back. The standing is found with the first command.
Who may run what, and what becomes of the changes, is for the callers.
"""

import subprocess
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from hermes.errors import HermesError, NotLayable, ToolFailure
from hermes.sandbox.box import Box, Limits, Wires
from hermes.sandbox.boxing import Become, Boxed
from hermes.sandbox.command import Command
from hermes.sandbox.overlaid import FLOOD, Overlaid, collected, plain_env
from hermes.sandbox.standing import Standing, examine, run, spare
from hermes.sandbox.view import View

_GIB = 1 << 30
LIMITS = Limits(
    memory=4 * _GIB,
    tree_memory=6 * _GIB,
    processes=512,
    open_files=1024,
    file=_GIB,
    disk=_GIB,
    inodes=200_000,
    cpu_s=3_600,
    output=FLOOD,
)
_WIRES = Wires(stderr=subprocess.STDOUT, collect=False)
_WHOLE = {"A", "A-"}
_LOOK_AGAIN_S = 60.0  # a full machine may have failed the trial
_REMEDY = '; sandbox.bash = "guard" runs commands without the sandbox'


@dataclass
class _Waiting:
    """A sandbox that waits for a command of one project; `stack` ends it."""

    root: Path
    one: Boxed
    stack: AsyncExitStack


class Aside:
    """Runs commands in the sandbox; keeps one that waits for the project last read in."""

    def __init__(self, view: View, *, network: bool = False, limits: Limits = LIMITS) -> None:
        self._view = view
        self._network = network
        self._limits = limits
        self._lock = anyio.Lock()
        self._standing: Standing | None = None
        self._looked = 0.0
        self._waiting: _Waiting | None = None
        self._laying = False
        self._laid: set[Path] = set()
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            if (waiting := self._take(None)) is not None:
                await waiting.stack.aclose()
        await self._stack.__aexit__(kind, error, tb)

    @property
    def waits(self) -> bool:
        """Whether a sandbox waits for a command."""
        return self._waiting is not None

    async def holds(self) -> bool:
        """Whether this machine's sandbox is whole; tried once, and again later where it was not."""
        return (await self._stand()).tier in _WHOLE

    async def change(self, command: Command, root: Path) -> Overlaid | None:
        """Run a command on a layer over the project; raises ToolFailure.

        Nothing of it lives on when this returns or is cancelled, and nothing was changed. None:
        nothing can be laid over this project, and nothing ran.
        """
        return await self._answer(command, root, live=False)

    async def look(self, command: Command, root: Path) -> Overlaid | None:
        """Run a command that finds the project as it is and cannot change it; the same."""
        return await self._answer(command, root, live=True)

    async def _answer(self, command: Command, root: Path, *, live: bool) -> Overlaid | None:
        if any("\0" in word for word in command.argv):
            raise ToolFailure(f"cannot run {command.argv[0]}: embedded null byte")
        if not command.cwd.is_relative_to(root):
            raise ToolFailure("the working directory is outside of the project")
        standing = await self._stand()
        try:
            done = await self._run(standing, command, root, live=live)
        except ToolFailure:
            raise
        except NotLayable as error:
            if root not in self._laid:  # what held once is no guard's now
                return None
            raise ToolFailure(f"the sandbox: {error.message}{_REMEDY}") from error
        except HermesError as error:
            raise ToolFailure(f"the sandbox: {error.message}{_REMEDY}") from error
        except UnicodeEncodeError as error:
            raise ToolFailure(f"cannot run {command.argv[0]}: {error}") from error
        self._laid.add(root)
        return done

    async def _run(
        self, standing: Standing, command: Command, root: Path, *, live: bool
    ) -> Overlaid:
        output, take = collected(command)
        waiting = self._take(root) if live and not command.stdin else None
        if waiting is not None and not waiting.one.alive:
            await waiting.stack.aclose()
            waiting = None
        if waiting is None:
            box = replace(
                await self._box(root, standing, live=live),
                limits=replace(self._limits, wall_s=command.timeout_s),
                env=plain_env(command),
                cwd=str(command.cwd),
            )
            wires = replace(_WIRES, stdin=command.stdin.encode(errors="surrogateescape"))
            ended = await run(standing, box, command.argv, wires, take)
        else:
            become = Become(str(command.cwd), plain_env(command), command.timeout_s)
            async with waiting.stack:
                ended = await waiting.one.run(command.argv, take, become)
        if live:
            self._prepare(standing, root)
        return Overlaid.of(ended, output)

    async def _box(self, root: Path, standing: Standing, *, live: bool) -> Box:
        ground = standing.ground
        view = replace(self._view, stranger=ground is not None and ground.account is not None)
        read = await anyio.to_thread.run_sync(view.binds, root)
        files = await anyio.to_thread.run_sync(view.files)
        return Box(
            limits=self._limits, read=read, files=files, workspace=root, hidden=view.hidden(root),
            live=live, network=self._network,
        )  # fmt: skip

    async def _stand(self) -> Standing:
        async with self._lock:
            worn = anyio.current_time() > self._looked + _LOOK_AGAIN_S
            if self._standing is None or (self._standing.tier not in _WHOLE and worn):
                self._standing = await examine()
                self._looked = anyio.current_time()
        return self._standing

    def _take(self, root: Path | None) -> _Waiting | None:
        """The one that waits, for this project or (None) any."""
        waiting = self._waiting
        if waiting is None or (root is not None and waiting.root != root):
            return None
        self._waiting = None
        return waiting

    def _prepare(self, standing: Standing, root: Path) -> None:
        if self._tasks is None or self._laying:
            return
        if self._waiting is not None and self._waiting.root == root:
            return
        self._laying = True
        self._tasks.start_soon(self._lay, standing, root)

    async def _lay(self, standing: Standing, root: Path) -> None:
        """Have one wait; where it cannot, the next command says why."""
        try:
            with suppress(HermesError, OSError):
                box = await self._box(root, standing, live=True)
                async with AsyncExitStack() as stack:
                    one = await stack.enter_async_context(spare(standing, box, _WIRES))
                    if (before := self._take(None)) is not None:
                        await before.stack.aclose()
                    self._waiting = _Waiting(root, one, stack.pop_all())
        finally:
            self._laying = False
