"""What runs inside a box beside the version under trial: starts it, kills it, weighs it.

An entry module: a bare interpreter runs this text with the control socket's number as its one
word. Standard library only. It guards nothing: the box does. It kills everything inside but
itself and process 1, so that a version has no way to survive `kill -9`.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") >> 10
_TICK_MS = 1000 // os.sysconf("SC_CLK_TCK")
_SET_DUMPABLE = 4
_MOST = 1 << 16
_FOLDER = "/box/scripts"
_LATE_S = 5.0
_started: list["subprocess.Popen[bytes]"] = []


def start(fd: int, argv: list[str], env: dict[str, str], cwd: str) -> dict[str, Any]:
    """Start the version with this socket as its standard input and output."""
    os.makedirs(cwd, exist_ok=True)
    process = subprocess.Popen(  # noqa: S603 - the judge's own words
        argv, stdin=fd, stdout=fd, env={**os.environ, **env}, cwd=cwd
    )
    os.close(fd)  # or its end would not be heard outside
    _started[:] = [process]
    return {"pid": process.pid}


def ended() -> dict[str, Any]:
    """How the version ended that was started last: its exit code or minus the signal."""
    status = None
    if _started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = _started[0].wait(_LATE_S)
    return {"status": status}


def kill() -> dict[str, Any]:
    """Kill -9 everything but this, and wait until nothing of it is left."""
    _started.clear()
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return {}
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    while len(_others()) > 0:  # their parent is process 1, which takes them
        pass
    return {}


def weigh() -> dict[str, Any]:
    """Resident memory and processor time of everything but this."""
    kib = ms = 0
    for pid in _others():
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                kib += int(file.read().split()[1]) * _PAGE_KIB
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                words = file.read().rpartition(")")[2].split()
            ms += sum(map(int, words[11:15])) * _TICK_MS
        except OSError:
            continue
    return {"kib": kib, "ms": ms}


def put(files: dict[str, str], folder: str = _FOLDER) -> dict[str, Any]:
    """Write files, scripts where nothing else is said."""
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return {}


def look(folder: str) -> dict[str, Any]:
    """Every file below a folder and the beginning of what is in it."""
    found = {}
    for place, _folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            try:
                with open(path, "rb") as file:
                    found[path] = file.read(200).decode(errors="replace")
            except OSError as error:
                found[path] = str(error.strerror)
    return {"files": found}


def run(argv: list[str], env: dict[str, str], limit_s: float) -> dict[str, Any]:
    """Run a command to its end; what it prints is cut off."""
    try:
        done = subprocess.run(  # noqa: S603 - the judge's own words
            argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=limit_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"status": None, "stdout": "", "stderr": f"more than {limit_s} s"}
    texts = {
        "stdout": done.stdout[:_MOST].decode(errors="replace"),
        "stderr": done.stderr[:_MOST].decode(errors="replace"),
    }
    return {"status": done.returncode} | texts


def _others() -> list[str]:
    mine = {"1", str(os.getpid())}
    return [name for name in os.listdir("/proc") if name.isdigit() and name not in mine]


_WORK: dict[str, Callable[..., dict[str, Any]]] = {
    "start": start, "ended": ended, "kill": kill, "weigh": weigh, "put": put, "look": look,
    "run": run,
}  # fmt: skip


def main() -> None:
    """Do as the control socket says, one line after the other, until it closes."""
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)  # nobody inside opens this one's memory
    control = socket.socket(fileno=int(sys.argv[1]))
    for word in sys.argv[1:]:
        os.set_inheritable(int(word), False)  # noqa: FBT003 - the library's form
    with control, control.makefile("rw", encoding="utf-8") as lines:
        lines.write('{"ready": true}\n')
        lines.flush()
        for line in lines:
            order = json.loads(line)
            answer = _WORK[order.pop("do")](**order)
            lines.write(json.dumps(answer) + "\n")
            lines.flush()


if __name__ == "__main__":
    main()
