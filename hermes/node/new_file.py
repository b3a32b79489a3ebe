"""A file that a command makes: whole under its name, or not there; never over another.

Readable by its owner alone, as whatever Hermes writes may hold words of a conversation.
"""

import os
from pathlib import Path

from hermes.errors import Usage


def check_free(path: Path) -> None:
    """Raise Usage where something has that name. Blocks on the disk."""
    if os.path.lexists(path):
        raise _taken(path)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet; raises Usage. Blocks on the disk."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise Usage(f"cannot write {path}: {error.strerror}", "name another file") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)  # a part of it would look like the whole
        raise Usage(f"cannot write {path}: {error.strerror}", "name another file") from error


def _taken(path: Path) -> Usage:
    return Usage(f"{path} exists already", "nothing is written over: name another file")
