"""The folder of built trees: each under its digest, read-only, put there whole or not at all."""

import contextlib
import fcntl
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

from hermes.errors import NotAvailable
from hermes.sandbox.ground import Account
from hermes.successor.pointer import settle
from hermes.successor.trees import Files, digest, digest_of, read

_KEPT = 16
_STALE_S = 60.0  # between making a folder and holding it
_NEW = ".new-"
OVER = ("tests", "benchmarks")
"""Folders over which a judge lays the parent's."""


class Forest:
    """Trees of one interpreter's compiled files; every method blocks.

    The files of different trees are the same where their content is: never write to one.
    """

    def __init__(self, data_dir: Path, account: Account | None) -> None:
        self._account = account
        base = _seen_by(data_dir, account)
        self._above: tuple[Path, ...] = (base, base / "trees", base / "commits")
        if not base.is_relative_to(data_dir):
            self._above = (base.parent, *self._above)
        self.root = base / "trees" / (sys.implementation.cache_tag or "none")
        self._commits = base / "commits" / self.root.name

    def prepare(self) -> None:
        """Make the folders; raises NotAvailable where they would be somebody else's."""
        for one in (*self._above, self.root, self._commits):
            _own(one)
        now = time.time()
        for one in self.root.glob(f"{_NEW}*"):
            # Nobody's: whoever made it died.
            with contextlib.suppress(OSError), _held(one, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if now - one.lstat().st_mtime > _STALE_S:
                    remove(one)
        self._prune()

    @contextmanager
    def opened(self) -> Iterator[Callable[[], bool]]:
        """Whoever has one of these returned True is alone with the trees, until it is closed."""
        self.prepare()
        with (self.root.parent / "lock").open("wb") as file:

            def lock() -> bool:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                for one in self.root.parent.glob(f"{_NEW}*"):  # of those who died over a trial
                    one.unlink()
                return True

            yield lock

    def of_commit(self, commit: str) -> tuple[Path, Files] | None:
        """The tree that was built of a commit, if it still is what it was, and what is in it."""
        with contextlib.suppress(OSError):
            name = (self._commits / commit).read_text()
            tree = self.root / name
            if name.isalnum() and digest_of(files := read(tree)) == name:
                os.utime(tree)
                return tree, files
        return None

    def note(self, commit: str, tree: Path) -> None:
        """Remember which tree a commit is."""
        with tempfile.NamedTemporaryFile(dir=self._commits, prefix=_NEW, delete=False) as file:
            file.write(tree.name.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self._commits / commit)
        settle(self._commits)

    @contextmanager
    def planting(self) -> Iterator[Path]:
        """A new folder to fill; gone afterwards unless it was planted.

        A box that is opened before it is filled needs places to lay something over.
        """
        new = Path(tempfile.mkdtemp(dir=self.root, prefix=_NEW))
        with _held(new, fcntl.LOCK_EX):
            new.chmod(0o755)
            for one in OVER:
                (new / one).mkdir()
            try:
                yield new
            finally:
                remove(new)

    def plant(self, new: Path, name: str) -> Path:
        """Give a filled folder its place and name: its digest."""
        for one in OVER:
            _clear(new / one, {new})
        place = self.root / name
        if place.exists() and digest(place) != name:  # a disk that lost something, or a hand
            aside = self.root / f"{_NEW}{name}"
            place.rename(aside)
            remove(aside)
        with contextlib.suppress(OSError):  # it is there already: then that one stays
            new.rename(place)
        for folder, _, _ in os.walk(place):
            Path(folder).chmod(0o555)
        os.utime(place)
        settle(self.root)
        return place

    @contextmanager
    def shown(self, data: bytes) -> Iterator[Path]:
        """A file that only this user and the sandbox's can read, for a while."""
        fd, name = tempfile.mkstemp(dir=self.root.parent, prefix=_NEW)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                os.fchmod(fd, 0o400)
                if self._account is not None:
                    os.fchown(fd, self._account.uid, self._account.gid)
            yield Path(name)
        finally:
            Path(name).unlink()

    def _prune(self) -> None:
        trees = [one for one in self.root.iterdir() if not one.name.startswith(".")]
        trees.sort(key=lambda one: one.stat().st_mtime, reverse=True)
        for one in trees[_KEPT:]:
            aside = self.root / f"{_NEW}{one.name}"
            with contextlib.suppress(OSError):
                one.rename(aside)
                remove(aside)


def link(base: Path, new: Path) -> None:
    """The same files in a new tree, without copying one; folders may be there."""
    left = [""]
    while left:
        folder = left.pop()
        target = f"{new}{folder}"
        if folder:
            with contextlib.suppress(FileExistsError):
                os.mkdir(target)  # noqa: PTH102 - many, and quick
        for one in os.scandir(f"{base}{folder}"):
            if one.is_dir(follow_symlinks=False):
                left.append(f"{folder}/{one.name}")
            else:
                os.link(one.path, f"{target}/{one.name}")


def change(new: Path, changed: Mapping[str, tuple[bytes, bool] | None]) -> None:
    """Make what became of a tree's places; None: nothing is there now.

    Folders of `OVER` stay the same ones, even when all in them is new: an open box has laid
    something over them. Raises OSError where a file stands in another one's way.
    """
    kept = {new, *(new / one for one in OVER if one not in changed)}
    for path in (*changed, *_stale(changed)):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            (new / path).unlink()
        _clear((new / path).parent, kept)
    for path, found in changed.items():
        if found is not None:
            put(new / path, found[0], 0o555 if found[1] else 0o444)


def put(place: Path, data: bytes, mode: int) -> None:
    """Write a new file durably."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())


def remove(tree: Path) -> None:
    """Remove a tree, read-only folders too; nothing there is no error."""
    for folder, _, _ in os.walk(tree):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o755)
    shutil.rmtree(tree, ignore_errors=True)


def compiled(path: str) -> str:
    """Where the compiled file of a module lies."""
    folder, _, name = path.rpartition("/")
    made = f"__pycache__/{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    return f"{folder}/{made}" if folder else made


def _own(folder: Path) -> None:
    """Make a folder that everybody can pass and nobody else can change."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    found = folder.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not mine or found.st_mode & (stat.S_IWOTH | stat.S_IWGRP):
        raise NotAvailable(
            f"{folder} can be changed by others", "make it yours alone, or remove it"
        )


@contextmanager
def _held(folder: Path, how: int) -> Iterator[None]:
    """Hold a folder, until this ends or its process does; raises OSError as `flock` does."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)


def _stale(changed: Mapping[str, object]) -> Iterator[str]:
    return (compiled(path) for path in changed if path.endswith(".py"))


def _clear(folder: Path, kept: AbstractSet[Path]) -> None:
    """Remove a folder that is empty, and so on up to one that is kept."""
    with contextlib.suppress(OSError):
        while folder not in kept:
            folder.rmdir()
            folder = folder.parent


def _seen_by(data_dir: Path, account: Account | None) -> Path:
    """Below the data directory; as root, where the sandbox's user cannot pass, outside of it."""
    place = data_dir / "successor"
    if account is None:
        return place
    known = [one for one in (data_dir, *data_dir.parents) if one.exists()]
    if all(one.stat().st_mode & stat.S_IXOTH for one in known):
        return place
    return Path(f"/var/tmp/hermes-v2-{os.geteuid()}") / "successor"  # noqa: S108 - checked
