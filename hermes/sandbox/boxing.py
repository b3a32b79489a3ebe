"""Runs one command in a box, from the first descriptor to the last process.

The ground says how it is started. Whether that ground holds is for `selftest` to show and for
`standing` to know, through which everybody else comes here.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import Process

from hermes.errors import NotAvailable, ToolFailure
from hermes.sandbox.box import Box, Ended, Tier, Wires
from hermes.sandbox.changes import Changes
from hermes.sandbox.changes_check import checked
from hermes.sandbox.changes_read import read_changes
from hermes.sandbox.ground import Ground
from hermes.sandbox.inmate import Inmate, command, frame, kill_group
from hermes.sandbox.launch import ENV, OUTER, Launch, bounds, launch

OnOutput = Callable[[str, bytes], None]
_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_SIGNALLED = range(129, 160)  # bubblewrap's way to say that a signal ended it
_LAYING_S = 10.0
_REMEDY = "see `hermes sandbox check`"


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
    async with _start(ground, box, wires) as (inmate, laid):
        env = [f"{name}={value}" for name, value in {**ENV, **box.env}.items()]
        frames = frame(bounds(ground, box)) + command(argv, env, box.cwd)
        stdin = wires.stdin if isinstance(wires.stdin, bytes) else b""
        await inmate.attend(frames, stdin, on_output)
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
        _REMEDY,
    )


class _Laid:
    """The two directories of an overlay, by descriptors that outlive its namespace."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._upper = self._lower = -1

    def hold(self, pid: int, workspace: Path) -> None:
        """Open both; blocking."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._upper = os.open(f"/proc/{pid}/root{OUTER}/u", flags)
        self._stack.callback(os.close, self._upper)
        self._lower = os.open(workspace, flags)
        self._stack.callback(os.close, self._lower)

    async def changes(self) -> Changes | None:
        """What was changed; None without an overlay."""
        if self._upper < 0:
            return None
        return await anyio.to_thread.run_sync(self._read)

    def _read(self) -> Changes:
        return checked(read_changes(self._upper, self._lower))


@asynccontextmanager
async def _start(
    ground: Ground, box: Box, wires: Wires
) -> AsyncGenerator[tuple[Inmate, _Laid], None]:
    """Start a sandbox that waits for its frames; killed when the context ends."""
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        ours.settimeout(0)
        laid = _Laid(stack)
        with theirs:
            wait = _Wait(stack) if box.workspace is not None else None
            ends = wait.theirs if wait else None
            made = await anyio.to_thread.run_sync(launch, ground, box, theirs.fileno(), ends)
            stack.callback(made.close)
            made.fds += ends or ()
            process = await _spawn(ground, box, wires, made, theirs.fileno())
        try:
            made.close()
            if wait is not None and box.workspace is not None:
                await wait.for_laying(process)
                await anyio.to_thread.run_sync(laid.hold, process.pid, box.workspace)
                wait.let_go()
            yield Inmate(process, ours, box), laid
        finally:
            with anyio.CancelScope(shield=True):
                kill_group(process.pid)
                await process.aclose()


async def _spawn(ground: Ground, box: Box, wires: Wires, made: Launch, control: int) -> Process:
    # With a workspace its first step drops to the account, after what only root can do.
    account = None if box.workspace else ground.account
    stdin = wires.stdin
    if isinstance(stdin, bytes):
        stdin = subprocess.PIPE if stdin else subprocess.DEVNULL
    opened: list[Process] = []
    with anyio.CancelScope(shield=True):  # half a start would leave a process behind
        opened.append(
            await anyio.open_process(
                made.argv,
                stdin=stdin,
                stdout=subprocess.PIPE if wires.stdout is None else wires.stdout,
                stderr=subprocess.PIPE if wires.stderr is None else wires.stderr,
                cwd="/",
                env=_PATH,
                pass_fds=(*made.fds, control, *wires.keep),
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        )
    return opened[0]


class _Wait:
    """Two pipes: the outer namespace says that the workspace is laid over, and waits."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._laid, laid = os.pipe()
        go, self._go = os.pipe()
        os.set_blocking(self._laid, False)
        self.theirs = (laid, go)
        stack.callback(os.close, self._laid)
        stack.callback(os.close, self._go)

    async def for_laying(self, process: Process) -> None:
        """Wait until the overlay is there; raises NotAvailable where it cannot be."""
        said = b""
        with anyio.move_on_after(_LAYING_S):
            await anyio.wait_readable(self._laid)
            said = os.read(self._laid, 16)
        if not said:
            kill_group(process.pid)
            heard = await process.stderr.receive() if process.stderr else b""
            lines = heard.decode(errors="replace").strip().splitlines()
            raise NotAvailable(
                f"a workspace cannot be laid over here: {lines[-1] if lines else 'no answer'}",
                "overlays need Linux 6.6 or newer, and a file system that allows them below",
            )

    def let_go(self) -> None:
        """Let it go on."""
        os.write(self._go, b"\n")
