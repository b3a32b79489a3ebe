"""The last step into a sandbox: runs inside it, lays on the last bounds, becomes the command.

Run as `python -I -S -B inside.py FD`; nobody imports it. On FD come two frames: the bounds, at
once, and the command, which may come much later (a warm spare waits here, already bound).
When FD closes first, whoever asked is gone and nothing is run. Imports the standard library
and `landlock.py` beside it, and little of either: each sandbox waits for this file.
"""

import os
import resource
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import landlock  # type: ignore[import-not-found]

_SECCOMP = 22
_FILTER = 2


def frame(fd: int) -> list[str]:
    """A list of texts; ends the process when nobody writes any more."""
    size = int.from_bytes(exactly(fd, 4), "big")
    return [os.fsdecode(word) for word in exactly(fd, size).split(b"\0")[:-1]]


def exactly(fd: int, size: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:
            os._exit(125)
        data += piece
    return data


def filtered(program: bytes) -> None:
    """Lay a seccomp filter on this process, where no one outside did."""
    import ctypes  # noqa: PLC0415 - landlock has it already

    landlock.no_new_privileges()
    lines = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    given = Program(len(program) // 8, ctypes.addressof(lines))
    if ctypes.CDLL(None, use_errno=True).prctl(_SECCOMP, _FILTER, ctypes.byref(given), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def least(nice: int) -> None:
    """Give way to the rest of the machine, also where each session is a group of its own."""
    os.nice(nice)
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write(str(nice))  # between such groups nothing else counts
    except OSError:
        pass  # a kernel without them


def bound(words: list[str]) -> None:
    """Lay the bounds on this process: limits, then Landlock, then the filter."""
    read, write, flags, program = [], [], [], b""
    for word in words:
        kind, _, value = word.partition("=")
        if kind == "limit":
            name, _, number = value.partition(":")
            most = int(number)
            resource.setrlimit(getattr(resource, "RLIMIT_" + name), (most, most))
        elif kind == "nice":
            least(int(value))
        elif kind == "read":
            read.append(value)
        elif kind == "write":
            write.append(value)
        elif kind == "seccomp":
            program = bytes.fromhex(value)
        else:
            flags.append(kind)
    if "landlock" in flags:
        landlock.restrict(read, write, tcp="tcp" in flags)
    if program:
        filtered(program)


def main() -> None:
    """Bounds, word, command."""
    fd = int(sys.argv[1])
    for one in sys.argv[1:]:
        os.set_inheritable(int(one), False)  # noqa: FBT003 - positional only
    try:
        bound(frame(fd))
        os.write(fd, b"ready\n")
        place, count, *words = frame(fd)
        os.chdir(place)
        argv, env = words[: int(count)], words[int(count) :]
        os.execvpe(argv[0], argv, dict(pair.split("=", 1) for pair in env))  # noqa: S606 - the point
    except OSError as error:
        os.write(fd, ("no: " + (error.strerror or str(error))).encode())
    os._exit(126)


main()
