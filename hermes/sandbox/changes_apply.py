"""Does to a workspace what a command did to its overlay: all of it, or none of it.

Each place is compared with what was seen before, so that somebody else's edit in the meantime
refuses the whole. Directories are opened without following links. What is begun is on record
first: after an end in the midst the next who comes does the rest of it.
"""

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio.to_thread

from hermes.errors import Refused, ToolFailure
from hermes.sandbox.changes import Changes, Delta, Node
from hermes.sandbox.changes_read import node_at
from hermes.sandbox.changes_record import alone, digested, drop_record, read_record, write_record

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PASSING = ".hermes-change.new"
_FEW = 16  # files that are made durable one by one; above, their file system is


async def apply_changes(changes: Changes, root: Path, record: Path) -> None:
    """Apply everything, or raise and leave everything as it was; not cancelled once begun.

    `record`: where it is written down while it is done. Raises Refused when a change is
    refused, and ToolFailure when a place is not as it was.
    """
    if changes.refused:
        first = changes.refused[0]
        raise Refused(f"{first.path}: {first.reason}", "nothing of it was applied")
    await anyio.to_thread.run_sync(_apply, changes, root, record)


async def finish_changes(record: Path) -> None:
    """Do the rest of what somebody began and did not end; nothing where nobody did."""
    await anyio.to_thread.run_sync(_finish_alone, record)


def _apply(changes: Changes, root: Path, record: Path) -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(alone(record))
            _finish(record)
            top = _top(root, stack)
            for delta in changes.deltas:
                _compare(top, delta)
            deltas = _ordered(changes.deltas)
            write_record(record, root, deltas)
            stack.callback(drop_record, record)
            _do(top, deltas)
        except OSError as error:
            raise ToolFailure(f"cannot apply the changes: {error.strerror}") from error


def _finish_alone(record: Path) -> None:
    if record.exists():
        with alone(record):
            _finish(record)


def _finish(record: Path) -> None:
    """Go on where it ended; a place that is neither as it was nor as it shall be stays."""
    with contextlib.ExitStack() as stack:
        try:
            root, deltas = stack.enter_context(read_record(record))
            top = _top(root, stack)
        except (FileNotFoundError, ValueError):
            drop_record(record)
            return
        for delta in deltas:
            with contextlib.suppress(OSError):
                now = _now(top, delta.path)
                if now != delta.after and _is_between(now, delta):
                    _put(top, Delta(delta.path, now, delta.after))
        _sync_all(top)
        drop_record(record)


def _is_between(now: Node | None, delta: Delta) -> bool:
    before, after = delta.before, delta.after
    if digested(now) == before:
        return True
    if now is None:
        return before is not None and after is not None and before.kind != after.kind
    return after is not None and now.kind == after.kind == "directory"


def _top(root: Path, stack: contextlib.ExitStack) -> int:
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, top)
    return top


def _ordered(deltas: Sequence[Delta]) -> list[Delta]:
    """What goes, the deepest first; then what comes, from the top down."""
    gone = [one for one in deltas if one.after is None]
    come = [one for one in deltas if one.after is not None]
    return sorted(gone, key=lambda one: one.path, reverse=True) + come


def _do(top: int, deltas: Sequence[Delta]) -> None:
    done: list[Delta] = []
    try:
        for delta in deltas:
            done.append(delta)
            _put(top, delta)
        _sync(top, deltas)
    except OSError:
        for delta in reversed(done):
            with contextlib.suppress(OSError):
                if (now := _now(top, delta.path)) != delta.before:
                    _put(top, Delta(delta.path, now, delta.before))
        raise


def _sync(top: int, deltas: Sequence[Delta]) -> None:
    """Durable before the record goes."""
    files = [one.path for one in deltas if one.after is not None and one.after.kind == "file"]
    if len(files) > _FEW:
        _sync_all(top)
        return
    for path in files:
        with _parent(top, path) as (folder, name):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _sync_all(top: int) -> None:
    if ctypes.CDLL(None, use_errno=True).syncfs(top) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _compare(top: int, delta: Delta) -> None:
    now = _now(top, delta.path)
    if now != delta.before and not (delta.before is None and _goes_first(now, delta)):
        raise ToolFailure(f"{delta.path} changed since the command saw it")


def _now(top: int, path: str) -> Node | None:
    try:
        with _parent(top, path) as (folder, name):
            return node_at(folder, name)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return Node("other", b"", 0)


def _goes_first(now: Node | None, delta: Delta) -> bool:
    """A place below a link or file that this same change replaces by a directory."""
    return now is not None and now.kind == "other" and now.mode == 0 and delta.after is not None


def _put(top: int, delta: Delta) -> None:
    with _parent(top, delta.path) as (folder, name):
        before, after = delta.before, delta.after
        if after is None or (before is not None and before.kind != after.kind):
            _remove(folder, name, before)
        if after is None:
            return
        if before == after:
            os.utime(name, ns=(after.time, after.time), dir_fd=folder, follow_symlinks=False)
            return
        if after.kind == "directory":
            mode = after.mode & ~stat.S_ISUID
            if before is None or before.kind != "directory":
                os.mkdir(name, after.mode, dir_fd=folder)
                mode |= os.stat(name, dir_fd=folder).st_mode & stat.S_ISGID  # as it comes by
                _own(folder, name, os.fstat(folder))
            os.chmod(name, mode, dir_fd=folder)
            return
        _replace(folder, name, after)


def _remove(folder: int, name: str, before: Node | None) -> None:
    if before is not None and before.kind == "directory":
        os.rmdir(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _replace(folder: int, name: str, node: Node) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_PASSING, dir_fd=folder)  # of somebody who ended here
    try:
        if node.kind == "link":
            os.symlink(os.fsdecode(node.data), _PASSING, dir_fd=folder)
        else:
            with os.fdopen(os.open(_PASSING, _NEW, 0o600, dir_fd=folder), "wb") as file:
                file.write(node.data)
                os.fchmod(file.fileno(), node.mode & 0o777)
            os.utime(_PASSING, ns=(node.time, node.time), dir_fd=folder, follow_symlinks=False)
        _own(folder, _PASSING, _owner(folder, name))
        os.rename(_PASSING, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(_PASSING, dir_fd=folder)
        raise


def _owner(folder: int, name: str) -> os.stat_result:
    """Whose a new file shall be: as the one that it replaces, or as the directory."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return os.fstat(folder)


def _own(folder: int, name: str, like: os.stat_result) -> None:
    """As root, leave a place to whom it belongs."""
    if os.geteuid() == 0:
        os.chown(name, like.st_uid, like.st_gid, dir_fd=folder, follow_symlinks=False)


@contextlib.contextmanager
def _parent(top: int, path: str) -> Iterator[tuple[int, str]]:
    *folders, name = path.split("/")
    if ".." in folders or name in {"", ".", ".."}:
        raise FileNotFoundError(2, "no such place")
    with contextlib.ExitStack() as stack:
        at = top
        for folder in folders:
            at = os.open(folder, _DIRECTORY, dir_fd=at)
            stack.callback(os.close, at)
        yield at, name
