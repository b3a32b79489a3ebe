"""A workspace that is laid over: what was written on it, by descriptors that outlive it.

The overlay's upper directory is memory in a namespace of its own. A descriptor opened while
that lives keeps the directory after every process in it is gone, killed or not.
"""

import contextlib
import os
import re
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import Process

from hermes.errors import NotAvailable, NotLayable
from hermes.sandbox.changes import Changes
from hermes.sandbox.changes_check import checked
from hermes.sandbox.changes_read import read_changes
from hermes.sandbox.inmate import kill_group
from hermes.sandbox.launch import OUTER

_LAYING_S = 10.0
_NEVER = re.compile(r"\[Errno (?:1|19|22|38|95)\]")  # not permitted, known or supported


class Laid:
    """The two directories of an overlay, by descriptors that outlive its namespace."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._upper = self._lower = -1
        self._workspace = Path()

    def hold(self, pid: int, workspace: Path) -> None:
        """Open both; blocking."""
        self._workspace = workspace
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
        return checked(read_changes(self._upper, self._lower), self._workspace)


class Wait:
    """Two pipes: the outer namespace says that the workspace is laid over, and waits.

    `stack` closes our ends; who starts it closes `theirs`.
    """

    def __init__(self, stack: contextlib.ExitStack, theirs: list[int]) -> None:
        self._laid, laid = os.pipe()
        stack.callback(os.close, self._laid)
        theirs.append(laid)
        go, self._go = os.pipe()
        stack.callback(os.close, self._go)
        theirs.append(go)
        os.set_blocking(self._laid, False)
        os.set_blocking(self._go, False)
        self.theirs = (laid, go)

    async def for_laying(self, process: Process) -> None:
        """Wait until the overlay is there.

        Raises NotLayable where the kernel says no, and NotAvailable where nobody says anything.
        """
        said = b""
        with anyio.move_on_after(_LAYING_S):
            await anyio.wait_readable(self._laid)
            said = os.read(self._laid, 16)
        if not said:
            kill_group(process)
            heard = b""
            with contextlib.suppress(anyio.EndOfStream):
                if (stream := process.stderr or process.stdout) is not None:
                    heard = await stream.receive()
            lines = heard.decode(errors="replace").strip().splitlines()
            last = lines[-1] if lines else "no answer"
            kind = NotLayable if _NEVER.search(last) else NotAvailable
            raise kind(
                f"a workspace cannot be laid over here: {last}",
                "overlays need Linux 6.6 or newer, and a file system that allows them below",
            )

    def let_go(self) -> None:
        """Let it go on."""
        os.write(self._go, b"\n")
