"""Landlock without a library: what a process and its children may open, for good.

Runs outside and, bound in alone, inside the sandbox, so it imports the standard library only.
It hides contents, not names: `access()` still tells what is there, and sockets that have a
path can be connected to before ABI 9.
"""

import ctypes
import os
import stat
import struct
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_NO_NEW_PRIVS = 38
_FILE_ONLY = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # exec, write, read, truncate, ioctl
READ = 1 << 0 | 1 << 2 | 1 << 3  # exec, read a file, list a directory
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_RIGHTS = 16
_ABI_NET, _ABI_SCOPES = 4, 6
_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    done: int = _LIBC.syscall(number, *arguments)
    if done < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return done


def abi() -> int:
    """The version the kernel speaks; 0: no Landlock here."""
    if sys.platform != "linux":
        return 0
    try:
        return int(_call(_CREATE, None, ctypes.c_size_t(0), 1))
    except OSError:
        return 0


def restrict(read: list[str], write: list[str], *, tcp: bool) -> None:
    """Restrict this process to these paths, and its signals to its own kind.

    `tcp`: whether TCP stays free (in a network namespace of its own it may). Paths that are
    not there are left out. Raises OSError; then nothing was restricted.
    """
    version = abi()
    everything = (1 << _RIGHTS.get(version, _ALL_RIGHTS)) - 1
    fields = [everything]
    if version >= _ABI_NET:
        fields.append(0 if tcp else 3)
    if version >= _ABI_SCOPES:
        fields.append(3)  # abstract sockets and signals
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    rules = _call(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for path in read:
            _allow(rules, path, READ & everything)
        for path in write:
            _allow(rules, path, everything)
        no_new_privileges()
        _call(_RESTRICT, rules, 0)
    finally:
        os.close(rules)


def no_new_privileges() -> None:
    """No setuid program gives this process anything from now on."""
    if _LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _FILE_ONLY
        _call(_ADD, rules, 1, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)
