"""Files of an identity, written whole: a reader sees the old content or the new, never a part."""

import os
import tempfile
from pathlib import Path

from hermes.errors import IdentityError


def write_whole(path: Path, data: bytes) -> None:
    """Write, fsync, rename; 0600 in a folder of 0700. Raises IdentityError; blocks on the disk."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        # mkstemp makes the file 0600 whatever the umask.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise IdentityError(f"{path.name} cannot be written: {error.strerror}") from error
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _settle(path.parent)
    except OSError as error:
        raise IdentityError(f"{path.name} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    # The rename itself lasts once the folder is on the disk.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
