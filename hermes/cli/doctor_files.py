"""The doctor on files: the store, its directories, the socket's directory. It only looks."""

import os
import shutil
import stat
import struct
from pathlib import Path

import anyio.to_thread

from hermes.cli.doctor_check import Check, aside, bad, good
from hermes.cli.world import World
from hermes.config import Settings

_MAGIC = b"SQLite format 3\x00"
_DERIVED = ("vectors.db",)  # made again when it is damaged
_LEAST_FREE = 200_000_000  # bytes
_LONGEST_LOG = 64_000_000
_LONGEST_SOCKET = 108


async def look(settings: Settings, world: World) -> list[Check]:
    """Look at everything on disk."""
    return await anyio.to_thread.run_sync(_look, settings, world)


def _look(settings: Settings, world: World) -> list[Check]:
    checks = [_space(settings.data_dir), _writable(settings.data_dir)]
    stores = (path for path in settings.data_dir.glob("*.db") if path.name not in _DERIVED)
    checks += [_database(path) for path in sorted(stores)]
    checks += [_log(path) for path in sorted(settings.data_dir.glob("*.db-wal"))]
    checks += [_runtime(settings.runtime_dir), _root(world)]
    return checks


def _space(directory: Path) -> Check:
    free = shutil.disk_usage(_existing(directory)).free
    return Check(
        "disk",
        free >= _LEAST_FREE,
        f"{free / 1e9:.1f} GB free",
        "free some space: writes will fail",
    )


def _writable(directory: Path) -> Check:
    there = _existing(directory)
    if not os.access(there, os.W_OK):
        return bad("data", f"{there} cannot be written", f"chmod u+w {there}")
    detail = str(directory) if directory.exists() else f"{directory} (made at the first chat)"
    if directory.exists() and stat.S_IMODE(directory.stat().st_mode) & 0o077:
        return aside("data", f"{directory} can be read by others", f"chmod 700 {directory}")
    return good("data", detail)


def _database(path: Path) -> Check:
    """Header and size, from the file's bytes: the database is never opened."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        return bad("store", f"{path}: {error.strerror}", f"chmod u+rw {path}")
    if size == 0:
        return good("store", f"{path} is still empty")
    if len(header) < 100 or not header.startswith(_MAGIC):  # noqa: PLR2004 - the header's size
        return bad("store", f"{path} is no database", "restore it from a backup")
    raw, pages = struct.unpack(">H10xI", header[16:32])
    page = 65_536 if raw == 1 else raw
    if pages * page > size and not path.with_name(f"{path.name}-wal").exists():
        cut = f"{path} is cut: {size:,} of {pages * page:,} bytes"
        return bad("store", cut, "restore it from a backup")
    return good("store", f"{path}, {size / 1e6:.1f} MB")


def _log(path: Path) -> Check:
    size = path.stat().st_size
    detail = f"{size / 1e6:.1f} MB write-ahead log"
    return aside("store log", detail, "quit the owner once", ok=size <= _LONGEST_LOG)


def _runtime(directory: Path) -> Check:
    if len(os.fsencode(directory)) > _LONGEST_SOCKET - 40:
        return bad("runtime", f"{directory} is too long for sockets", "set XDG_RUNTIME_DIR shorter")
    if not directory.exists():
        there = _existing(directory)
        ok = os.access(there, os.W_OK)
        return Check("runtime", ok, f"{directory} (made when needed)", f"make {there} writable")
    state = directory.stat()
    mine = state.st_uid == os.getuid() and stat.S_IMODE(state.st_mode) == 0o700  # noqa: PLR2004
    detail = f"{directory}, mode {stat.S_IMODE(state.st_mode):o}"
    return Check("runtime", mine, detail, f"remove {directory}, or chmod 700 if it is yours")


def _root(world: World) -> Check:
    root = world.root
    wide = root in {world.home, Path("/")}
    return aside("project", str(root), "start in a project's directory", ok=not wide)


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())
