"""The files of a curated set: all of them whole, or none.

Lines go to files without a name of their own yet; the manifest goes first and comes back
last, so that a set with a manifest is a complete one.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import anyio.to_thread

from hermes.errors import StoreFull, Usage
from hermes.store.failures import store_error

MANIFEST = "manifest.json"
SPLITS = ("train", "heldout")


class Outputs:
    """A curated set being written; made by `writing`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._made = False
        self._files: dict[str, tuple[Path, BinaryIO]] = {}
        self._digests = {name: hashlib.sha256() for name in SPLITS}
        self.lines = dict.fromkeys(SPLITS, 0)
        self.sizes = dict.fromkeys(SPLITS, 0)

    def write(self, split: str, lines: Iterable[dict[str, Any]]) -> None:
        """Add lines to a split."""
        _, file = self._files[split]
        for line in lines:
            data = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
            file.write(data)
            self._digests[split].update(data)
            self.lines[split] += 1
            self.sizes[split] += len(data)

    def publish(self, manifest: dict[str, Any]) -> None:
        """Give everything its name; `manifest` is completed with the files' digests."""
        facts = {
            f"{name}.jsonl": {
                "sha256": self._digests[name].hexdigest(),
                "bytes": self.sizes[name],
                "lines": self.lines[name],
            }
            for name in SPLITS
        }
        path, file = self._new()
        self._files[MANIFEST] = (path, file)
        file.write(json.dumps({**manifest, "files": facts}, indent=2).encode() + b"\n")
        for _, whole in self._files.values():
            whole.flush()
            os.fsync(whole.fileno())
        (self.directory / MANIFEST).unlink(missing_ok=True)
        for name in SPLITS:
            self._files[name][0].replace(self.directory / f"{name}.jsonl")
        path.replace(self.directory / MANIFEST)

    def open(self) -> None:
        """Make the directory and the files that will be written."""
        self._made = not self.directory.exists()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in SPLITS:
            self._files[name] = self._new()

    def close(self) -> None:
        """Remove what was not published."""
        for path, file in self._files.values():
            try:
                file.close()
            except OSError:
                continue  # the disk is full: what could not be written goes anyway
            finally:
                path.unlink(missing_ok=True)
        if self._made and not any(self.directory.iterdir()):
            self.directory.rmdir()

    def _new(self) -> tuple[Path, BinaryIO]:
        handle, name = tempfile.mkstemp(dir=self.directory, prefix=".curate-")  # mode 0600
        return Path(name), os.fdopen(handle, "wb")


@asynccontextmanager
async def writing(directory: Path) -> AsyncGenerator[Outputs]:
    """Write a set into a directory, made where there is none.

    Raises:
        StoreFull: the disk is full; an earlier set is as it was.
        Usage: the directory cannot be used.
    """
    outputs = Outputs(directory)
    try:
        await anyio.to_thread.run_sync(outputs.open)
        yield outputs
    except OSError as error:
        failure = store_error(error, directory)
        if isinstance(failure, StoreFull):
            raise failure from error
        raise Usage(
            f"cannot write into {directory}: {error.strerror}", "name another --out"
        ) from error
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(outputs.close)
