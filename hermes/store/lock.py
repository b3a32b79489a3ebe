"""The owner's lock: whoever holds it runs the store, everybody else is its client.

The kernel frees it when the process ends, however it ends. It guards against other
processes that ask for it too, not against programs that open the database behind our back.
"""

import fcntl
import os
from pathlib import Path

from hermes.errors import StoreReadOnly

LOCK_NAME = "owner.lock"


class OwnerLock:
    """A flock on `<data_dir>/owner.lock`; the file holds the owner's pid and is never removed.

    Its calls touch files: from a coroutine, go through `anyio.to_thread.run_sync`.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_NAME
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; raises StoreReadOnly where the file cannot be made."""
        if self._handle is not None:
            return True
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Not inheritable (PEP 446): a child that outlives us must not keep the lock.
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreReadOnly(
                f"cannot make {self._path}: {error.strerror}",
                "make the directory writable, or set HERMES_V2_HOME to one that is",
            ) from error
        if not self._lock(handle):
            os.close(handle)
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._handle = handle
        return True

    def release(self) -> None:
        """Let the lock go; harmless when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def holder(self) -> int | None:
        """The pid that the file names, for error messages; it may be gone by now."""
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return None

    def _lock(self, handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Somebody removed the file between open and lock: ours is nobody else's lock.
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except (BlockingIOError, FileNotFoundError):
            return False
