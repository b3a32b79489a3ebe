"""Files of an identity, written whole: a reader sees the old content or the new, never a part."""

import errno
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from hermes.core.checkpoint import LONGEST
from hermes.errors import IdentityError, IdentityInvalid, ProofInvalid, Refused

_STALE_S = 60.0


def write_whole(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write, fsync, rename; 0600 in a folder of 0700. Raises IdentityError; blocks on the disk.

    What a killed writer left of this file goes: it may be a vault under an earlier passphrase.
    Without `replace` a file that is there already stays, and Refused is raised.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        _forget(path)
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
        if replace:
            draft.replace(path)
        else:
            path.hardlink_to(draft)  # fails where a rename would overwrite
        settle(path.parent)
    except FileExistsError as error:
        raise Refused(f"there is a {path.name} already", "move it away first") from error
    except OSError as error:
        raise IdentityError(f"{path.name} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _forget(path: Path) -> None:
    start, before = f".{path.name}.", time.time() - _STALE_S
    with os.scandir(path.parent) as found:
        stale = [one.path for one in found if one.name.startswith(start)]
    for name in stale:
        with suppress(OSError):  # its own writer was quicker, or it is no file
            if os.lstat(name).st_mtime < before:
                Path(name).unlink()


def read_whole(path: Path, most: int, *, private: bool = False) -> bytes:
    """So many bytes of a file at most; raises OSError. Blocks on the disk, and on nothing else.

    `private` raises IdentityInvalid when anybody but us may read it.
    """
    # A named pipe in its place must not hold up whoever reads.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a file")
        others = found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        if private and (others or found.st_uid != os.geteuid()):
            raise IdentityInvalid(f"others can read {path.name}", f"chmod 600 {path.name}")
        return file.read(most)


def read_note(path: Path, remedy: str) -> str:
    """A signed note, empty where there is none; raises ProofInvalid. Blocks on the disk."""
    try:
        return read_whole(path, LONGEST).decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ProofInvalid(f"{path} cannot be read: {error}", remedy) from error


def settle(folder: Path) -> None:
    """Put a folder's renames on the disk."""
    # The rename itself lasts once the folder is on the disk.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
