"""Tries to get out, harmlessly and in bounded numbers: inside a sandbox, and outside to compare.

Run as `python -I -S -B probe.py FOLDER PORT PID START SCRATCH`; nobody imports it, standard
library only. Prints each axis and whether it got through. What gets through inside is a hole;
what does not even outside shows nothing.
"""

import os
import socket
import sys
from collections.abc import Callable

_NEW_USER = 0x10000000
_MIB = 1 << 20


def reads(folder: str) -> bool:
    """A file of the machine."""
    with open(folder + "/secret") as file:
        return file.read() != ""


def writes(folder: str) -> bool:
    """A new file beside it."""
    with open(f"{folder}/made-{os.getpid()}", "w") as file:
        return file.write("x") == 1


def sees(pid: str, start: str) -> bool:
    """The process that asked, told from another with its number by when it began."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[19] == start


def dials(port: str) -> bool:
    """A server on the machine's loopback."""
    socket.create_connection(("127.0.0.1", int(port)), 2).close()
    return True


def calls(folder: str) -> bool:
    """A server at a path."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(2)
        caller.connect(folder + "/door")
    return True


def forked(action: Callable[[], bool]) -> bool:
    """Whether an action goes through in a child, which ends whatever happens."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if action() else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def nests() -> bool:
    """A user namespace of its own."""
    import ctypes  # noqa: PLC0415 - only here

    return bool(ctypes.CDLL(None).unshare(_NEW_USER) == 0)


def traces() -> bool:
    """Being traced: PTRACE_TRACEME."""
    import ctypes  # noqa: PLC0415 - only here

    return bool(ctypes.CDLL(None).ptrace(0, 0, None, None) == 0)


def forks() -> bool:
    """24 children at once."""
    reader, writer = os.pipe()
    children = []
    try:
        for _ in range(24):
            child = os.fork()
            if child == 0:
                os.close(writer)
                os.read(reader, 1)
                os._exit(0)
            children.append(child)
    finally:
        os.close(writer)
        for child in children:
            os.waitpid(child, 0)
    return True


def opens() -> bool:
    """100 descriptors."""
    fds = []
    try:
        for _ in range(100):
            fds.append(os.dup(0))  # noqa: PERF401 - each may fail
    finally:
        for fd in fds:
            os.close(fd)
    return True


def fills(scratch: str, sizes: list[int]) -> bool:
    """Files of so many MiB."""
    names = []
    try:
        for at, size in enumerate(sizes):
            names.append(f"{scratch}/fill-{os.getpid()}-{at}")
            with open(names[-1], "wb") as file:
                file.write(b"x" * (size * _MIB))
    finally:
        for name in names:
            if os.path.exists(name):
                os.unlink(name)
    return True


def main() -> None:
    """Try everything."""
    folder, port, pid, start, scratch = sys.argv[1:]
    tries: dict[str, Callable[[], bool]] = {
        "files": lambda: reads(folder),
        "writes": lambda: writes(folder),
        "environment": lambda: "HERMES_PROBE" in os.environ,
        "processes": lambda: sees(pid, start),
        "network": lambda: dials(port),
        "unix sockets": lambda: calls(folder),
        "vsock": lambda: socket.socket(40, socket.SOCK_STREAM).fileno() >= 0,
        "landlock": lambda: os.listdir("/") != [],
        "namespaces": lambda: forked(nests),
        "tracing": lambda: forked(traces),
        "hidden memory": lambda: os.memfd_create("x") >= 0,
        "memory": lambda: len(bytearray(96 * _MIB)) > 0,
        "process count": forks,
        "open files": opens,
        "file size": lambda: fills(scratch, [3]),
        "disk": lambda: fills(scratch, [1] * 6),
        "inodes": lambda: fills(scratch, [0] * 300),
    }
    for name, action in tries.items():
        try:
            through = action()
        except (OSError, MemoryError, IndexError):
            through = False
        print(f"{name}={'through' if through else 'held'}")


main()
