"""Where owner and front ends meet: a unix socket in a directory that only we can enter.

Named by the store's directory, because socket paths are limited to 108 bytes. The kernel's
directory permissions are the only guard: whoever is this user may come in.
"""

import hashlib
import os
import stat
from pathlib import Path

from hermes.config import Settings
from hermes.errors import NotAvailable

_LONGEST = 107  # bytes of a socket's path, without the closing zero


def socket_path(settings: Settings) -> Path:
    """The socket of the store that the settings name; makes its directory (0700)."""
    return _named(settings, "sock")


def signer_socket(settings: Settings) -> Path:
    """The socket of the signer of that store's owner; makes its directory (0700)."""
    return _named(settings, "sign")


def _named(settings: Settings, kind: str) -> Path:
    private_directory(settings.runtime_dir)
    name = hashlib.sha256(os.fsencode(settings.data_dir.resolve())).hexdigest()[:24]
    path = settings.runtime_dir / f"{name}.{kind}"
    if len(os.fsencode(path)) > _LONGEST:
        raise NotAvailable(
            f"{path} is too long for a socket ({_LONGEST} bytes)", "set XDG_RUNTIME_DIR or TMPDIR"
        )
    return path


def fresh_socket(settings: Settings) -> Path:
    """The socket's path, with nothing there; only for the holder of the store's lock."""
    path = socket_path(settings)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise NotAvailable(f"cannot remove {path}: {error.strerror}", "remove it") from error
    return path


def private_directory(path: Path) -> None:
    """Make a directory that only this user can enter; raises NotAvailable when it is not."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise NotAvailable(
            f"cannot make {path}: {error.strerror}", "remove what is there, or set TMPDIR"
        ) from error
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise NotAvailable(f"{path} is not a directory of ours", "remove it, or set TMPDIR")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)
