"""Reading files that may be anything: pipes, devices, endless, unreadable.

Only regular files are read, opening never waits, and no read is without a bound.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from hermes.core.tool import Place
from hermes.errors import Refused, ToolFailure
from hermes.policy import paths

MAX_WHOLE = 10_000_000
_LOOKED_AT = 8_192


def resolve(text: str, place: Place) -> Path:
    """The real path behind the model's words; raises ToolFailure."""
    if not text:
        raise ToolFailure("path: must not be empty")
    try:
        return paths.resolve(text, place)
    except Refused as error:
        raise ToolFailure(error.message) from error
    except ValueError as error:  # text that no file system takes
        raise ToolFailure(f"path: {error}") from error


def failure(error: OSError) -> ToolFailure:
    """What the model is told of an operating system's error."""
    return ToolFailure((error.strerror or str(error)).lower())


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; raises ToolFailure."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW)
    except OSError as error:
        raise failure(error) from error
    kind = os.fstat(fd).st_mode
    if not stat.S_ISREG(kind):
        os.close(fd)
        what = "is a directory" if stat.S_ISDIR(kind) else "not a regular file"
        raise ToolFailure(what)
    return os.fdopen(fd, "rb")


def read_whole(path: Path) -> bytes | None:
    """A file's bytes, None where there is no file; raises ToolFailure, also above 10 MB."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(error) from error
    with open_regular(path) as file:
        try:
            data = file.read(MAX_WHOLE + 1)
        except OSError as error:
            raise failure(error) from error
    if len(data) > MAX_WHOLE:
        raise ToolFailure(f"too large to edit: more than {MAX_WHOLE} bytes")
    return data


def is_binary(data: bytes) -> bool:
    """Whether the bytes are no text: a NUL near the start."""
    return b"\0" in data[:_LOOKED_AT]


def digest(data: bytes) -> str:
    """The name under which a file's content is remembered."""
    return hashlib.sha256(data).hexdigest()
