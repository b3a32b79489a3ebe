"""Files that are whole or not there: written beside, flushed to the disk, then renamed.

Apart from checkpoints because data is written so, too, on machines without torch.
"""

import os
from collections.abc import Callable
from pathlib import Path

from hermes.errors import TrainingError

REMEDY = "make room and start the same run again: it goes on from its last checkpoint"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, flush it, and only then put it in its place.

    Raises TrainingError where that can't be done; `path` is then what it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error}", REMEDY) from error
    finally:
        beside.unlink(missing_ok=True)


def _flush(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
