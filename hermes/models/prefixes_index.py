"""The index of saved prefixes as a file: which there are, of which models, their digests.

Apart from the shelf so that what is read from disk is judged in one place: names are ours, a
field that is not as we write it makes the whole index worthless, and then nothing is restored.
"""

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path

import msgspec

from hermes.models.prefixes_chain import Chain

INDEX = "index.json"
_MOST = 64 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


class Prefix(msgspec.Struct, frozen=True, kw_only=True):
    """One saved state. `name`: its file; `model`: the key of what evaluated it.

    `tokens` evaluated, `size` in bytes, `sha256` of the file, `used`: a count that grows.
    """

    name: str
    model: str
    chain: Chain
    tokens: int
    size: int
    sha256: str
    used: int


class KnownModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model whose prefixes are kept. `stamp` says that the file is still the one of `digest`."""

    path: str
    stamp: tuple[int, ...]
    digest: str
    engine: str
    window: int


class Index(msgspec.Struct, frozen=True):
    """All of it, by name and by key."""

    models: dict[str, KnownModel] = {}
    prefixes: dict[str, Prefix] = {}


def read_index(directory: Path) -> Index:
    """Read the index; what cannot be read is an empty one."""
    try:
        if not stat.S_ISREG((directory / INDEX).lstat().st_mode):
            return Index()
        with (directory / INDEX).open("rb") as file:
            index = msgspec.json.decode(file.read(_MOST), type=Index)
    except (OSError, ValueError, RecursionError):
        return Index()
    whole = all(
        name == prefix.name and _NAME.fullmatch(name) and prefix.chain and prefix.size > 0
        for name, prefix in index.prefixes.items()
    )
    return index if whole else Index()


def write_index(directory: Path, index: Index) -> None:
    """Replace the index at once; raises OSError and leaves the old one."""
    part = directory / f"{INDEX}.part"
    try:
        part.write_bytes(msgspec.json.encode(index))
        part.replace(directory / INDEX)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def stamp_of(path: Path) -> tuple[int, ...]:
    """What changes whenever a file is written or replaced; empty where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # no path at all
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def sha256_of(path: Path) -> str:
    """The digest of a file; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
