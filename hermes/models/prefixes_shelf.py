"""The files of saved prefixes: looked up, checked, kept within a size, dropped with their model.

One flat directory, 0700, of one owner: `index.json`, one file a prefix, `*.part` while the engine
writes. Blocking, and safe to call from several threads. A file is handed to the engine only after
its size and sha256 were found as they were when it was written: the engine itself takes a file
with a flipped bit (measured). Guards against cut, damaged, foreign and left-over files, a full
disk, and models and engines that were replaced; not against the same user, who can rewrite the
index as well.

What is kept: of the states of one conversation the newest, and earlier ones down to a quarter in
size each, because those are what a new conversation begins with, and cheap. The least recently
used go first.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import stat
import threading
from pathlib import Path

import msgspec

from hermes.errors import NotAvailable
from hermes.models.prefixes_chain import Chain, begins
from hermes.models.prefixes_index import (
    INDEX,
    Index,
    KnownModel,
    Prefix,
    read_index,
    sha256_of,
    stamp_of,
    write_index,
)

PART = ".part"
_THINNED = 4  # an earlier state is kept where it has at most a quarter of the newer one's tokens
_SPARE = 256 * 1024 * 1024  # bytes of disk that are left to the person
_LAYOUT = "1"
_LIBRARY = "xllamacpp"


class PrefixShelf:
    """Saved prefixes below `directory`, `most` bytes in all, of one engine (name and version)."""

    def __init__(self, directory: Path, most: int, engine: str) -> None:
        """Open it and remove what is worth nothing; raises NotAvailable, OSError."""
        self.directory = directory
        self._most = most
        self._engine = engine
        self._lock = threading.RLock()
        self._sound: dict[str, tuple[int, ...]] = {}
        self._weights: dict[str, float] = {}  # bytes a token, by model
        _private(directory)
        self._index = self._swept(read_index(directory))
        self._used = max((one.used for one in self._index.prefixes.values()), default=0)
        self._make_room(0)
        self._every: tuple[Prefix, ...] = ()  # read without the lock, on the event loop
        self._write()

    def identify(self, path: Path, window: int, *, most: int) -> str:
        """The key of a GGUF, with engine and window; hashes it unless it is known.

        Empty where it is unknown and larger than `most` bytes.
        """
        stamp = stamp_of(path)
        with self._lock:
            known = [one for one in self._index.models.values() if one.stamp == stamp]
        if not stamp or (not known and path.stat().st_size > most):
            return ""
        digest = known[0].digest if known else sha256_of(path)
        key = _digest(digest, self._engine, str(window), _LAYOUT)
        with self._lock:
            self._index.models[key] = KnownModel(
                path=str(path), stamp=stamp, digest=digest, engine=self._engine, window=window
            )
            self._write()
        return key

    def of(self, model: str) -> tuple[Prefix, ...]:
        """The prefixes of a model, the last used first; does not block."""
        return tuple(one for one in self._every if one.model == model)

    def facts(self) -> dict[str, int]:
        """How many there are, and what they take."""
        every = self._every
        return {
            "prefixes": len(every),
            "bytes": sum(one.size for one in every),
            "tokens": sum(one.tokens for one in every),
            "most": self._most,
        }

    def has_room(self, model: str, tokens: int) -> bool:
        """Whether a state of so many tokens may be written: by the cap, and by the disk."""
        known = [one.size / one.tokens for one in self.of(model) if one.tokens]
        weight = max([*known, self._weights.get(model, 0)])
        expected = int(weight * tokens)
        if expected > self._most:
            return False
        try:
            free = shutil.disk_usage(self.directory).free
            return free - (expected if weight else self._most) > _SPARE
        except OSError:
            return False

    def is_sound(self, prefix: Prefix) -> bool:
        """Check a file before its use; one that is not what was written is deleted."""
        path = self.directory / prefix.name
        stamp = stamp_of(path)
        with self._lock:
            if stamp and self._sound.get(prefix.name) == stamp:
                return True
        try:
            sound = _size(path) == prefix.size and sha256_of(path) == prefix.sha256
        except OSError:
            sound = False
        with self._lock:
            if sound:
                self._sound[prefix.name] = stamp
            else:
                self.drop(prefix.name)
        return sound

    def touch(self, name: str) -> None:
        """Say that a prefix was used."""
        with self._lock:
            if name in self._index.prefixes:
                self._used += 1
                old = self._index.prefixes[name]
                self._index.prefixes[name] = msgspec.structs.replace(old, used=self._used)
                self._write()

    def keep(self, part: str, model: str, chain: Chain, tokens: int, size: int) -> bool:
        """Take in what the engine wrote to `part`; False where it is not whole or has no room."""
        written = self.directory / part
        self._weights[model] = size / max(1, tokens)  # also of what is too large: never again
        try:
            if not 0 < size <= self._most or written.lstat().st_size != size:
                return False
            digest = sha256_of(written)
            with self._lock:
                return self._take(written, model, chain, tokens, digest)
        except OSError:
            return False
        finally:
            self.discard(part)

    def drop(self, name: str) -> None:
        """Delete a prefix."""
        with self._lock:
            self._forget(name)
            self._write()

    def discard(self, part: str) -> None:
        """Remove what an unfinished save left."""
        with contextlib.suppress(OSError):
            (self.directory / part).unlink(missing_ok=True)

    def _take(self, written: Path, model: str, chain: Chain, tokens: int, digest: str) -> bool:
        size = written.stat().st_size
        name = _digest(model, *(link.digest for link in chain))
        for one in self.of(model):
            if begins(chain, one.chain) and one.tokens * _THINNED > tokens:
                self._forget(one.name)
        self._make_room(size)
        self._used += 1
        path = self.directory / name
        written.replace(path)
        self._index.prefixes[name] = Prefix(
            name=name,
            model=model,
            chain=chain,
            tokens=tokens,
            size=size,
            sha256=digest,
            used=self._used,
        )
        self._sound[name] = stamp_of(path)
        self._write()
        return True

    def _make_room(self, size: int) -> None:
        """Delete the least recently used until `size` more bytes fit."""
        oldest = sorted(self._index.prefixes.values(), key=lambda one: one.used)
        taken = sum(one.size for one in oldest) + size
        for one in oldest:
            if taken <= self._most:
                break
            self._forget(one.name)
            taken -= one.size

    def _forget(self, name: str) -> None:
        self._sound.pop(name, None)
        self._index.prefixes.pop(name, None)
        self.discard(name)

    def _write(self) -> None:
        self._every = tuple(sorted(self._index.prefixes.values(), key=lambda one: -one.used))
        # A full disk costs the index of what came last; its file goes at the next start.
        with contextlib.suppress(OSError):
            write_index(self.directory, self._index)

    def _swept(self, index: Index) -> Index:
        """The index without models that are gone or changed, and the directory without the rest."""
        models = {
            key: model
            for key, model in index.models.items()
            if model.engine == self._engine and stamp_of(Path(model.path)) == model.stamp
        }
        prefixes = {
            name: one
            for name, one in index.prefixes.items()
            if one.model in models and _size(self.directory / name) == one.size
        }
        for left in self.directory.iterdir():
            if left.name not in prefixes and left.name != INDEX:
                self.discard(left.name)
        return Index(models, prefixes)


def open_shelf(directory: Path, most: int) -> PrefixShelf | None:
    """Open the shelf for the embedded engine; with `most` 0 what was kept is removed. Blocking."""
    if not most and not directory.exists():
        return None
    engine = f"{_LIBRARY} {importlib.metadata.version(_LIBRARY)}"
    shelf = PrefixShelf(directory, most, engine)
    return shelf if most else None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _size(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def _private(directory: Path) -> None:
    """Make the directory, and ours alone: what lies there holds prompts."""
    directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise NotAvailable(f"{directory} is no directory of yours", "move it out of the way")
    if found.st_mode & 0o077:
        directory.chmod(0o700)
