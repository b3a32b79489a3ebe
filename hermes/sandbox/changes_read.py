"""Reads what an overlay collected, beside what lies below it.

The upper directory was written by whoever ran inside: every step is taken from a directory's
descriptor and follows no link. What it can hold is bounded by the sandbox; what lies below is
the person's own, and only that part of it is read that changed, up to a bound.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hermes.sandbox.changes import Changes, Delta, Node, Refusal

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPAQUE = "user.overlay.opaque"
_MOST_KEPT = 256 << 20
_LARGE = 1 << 20  # a larger file that only was touched is not read, nor a change
_DEEPEST = 100
_BITS = 0o7777


def read_changes(upper: int, lower: int) -> Changes:
    """Compare the upper directory with the lower one, by their descriptors; blocking."""
    reader = _Reader()
    try:
        reader.compare(upper, lower, "")
    except _TooMuch as over:
        reason = f"with it the command changed more than {_MOST_KEPT >> 20} MiB"
        return Changes((), (Refusal(over.path, reason),))
    return Changes(tuple(reader.deltas), tuple(reader.refused))


class _TooMuch(Exception):
    """There is more than is read."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class _Reader:
    """Walks both trees and collects what differs."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.refused: list[Refusal] = []
        self._kept = 0

    def compare(self, upper: int, lower: int | None, at: str, *, covered: bool = False) -> None:
        """Compare one directory; `covered`: what lies below does not show through any more."""
        if at.count("/") > _DEEPEST:
            self.refused.append(Refusal(at, "too deep"))
            return
        if lower is not None and covered:
            self._hidden(upper, lower, at)
        for name in sorted(os.listdir(upper)):
            path = f"{at}{name}"
            try:
                self._one(upper, lower, path, covered=covered)
            except OSError as error:  # of mode 000; or the project changed meanwhile
                self.refused.append(Refusal(path, f"it cannot be read: {error.strerror}"))

    def _hidden(self, upper: int | None, lower: int, at: str) -> None:
        there = set(os.listdir(upper)) if upper is not None else set()  # noqa: PTH208
        for name in sorted(set(os.listdir(lower)) - there):
            self._removed(lower, name, f"{at}{name}")

    def _one(self, upper: int, lower: int | None, path: str, *, covered: bool) -> None:
        name = path.rpartition("/")[2]
        seen = os.stat(name, dir_fd=upper, follow_symlinks=False)
        if lower is not None and _is_same(upper, lower, name):
            return
        before = None if lower is None else self._node(lower, path)
        if stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0:
            if before is not None and lower is not None:
                self._removed(lower, name, path)
            return
        after = self._node(upper, path)
        if after is None:
            return
        if before is not None and before.kind == "directory" and after.kind != "directory":
            with _opened(lower, name) as below:
                self._hidden(None, below, f"{path}/")
        if before != after or before.time != after.time:
            self.deltas.append(Delta(path, before, after))
        if after.kind == "directory":
            with _opened(upper, name) as above:
                if lower is None or before is None or before.kind != "directory":
                    self.compare(above, None, f"{path}/")
                    return
                with _opened(lower, name) as below:
                    hides = covered or _is_opaque(above)
                    self.compare(above, below, f"{path}/", covered=hides)

    def _removed(self, lower: int, name: str, path: str) -> None:
        before = self._node(lower, path)
        if before is None:
            return
        if before.kind == "directory":
            with _opened(lower, name) as below:
                self._hidden(None, below, f"{path}/")
        self.deltas.append(Delta(path, before, None))

    def _node(self, directory: int, path: str) -> Node | None:
        name = path.rpartition("/")[2]
        with suppress(FileNotFoundError):
            seen = os.stat(name, dir_fd=directory, follow_symlinks=False)
            self._kept += seen.st_size if stat.S_ISREG(seen.st_mode) else 0
        if self._kept > _MOST_KEPT:
            raise _TooMuch(path)
        return node_at(directory, name)


def node_at(directory: int, name: str) -> Node | None:
    """What lies at a name, never followed; None: nothing. Raises OSError."""
    try:
        seen = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    mode = seen.st_mode & _BITS
    match stat.S_IFMT(seen.st_mode):
        case stat.S_IFDIR:
            return Node("directory", b"", mode)
        case stat.S_IFLNK:
            return Node("link", os.fsencode(os.readlink(name, dir_fd=directory)), 0o777)
        case stat.S_IFREG if seen.st_size <= _MOST_KEPT:
            with os.fdopen(os.open(name, _FILE, dir_fd=directory), "rb") as file:
                return Node("file", file.read(_MOST_KEPT + 1), mode, seen.st_mtime_ns)
    return Node("other", b"", mode)


def _is_same(upper: int, lower: int, name: str) -> bool:
    """Whether a large file is as it was: git touches its packs whenever it has use for them."""
    with suppress(FileNotFoundError):
        above, below = (os.stat(name, dir_fd=one, follow_symlinks=False) for one in (upper, lower))
        alike = (above.st_mode, above.st_size) == (below.st_mode, below.st_size)
        if alike and stat.S_ISREG(above.st_mode) and above.st_size > _LARGE:
            with _opened(upper, name, _FILE) as new, _opened(lower, name, _FILE) as old:
                while (piece := os.read(new, _LARGE)) == os.read(old, _LARGE):
                    if not piece:
                        return True
    return False


@contextmanager
def _opened(directory: int | None, name: str, flags: int = _DIRECTORY) -> Iterator[int]:
    fd = os.open(name, flags, dir_fd=directory)
    try:
        yield fd
    finally:
        os.close(fd)


def _is_opaque(directory: int) -> bool:
    try:
        return os.getxattr(directory, _OPAQUE) == b"y"
    except OSError:
        return False
