"""The private directory of an engine's socket, and the removal of those whose owner died.

A lock on the directory says that its owner lives: the kernel drops it at any death. Blocking.
It does not guard against the same user or root.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hermes.errors import NotAvailable

_PREFIX = "engine-"
_MOST_PATH = 103  # a socket's path: 107 bytes on Linux, 103 on macOS
_REMEDY = "set XDG_RUNTIME_DIR to a short path that only you can write"


class EngineHome:
    """A fresh 0700 directory below `runtime_dir`, held until `close`."""

    def __init__(self, runtime_dir: Path) -> None:
        """Make it; raises NotAvailable where a socket there would not be private."""
        runtime_dir.mkdir(parents=True, mode=0o700, exist_ok=True)
        _check(runtime_dir)
        with _locked(runtime_dir):  # or two owners would sweep each other's newest
            _sweep(runtime_dir)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=runtime_dir))
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        if len(os.fsencode(self.socket)) > _MOST_PATH:
            self.close()
            raise NotAvailable(f"{runtime_dir} is too long for a socket's path", _REMEDY)

    @property
    def socket(self) -> Path:
        """Where the engine listens; llama.cpp takes only a name in `.sock` for a socket's path."""
        return self.path / "s.sock"

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def private_place(directory: Path | None) -> str:
    """A directory for saved prefixes, made private; the engine wants a slash at its end."""
    if directory is None:
        return ""
    directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        raise NotAvailable(f"others can read {directory}", f"chmod 700 {directory}")
    return f"{directory}/"


def _check(directory: Path) -> None:
    found = directory.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not ours or found.st_mode & 0o022:
        raise NotAvailable(f"others can write {directory}: no place for a private socket", _REMEDY)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _sweep(runtime_dir: Path) -> None:
    for left in runtime_dir.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:
            continue  # its owner lives
        finally:
            os.close(lock)
