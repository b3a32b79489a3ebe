"""The owner's lock: whoever holds it runs the store, everybody else is its client.

The kernel frees it when the process ends, however it ends. It guards against other
processes that ask for it too, not against programs that open the database behind our back.
"""

import fcntl
import os
from pathlib import Path

from hermes.errors import StoreOwned, StoreReadOnly

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
        self._handle = handle
        self.sign()
        return True

    @property
    def handle(self) -> int:
        """The descriptor: a child that inherits it holds the lock as well, also after our end."""
        assert self._handle is not None
        return self._handle

    def inherit(self, handle: int) -> None:
        """Hold the lock that our parent holds, by its descriptor; raises StoreOwned."""
        os.set_inheritable(handle, False)  # noqa: FBT003 - the library's own form
        if not self._lock(handle):
            raise StoreOwned("what was handed over is not the lock of this store")
        self._handle = handle

    def sign(self) -> None:
        """Write our own pid into the file: the one who handed it over works no more."""
        os.ftruncate(self.handle, 0)
        os.pwrite(self.handle, str(os.getpid()).encode(), 0)

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
