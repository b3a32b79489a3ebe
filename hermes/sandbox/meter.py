"""Stands outside around one sandbox and says what all of it used, by the kernel's account.

Run as `python -I -S -B meter.py FD ARGV…`; nobody imports it, standard library only. The
watchdog's figures are of its last look, these are of the end. Bubblewrap does not wait for
process 1 of the inside, in whose account the others end: this one is the subreaper, and does.
Not in it: what the inside leaves running, which the kernel ends without an account
(`zap_pid_ns_processes`); the watchdog sees that. The peak is of the largest process, and not
of whoever asked: this one is small.
"""

import ctypes
import os
import resource
import signal
import sys

_SUBREAPER = 36


def main() -> None:
    """Start, wait, say: microseconds of processor time, KiB of the largest process."""
    fd, argv = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("no subreaper")
    pid = os.fork()
    if pid == 0:
        try:
            os.close(fd)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execv(argv[0], argv)  # noqa: S606 - the point
        finally:
            os._exit(126)
    status = 0
    try:
        while True:
            ended, how = os.wait()
            status = how if ended == pid else status
    except ChildProcessError:
        pass
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    micros = round((used.ru_utime + used.ru_stime) * 1_000_000)
    os.write(fd, b"%d %d" % (micros, used.ru_maxrss))
    code = os.waitstatus_to_exitcode(status)
    os._exit(128 - code if code < 0 else code)


main()
