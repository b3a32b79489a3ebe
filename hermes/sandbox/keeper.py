"""Keeps one command of tier B, where no namespace ends what it leaves behind.

Run as `python -I -S -B keeper.py LIFE ARGV…`; nobody imports it. It is the subreaper of its
command, so that daemons come back to it, and it kills all of them when the command ends or
LIFE closes, be it by `kill -9` of whoever holds the other end. What runs inside cannot signal
it: Landlock scopes its signals. Shares the sweeping with the guard of shell commands.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import guard  # type: ignore[import-not-found]  # it lies beside this file


def become(argv: list[str]) -> None:
    """Turn this child into the command's last step."""
    guard.prctl(guard.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execv(argv[0], argv)  # noqa: S606 - the point


def main() -> None:
    """Fork, wait for either end, sweep, say how it ended."""
    life, argv = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(life, False)  # noqa: FBT003 - positional only
    guard.prctl(guard.PR_SET_CHILD_SUBREAPER, 1)
    wake = guard.wake_on_child()
    pid = os.fork()
    if pid == 0:
        try:
            become(argv)
        finally:
            os._exit(126)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.closerange(3, min(life, wake, nothing))
    ended: dict[int, int] = {}
    poll = guard.poll_of(wake, life)
    while pid not in ended:
        ready = {fd for fd, _ in poll.poll()}
        guard.drain(wake)
        ended |= guard.reap()
        if life in ready:
            break
    ended |= guard.sweep(set())
    code = os.waitstatus_to_exitcode(ended.get(pid, 9))
    sys.exit(128 - code if code < 0 else code)


main()
