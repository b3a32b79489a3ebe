"""A file that appears whole and under a name of its own, or not at all."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

import anyio
import anyio.to_thread

from hermes.errors import StoreError, Usage
from hermes.store.failures import full

_BUFFER = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class CarFile:
    """Writes beside `path` and takes that name at the end; an async context manager.

    Never overwrites. What was not kept is removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self._waiting = bytearray()
        self._file: BinaryIO

    async def __aenter__(self) -> Self:
        await anyio.to_thread.run_sync(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close)

    async def write(self, data: bytes) -> None:
        """Append; raises StoreFull, StoreError."""
        self._waiting += data
        if len(self._waiting) >= _BUFFER:
            await self._flush()

    async def keep(self) -> int:
        """Give the file its name, durably; returns its size in bytes. Raises Usage, StoreFull."""
        await self._flush()
        return await anyio.to_thread.run_sync(self._name)

    async def _flush(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        await anyio.to_thread.run_sync(self._write, data)

    def _open(self) -> None:
        if not self._path.is_absolute():
            raise Usage(f"{self._path} is no absolute path")
        if os.path.lexists(self._path):
            raise Usage(f"{self._path} exists already", "name another file")
        try:
            handle = os.open(self._draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except OSError as error:
            raise Usage(f"cannot write {self._path}: {error.strerror}") from error
        self._file = os.fdopen(handle, "wb", buffering=0)

    def _write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            raise _refused(self._path, error) from error

    def _name(self) -> int:
        try:
            os.fsync(self._file.fileno())
            size = os.fstat(self._file.fileno()).st_size
            os.link(self._draft, self._path)  # unlike a rename it never replaces
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)  # the name lasts once the folder is on the disk
            finally:
                os.close(folder)
        except FileExistsError as error:
            raise Usage(f"{self._path} exists already", "name another file") from error
        except OSError as error:
            raise _refused(self._path, error) from error
        return size

    def _close(self) -> None:
        self._file.close()
        with suppress(OSError):
            self._draft.unlink()


def _refused(path: Path, error: OSError) -> StoreError:
    """A full disk is one thing; everything else is the place's."""
    if error.errno in _FULL:
        return full(path, str(error.strerror))
    return StoreError(f"cannot write {path}: {error.strerror}", "name a file on another disk")
