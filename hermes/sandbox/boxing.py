"""Runs one command in a box, from the first descriptor to the last process.

The ground says how it is started. Whether that ground holds is for `selftest` to show and for
`standing` to know, through which everybody else comes here.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread
from anyio.abc import Process

from hermes.errors import NotAvailable, ToolFailure
from hermes.sandbox.bare import bare
from hermes.sandbox.box import Box, Ended, Tier, Wires
from hermes.sandbox.ground import USER, Account, Ground
from hermes.sandbox.inmate import Inmate, OnOutput, command, frame, kill_group
from hermes.sandbox.launch import ENV, bounds, launch
from hermes.sandbox.laying import Laid, Wait
from hermes.sandbox.off_loop import off_loop

_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_SIGNALLED = range(129, 160)  # bubblewrap's way to say that a signal ended it
_SWEEP_S = 5.0
_REMEDY = "see `hermes sandbox check`"
_UNREADABLE = f"what is shown must be readable by whom it runs as (as root: {USER})"


async def run_on(
    ground: Ground,
    tier: Tier,
    box: Box,
    argv: Sequence[str],
    wires: Wires,
    on_output: OnOutput | None = None,
) -> Ended:
    """Run to the end; raises ToolFailure where the command cannot be started.

    Raises NotAvailable where the sandbox itself cannot. Nothing lives on when this returns
    or is cancelled.
    """
    began = anyio.current_time()
    start = _start_bare if tier == "B" else _start
    async with start(ground, box, wires) as (inmate, laid, opening):
        env = [f"{name}={value}" for name, value in opening.env.items()]
        frames = frame(opening.bounds) + command(argv, env, opening.cwd)
        await inmate.attend(frames, wires, on_output)
        _judge_start(inmate, argv)
        changes = await laid.changes()
    status = inmate.process.returncode or 0
    why = inmate.why
    if status in _SIGNALLED:
        status = 128 - status
    return Ended(
        why=why or ("signal" if status < 0 else "exit"),
        status=status if why is None else -9,
        stdout=bytes(inmate.streams["stdout"]),
        stderr=bytes(inmate.streams["stderr"]),
        peak=inmate.peak,
        wall_ms=round((anyio.current_time() - began) * 1000),
        tier=tier,
        changes=changes,
    )


def _judge_start(inmate: Inmate, argv: Sequence[str]) -> None:
    if inmate.why is not None:
        return
    ready, _, said = inmate.said.partition(b"ready\n")
    if not said and inmate.said:
        return
    reason = (said or ready).decode(errors="replace").removeprefix("no: ")
    if b"ready\n" in inmate.said:
        raise ToolFailure(f"cannot run {argv[0]}: {reason}")
    lines = inmate.streams["stderr"].decode(errors="replace").strip().splitlines()
    raise NotAvailable(
        f"the sandbox does not start: {reason or (lines[-1] if lines else 'it says nothing')}",
        _UNREADABLE if b"Permission denied" in inmate.streams["stderr"] else _REMEDY,
    )


@dataclass(frozen=True)
class _Opening:
    """What a started sandbox is told first."""

    bounds: list[str]
    env: Mapping[str, str]
    cwd: str


_Started = tuple[Inmate, Laid, _Opening]


@asynccontextmanager
async def _start_bare(ground: Ground, box: Box, wires: Wires) -> AsyncGenerator[_Started, None]:
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
            yield inmate, Laid(contextlib.ExitStack()), _Opening(told, made.env, made.cwd)
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
async def _start(ground: Ground, box: Box, wires: Wires) -> AsyncGenerator[_Started, None]:
    """Start a sandbox that waits for its frames; killed when the context ends."""
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        ours.settimeout(0)
        laid = Laid(stack)
        with theirs:
            wait = Wait(stack) if box.workspace is not None else None
            ends = wait.theirs if wait else None
            made = await anyio.to_thread.run_sync(launch, ground, box, theirs.fileno(), ends)
            stack.callback(made.close)
            made.fds += ends or ()
            # With a workspace its first step drops to the account, after what only root can do.
            account = None if box.workspace else ground.account
            fds = (*made.fds, theirs.fileno())
            process = await _spawn(account, wires, made.argv, fds)
        try:
            made.close()
            if wait is not None and box.workspace is not None:
                await wait.for_laying(process)
                await anyio.to_thread.run_sync(laid.hold, process.pid, box.workspace)
                wait.let_go()
            inmate = Inmate(process, ours, box, partial(kill_group, process))
            yield inmate, laid, _Opening(bounds(ground, box), {**ENV, **box.env}, box.cwd)
        finally:
            with anyio.CancelScope(shield=True):
                kill_group(process)
                await process.aclose()


async def _spawn(
    account: Account | None, wires: Wires, argv: Sequence[str], fds: Sequence[int]
) -> Process:
    stdin = wires.stdin
    if isinstance(stdin, bytes):
        stdin = subprocess.PIPE if stdin else subprocess.DEVNULL
    opened: list[Process] = []
    with anyio.CancelScope(shield=True):  # half a start would leave a process behind
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
