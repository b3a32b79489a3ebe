"""What is about to be done to a workspace, on disk before it is begun: whoever comes next ends it.

One record at a time, and one that applies at a time, of all processes that share the place. A
record holds how each place was, by digest, and what shall lie there; it is whole or not there.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from hermes.sandbox.changes import Delta, Node

_MARK = b"hermes/changes/1\n"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class _Frame(msgspec.Struct, frozen=True, array_like=True):
    """One place, what shall lie there without its content; names need not be text."""

    path: bytes
    before: Node | None
    after: Node | None


def digested(node: Node | None) -> Node | None:
    """The same with its content's digest: enough to know it again."""
    return node and replace(node, data=hashlib.sha256(node.data).digest())


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
            after = one.after and replace(one.after, data=b"")
            frame = _Frame(os.fsencode(one.path), digested(one.before), after)
            _frame(file.write, msgspec.msgpack.encode(frame))
            _frame(file.write, one.after.data if one.after else b"")
        file.flush()
        os.fsync(file.fileno())
    passing.replace(record)
    _sync(record.parent)


def drop_record(record: Path) -> None:
    """It is done."""
    record.unlink(missing_ok=True)


@contextlib.contextmanager
def read_record(record: Path) -> Iterator[tuple[Path, Iterator[Delta]]]:
    """The workspace, and each place as it is read, `before` digested.

    ValueError where it is none of ours.
    """
    with record.open("rb") as file:
        if file.readline(64) != _MARK:
            raise ValueError("no record of changes")
        root = Path(os.fsdecode(next(_frames(file.read), b"")))
        frames = _frames(file.read)
        yield root, (_delta(head, next(frames, b"")) for head in frames)


def _frame(write: Callable[[bytes], object], data: bytes) -> None:
    write(len(data).to_bytes(8, "big"))
    write(data)


def _frames(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while head := read(8):
        yield read(int.from_bytes(head, "big"))


def _delta(head: bytes, data: bytes) -> Delta:
    one = msgspec.msgpack.decode(head, type=_Frame)
    after = one.after and replace(one.after, data=data)
    return Delta(os.fsdecode(one.path), one.before, after)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
