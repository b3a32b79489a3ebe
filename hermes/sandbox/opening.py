"""Starts a sandbox that waits for its words, and leaves nothing of it when the context ends."""

import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread
from anyio.abc import Process

from hermes.sandbox.bare import bare
from hermes.sandbox.box import Box, Tier, Wires
from hermes.sandbox.ground import Account, Ground
from hermes.sandbox.inmate import Inmate, kill_group
from hermes.sandbox.launch import ENV, Launch, bounds, launch
from hermes.sandbox.laying import Laid, Wait
from hermes.sandbox.leftovers import Leftovers
from hermes.sandbox.metering import Meter
from hermes.sandbox.off_loop import off_loop
from hermes.sandbox.stdin import stdin_of

_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_SWEEP_S = 5.0


@dataclass(frozen=True)
class Opening:
    """What a started sandbox is told first, and who says at its end what it used."""

    bounds: list[str]
    env: Mapping[str, str]
    cwd: str
    meter: Meter | None = None


Started = tuple[Inmate, Laid, Opening]


def start(
    ground: Ground, tier: Tier, box: Box, wires: Wires
) -> AbstractAsyncContextManager[Started]:
    """Start as the tier has it; raises NotAvailable and Usage."""
    return (_start_bare if tier == "B" else _start)(ground, box, wires)


@asynccontextmanager
async def _start_bare(ground: Ground, box: Box, wires: Wires) -> AsyncGenerator[Started, None]:
    """Start a command of tier B; swept away when the context ends."""
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(off_loop(bare(ground, box)))
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        ours.settimeout(0)
        life, alive = os.pipe()
        ends = _Once(alive)
        stack.callback(ends.close)
        with theirs:
            try:
                argv = made.argv(life, theirs.fileno())
                process = await _spawn(ground.account, wires, argv, (life, theirs.fileno()))
            finally:
                os.close(life)
        try:
            told = await anyio.to_thread.run_sync(made.bounds)
            inmate = Inmate(process, ours, box, ends.close)
            yield inmate, Laid(contextlib.ExitStack()), Opening(told, made.env, made.cwd)
        finally:
            with anyio.CancelScope(shield=True):
                ends.close()
                with anyio.move_on_after(_SWEEP_S):
                    await process.wait()
                kill_group(process)
                await process.aclose()


class _Once:
    """A descriptor that may be closed more than once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        """Close it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


@asynccontextmanager
async def _start(ground: Ground, box: Box, wires: Wires) -> AsyncGenerator[Started, None]:
    """Start a sandbox that waits for its frames; killed when the context ends."""
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        ours.settimeout(0)
        laid = Laid(stack)
        made = Launch()
        stack.callback(made.close)
        leftovers = Leftovers(stack, made.fds)
        meter: Meter | None = None
        with theirs:
            wait = Wait(stack, made.fds) if box.workspace is not None else None
            ends = wait.theirs if wait else None
            told = theirs.fileno(), leftovers.theirs
            await anyio.to_thread.run_sync(launch, made, ground, box, *told, ends)
            if box.metered:
                meter = await anyio.to_thread.run_sync(Meter, box, ground.python, stack)
            # With a workspace its first step drops to the account, after what only root can do.
            account = None if box.workspace else ground.account
            fds = (*made.fds, theirs.fileno(), *(meter.fds if meter else ()))
            idle = [ground.chrt, "--idle", "0"] if box.idle and ground.chrt else []
            argv = [*idle, *(meter.argv if meter else ()), *made.argv]
            process = await _spawn(account, wires, argv, fds)
        try:
            made.close()
            if meter:
                meter.started()
            if wait is not None and box.workspace is not None:
                await wait.for_laying(process)
                await anyio.to_thread.run_sync(laid.hold, process.pid, box.workspace)
                wait.let_go()
            await leftovers.begun()
            inmate = Inmate(process, ours, box, partial(kill_group, process), leftovers)
            env = {**ENV, **box.env}
            yield inmate, laid, Opening(bounds(ground, box), env, box.cwd, meter)
        finally:
            with anyio.CancelScope(shield=True):
                kill_group(process)
                await process.aclose()
                await leftovers.gone()


async def _spawn(
    account: Account | None, wires: Wires, argv: Sequence[str], fds: Sequence[int]
) -> Process:
    opened: list[Process] = []
    shield = anyio.CancelScope(shield=True)  # half a start would leave a process behind
    with shield, await anyio.to_thread.run_sync(stdin_of, wires.stdin) as stdin:
        opened.append(
            await anyio.open_process(
                argv,
                stdin=stdin,
                stdout=subprocess.PIPE if wires.stdout is None else wires.stdout,
                stderr=subprocess.PIPE if wires.stderr is None else wires.stderr,
                cwd="/",
                env=_PATH,
                pass_fds=(*fds, *wires.keep),
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        )
    return opened[0]
