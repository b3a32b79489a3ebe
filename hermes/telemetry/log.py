"""The log: what went wrong inside, one JSON object a line, for whoever mends it.

It holds tracebacks, no conversation. Kept small: at a megabyte it starts anew and keeps one
older file.
"""

import os
import traceback
from pathlib import Path

import msgspec

from hermes.core.clock import rfc3339

_MOST = 1_000_000  # bytes


class Log:
    """An append-only file, 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, at: int, where: str, error: BaseException) -> None:
        """Append one error; blocks on the disk, so call it in a thread."""
        entry = {
            "at": rfc3339(at),
            "where": where,
            "error": f"{type(error).__name__}: {error}",
            "trace": traceback.format_exception(error),
        }
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
            full = file.tell() > _MOST
        if full:
            self.path.replace(self.path.with_suffix(".old"))
