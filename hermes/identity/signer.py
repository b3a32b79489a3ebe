"""The signer's process: `python -m hermes.identity.signer`, a child of the owner.

The first line of standard input holds the options; when it closes, the process ends. Core
dumps and ptrace are off. Does not guard against root, nor beyond the policy against an owner
that was taken over.
"""

import ctypes
import os
import resource
import stat
import sys
from pathlib import Path

import anyio
import msgspec

from hermes.core.accepting import accept_all
from hermes.core.clock import SystemClock
from hermes.errors import IdentityError
from hermes.identity.signer_door import Door
from hermes.identity.signer_service import Signer
from hermes.identity.signer_wire import LINE_MOST, READY, SignerOptions

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
_LOCK_ALL = 1 | 2 | 4  # current, future, on fault
_PIECE = 65_536


def main() -> None:
    """Serve one owner until it closes standard input."""
    hardened = harden()
    options = msgspec.json.decode(sys.stdin.buffer.readline(LINE_MOST), type=SignerOptions)
    sys.exit(anyio.run(_serve, options, hardened))


def harden() -> tuple[str, ...]:
    """Keep memory from others as far as the kernel allows; names what it granted."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    granted = ["no-core"]
    if sys.platform != "linux":
        return tuple(granted)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0:
        granted.append("no-ptrace")
    # Under a limit, locking all that is to come would let the vault's key stretching fail.
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
    if unlimited and libc.mlockall(_LOCK_ALL) == 0:
        granted.append("locked-memory")
    return tuple(granted)


async def _serve(options: SignerOptions, hardened: tuple[str, ...]) -> int:
    path = Path(options.socket)
    _check_folder(path.parent)
    signer = Signer(options, SystemClock(), hardened)
    door = Door(signer, os.getppid())
    async with await anyio.create_unix_listener(path, mode=0o600) as listener:
        if options.unattended:
            await signer.unlock_itself()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(accept_all, listener, door.receive, tasks)
            tasks.start_soon(_end_with_owner, door)
            sys.stdout.buffer.write(READY)
            sys.stdout.buffer.flush()
            await door.closed.wait()
            tasks.cancel_scope.cancel()
    return door.code


async def _end_with_owner(door: Door) -> None:
    stdin = sys.stdin.fileno()
    while True:
        await anyio.wait_readable(stdin)
        if not os.read(stdin, _PIECE):
            door.closed.set()
            return


def _check_folder(folder: Path) -> None:
    found = folder.lstat()
    private = found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
    if not stat.S_ISDIR(found.st_mode) or not private:
        raise IdentityError(f"others can enter {folder}: no place for the signer's socket")


if __name__ == "__main__":
    main()
