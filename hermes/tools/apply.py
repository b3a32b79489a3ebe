"""Putting planned changes on the disk: each file is the old one or the new one, never between.

Every directory on the way is opened without following links, so that a path swapped for a
link after the plan is refused. It does not guard against a writer that changes the file in
the microseconds between the last comparison and the rename; hard links are cut.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Sequence

import anyio.to_thread

from hermes.core.tool import Change
from hermes.errors import ToolFailure
from hermes.tools.disk import failure

_PASS = getattr(os, "O_PATH", os.O_RDONLY)  # a directory may be passable and not readable
_DIRECTORY = _PASS | os.O_DIRECTORY | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


async def apply(changes: Sequence[Change]) -> None:
    """Apply all changes or none; raises ToolFailure, also when a file is not as planned.

    Not cancelled once begun.
    """
    await anyio.to_thread.run_sync(apply_now, changes)


def apply_now(changes: Sequence[Change]) -> None:
    """What `apply` does, in this thread."""
    done: list[Change] = []
    try:
        for change in changes:
            _apply_one(change)
            done.append(change)
    except (ToolFailure, OSError) as error:
        for change in reversed(done):
            with contextlib.suppress(ToolFailure, OSError):
                _apply_one(Change(change.path, change.after, change.before))
        if isinstance(error, OSError):
            raise failure(error) from error
        raise


def _apply_one(change: Change) -> None:
    with contextlib.ExitStack() as stack:
        directory = _parent(change, stack)
        name = change.path.name
        _compare(directory, name, change.before)
        if change.after is None:
            if change.before is not None:
                os.unlink(name, dir_fd=directory)
        elif change.after != change.before:
            _replace(directory, name, change)
        _sync(directory)


def _parent(change: Change, stack: contextlib.ExitStack) -> int:
    """The directory that holds the file; made where a new file needs it."""
    if not change.path.is_absolute() or ".." in change.path.parts:
        raise ToolFailure("path: not a resolved one")
    fd = os.open(change.path.anchor, _DIRECTORY)
    stack.callback(os.close, fd)
    for part in change.path.parent.parts[1:]:
        try:
            fd = _enter(fd, part, make=change.before is None and change.after is not None)
        except OSError as error:
            if stat.S_ISLNK(_mode(fd, part)):
                raise ToolFailure("path changed since it was planned") from error
            raise
        stack.callback(os.close, fd)
    return fd


def _enter(fd: int, part: str, *, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, dir_fd=fd)
    return os.open(part, _DIRECTORY, dir_fd=fd)


def _sync(directory: int) -> None:
    with contextlib.suppress(PermissionError):
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _mode(fd: int, name: str) -> int:
    with contextlib.suppress(OSError):
        return os.lstat(name, dir_fd=fd).st_mode
    return 0


def _compare(directory: int, name: str, before: bytes | None) -> None:
    mode = _mode(directory, name)
    if stat.S_ISLNK(mode) or (mode != 0 and not stat.S_ISREG(mode)):
        raise ToolFailure("path changed since it was planned")
    if (mode == 0) != (before is None):
        raise ToolFailure("file changed since it was planned; read it again")
    if before is None:
        return
    if not os.access(name, os.W_OK, dir_fd=directory, effective_ids=True):
        raise ToolFailure("permission denied")
    with os.fdopen(os.open(name, _READ, dir_fd=directory), "rb") as file:
        if file.read(len(before) + 1) != before:
            raise ToolFailure("file changed since it was planned; read it again")


def _replace(directory: int, name: str, change: Change) -> None:
    passing = f".hermes-{secrets.token_hex(8)}"
    fd = os.open(passing, _WRITE, 0o666, dir_fd=directory)
    try:
        with os.fdopen(fd, "wb") as file:
            if change.before is not None:
                _dress(fd, os.stat(name, dir_fd=directory, follow_symlinks=False))
            file.write(change.after or b"")
            file.flush()
            os.fsync(fd)
        _compare(directory, name, change.before)
        os.rename(passing, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(passing, dir_fd=directory)
        raise


def _dress(fd: int, like: os.stat_result) -> None:
    """Give a file another's owner, where allowed, and its permissions."""
    mine = os.fstat(fd)
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        with contextlib.suppress(PermissionError):
            os.fchown(fd, like.st_uid, like.st_gid)
    os.fchmod(fd, stat.S_IMODE(like.st_mode) & 0o777)
