"""What is about to be done to a workspace, on disk before it is begun: whoever comes next ends it.

One record at a time, and one that applies at a time, of all processes that share the place. A
record holds what lay at each place and what shall; it is there whole or not at all.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from hermes.sandbox.changes import Delta, Node

_MARK = b"hermes/changes/1\n"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class _Frame(msgspec.Struct, frozen=True, array_like=True):
    """One place: names are bytes, since they need not be text."""

    path: bytes
    before: Node | None
    after: Node | None


@contextlib.contextmanager
def alone(record: Path) -> Iterator[None]:
    """Hold off everybody else who would apply; blocking."""
    record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(record.with_suffix(".lock"), _FLAGS, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def write_record(record: Path, root: Path, deltas: Sequence[Delta]) -> None:
    """Keep what is about to be done, durably."""
    passing = record.with_suffix(".new")
    with os.fdopen(os.open(passing, _FLAGS, 0o600), "wb") as file:
        file.write(_MARK)
        _frame(file.write, os.fsencode(root))
        for one in deltas:
            frame = _Frame(os.fsencode(one.path), one.before, one.after)
            _frame(file.write, msgspec.msgpack.encode(frame))
        file.flush()
        os.fsync(file.fileno())
    passing.replace(record)
    _sync(record.parent)


def drop_record(record: Path) -> None:
    """It is done."""
    record.unlink(missing_ok=True)


@contextlib.contextmanager
def read_record(record: Path) -> Iterator[tuple[Path, Iterator[Delta]]]:
    """The workspace, and each place as it is read; ValueError where it is none of ours."""
    with record.open("rb") as file:
        if file.readline(64) != _MARK:
            raise ValueError("no record of changes")
        root = Path(os.fsdecode(next(_frames(file.read), b"")))
        yield root, map(_delta, _frames(file.read))


def _frame(write: Callable[[bytes], object], data: bytes) -> None:
    write(len(data).to_bytes(8, "big"))
    write(data)


def _frames(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while head := read(8):
        yield read(int.from_bytes(head, "big"))


def _delta(frame: bytes) -> Delta:
    one = msgspec.msgpack.decode(frame, type=_Frame)
    return Delta(os.fsdecode(one.path), one.before, one.after)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
