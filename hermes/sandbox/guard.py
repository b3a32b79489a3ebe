"""The guard: forks a keeper for each command, and a keeper leaves nothing behind.

Run as `python -I -S guard.py FD`; imports the standard library only, and nobody imports it.
The owner sends one byte with two descriptors [output pipe, control socket] for each command.
A keeper is the subreaper of its command, so that daemons come back to it; it kills the whole
tree when the command ends or the control socket closes, be it by `kill -9` of the owner. It
does not guard against a command that kills its own keeper and the guard on purpose (same
user), nor against processes that became another user's; that is the sandbox's part.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CALM = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
ROUND_S = 0.005
LINUX = sys.platform == "linux"
LIBC = ctypes.CDLL(None) if LINUX else None


def prctl(option: int, value: int) -> None:
    """Set an option of this process where there is prctl; process groups do elsewhere."""
    if LIBC is not None:
        LIBC.prctl(option, value, 0, 0, 0)


def wake_on_child() -> int:
    """Make SIGCHLD readable; gives the end to poll."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def poll_of(*fds: int) -> select.poll:
    """A poll for reading."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return poll


def drain(fd: int) -> None:
    """Empty a wake-up pipe."""
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def reap() -> dict[int, int]:
    """Collect every ended child: pid to wait status."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = status
    return ended


def children(pid: int) -> list[int]:
    """The direct children of a process, through all of its threads."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(word) for word in (task / "children").read_text().split()]
    return found


def descendants(spared: set[int]) -> list[int]:
    """Everything below this process but the spared children and what is below them."""
    found = [pid for pid in children(os.getpid()) if pid not in spared]
    for pid in found:  # grows as it goes
        found.extend(children(pid))
    return found


def kill(pid: int) -> bool:
    """SIGKILL one process; False when it is another user's."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return True


def strike(pids: list[int]) -> bool:
    """SIGKILL processes and their groups; False when it may kill none of them.

    A group dies in one step, so that no chain of forks inside it can run ahead.
    """
    groups = {os.getpgrp()}
    for pid in pids:
        with contextlib.suppress(OSError):
            group = os.getpgid(pid)
            if group not in groups:
                groups.add(group)
                os.killpg(group, signal.SIGKILL)
    return sum(map(kill, pids)) > 0


def sweep(spared: set[int]) -> dict[int, int]:
    """Kill all that is left below this process, until nothing is; gives what was reaped."""
    ended = reap()
    pause = 0.0
    while (left := descendants(spared)) and strike(left):
        time.sleep(pause)
        pause = min(pause + ROUND_S / 10, ROUND_S)
        ended |= reap()
    return ended


def receive(control: socket.socket, size: int) -> bytes:
    """Read exactly so many bytes; raises EOFError when the owner is gone."""
    data = bytearray()
    while len(data) < size:
        piece = control.recv(min(size - len(data), 1 << 16))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def send(control: socket.socket, message: dict[str, object]) -> None:
    """Tell the owner, if it still listens."""
    with contextlib.suppress(OSError):
        control.sendall(json.dumps(message).encode() + b"\n")


def stdin_of(text: str) -> int:
    """A descriptor that reads the given text; /dev/null when there is none."""
    if not text:
        return os.open(os.devnull, os.O_RDONLY)
    with tempfile.TemporaryFile() as file:
        file.write(os.fsencode(text))
        file.seek(0)
        return os.dup(file.fileno())


def become(request: dict, output: int, keeper: int) -> None:  # type: ignore[type-arg]  # JSON
    """Turn this forked child into the command; returns only by raising."""
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in (*CALM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    for name, value in request.get("limits", {}).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    os.dup2(stdin_of(request.get("input", "")), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(request["cwd"])
    os.execvpe(request["argv"][0], request["argv"], request["env"])  # noqa: S606 - the point


def spawn(request: dict, output: int) -> int:  # type: ignore[type-arg]  # JSON
    """Fork and exec the command in a session of its own; raises OSError with the reason."""
    keeper = os.getpid()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(request, output, keeper)
        except BaseException as error:  # noqa: BLE001 - crosses the pipe as text
            reason = error.strerror if isinstance(error, OSError) else str(error)
            os.write(tell, (reason or repr(error)).encode(errors="replace")[:500])
        os._exit(127)
    os.close(tell)
    with os.fdopen(told, "rb") as pipe:
        reason = pipe.read().decode()
    if reason:
        raise OSError(reason)
    return pid


def keep(control: socket.socket, output: int) -> None:
    """The life of a keeper: one command, from its request to the last of its children."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake = wake_on_child()
    try:
        size = int.from_bytes(receive(control, 4), "big")
        request = json.loads(receive(control, size))
        pid = spawn(request, output)
    except (EOFError, OSError, ValueError) as error:
        send(control, {"error": str(error)})
        return
    finally:
        os.close(output)
    send(control, {"started": pid})
    ended: dict[int, int] = {}
    poll = poll_of(wake, control.fileno())
    while pid not in ended:
        ready = {fd for fd, _ in poll.poll()}
        drain(wake)
        ended |= reap()
        if control.fileno() in ready:
            break  # closed, or a word to stop
    if not LINUX:
        strike([pid])
    ended |= sweep(set())
    while pid not in ended:
        time.sleep(ROUND_S)
        ended |= reap()
    send(control, {"status": os.waitstatus_to_exitcode(ended[pid])})


def fork_keeper(door: socket.socket, descriptors: list[int]) -> set[int]:
    """Fork a keeper for the descriptors that came; gives its pid.

    Where no process can be made, the owner sees its control socket close.
    """
    for fd in descriptors:
        os.set_inheritable(fd, False)  # noqa: FBT003 - positional only
    pid = -1
    with contextlib.suppress(OSError):
        pid = os.fork()
    if pid == 0:
        try:
            door.close()
            output, control = descriptors
            keep(socket.socket(fileno=control), output)
        finally:
            os._exit(0)
    for fd in descriptors:
        os.close(fd)
    return {pid} - {-1}


def main() -> None:
    """Serve the owner until its end of the socket closes."""
    for number in CALM:
        signal.signal(number, signal.SIG_IGN)
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # the orphans of a killed keeper come here
    door = socket.socket(fileno=int(sys.argv[1]))
    door.set_inheritable(False)
    wake = wake_on_child()
    keepers: set[int] = set()
    poll = poll_of(wake, door.fileno())
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if wake in ready:
            drain(wake)
            keepers -= set(reap())
            keepers -= set(sweep(keepers))
        if door.fileno() not in ready:
            continue
        word, descriptors, _, _ = socket.recv_fds(door, 1, 2)
        if not word:
            return
        if len(descriptors) == 2:  # noqa: PLR2004 - output and control
            keepers |= fork_keeper(door, descriptors)


if __name__ == "__main__":
    main()
