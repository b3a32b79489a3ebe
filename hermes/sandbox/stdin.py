"""What a child reads, as a file: a pipe would break under us when the child ends before it reads.

And asyncio of Python 3.11 tells of a pipe that broke out of its loop, where nobody can catch it.
"""

import contextlib
import fcntl
import os
import subprocess
from contextlib import AbstractContextManager
from typing import IO

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


def stdin_of(given: bytes | int) -> AbstractContextManager[IO[bytes] | int]:
    """Bytes as a file in memory that nobody can write to; a descriptor as it is."""
    if isinstance(given, int):
        return contextlib.nullcontext(given)
    if not given:
        return contextlib.nullcontext(subprocess.DEVNULL)
    file = os.fdopen(os.memfd_create("stdin", os.MFD_ALLOW_SEALING), "w+b")
    file.write(given)
    file.seek(0)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
    return file
