"""A program in a real pseudo-terminal: types into it and waits for what it shows."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

_WHERE = b"\x1b[6n"  # "where is the cursor?": a terminal that stays silent delays the prompt
_HERE = b"\x1b[1;1R"
_CONTROL = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_=>])")


class Terminal:
    """A running program; `text` is what it showed, control sequences removed."""

    def __init__(self, child: "subprocess.Popen[bytes]", master: int) -> None:
        self.child = child
        self._master = master
        self._raw = bytearray()
        self._news = threading.Condition()
        self._open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """All that was shown so far."""
        return _CONTROL.sub(b"", bytes(self._raw)).decode(errors="replace")

    def type(self, keys: str) -> None:
        """Press keys; `\\r` is Enter."""
        os.write(self._master, keys.encode())

    def wait_for(self, wanted: str, limit_s: float, *, since: int = 0) -> float:
        """Wait until a pattern is shown after position `since`; returns the instant.

        Raises TimeoutError with what was shown.
        """
        until = time.perf_counter() + limit_s
        with self._news:
            while not re.search(wanted, self.text[since:]):
                left = until - time.perf_counter()
                if left <= 0 or not self._open:
                    raise TimeoutError(f"no {wanted!r} in: {self.text[-2000:]}")
                self._news.wait(left)
        return time.perf_counter()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                data = b""
            if _WHERE in data:
                os.write(self._master, _HERE)
            with self._news:
                self._raw += data
                self._open = bool(data)
                self._news.notify_all()
            if not data:
                return


def _become_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextlib.contextmanager
def terminal(
    command: Sequence[str], env: Mapping[str, str], *, quit_by: str = "\x04"
) -> Iterator[Terminal]:
    """Run a program in a terminal of 100 x 30; at the end it gets `quit_by`, then SIGKILL."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    child = subprocess.Popen(
        command,
        env={"TERM": "xterm-256color", **env},
        cwd=env.get("PWD"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=_become_terminal,  # noqa: PLW1509 - no thread holds a lock that it needs
    )
    os.close(slave)
    screen = Terminal(child, master)
    try:
        yield screen
        for _ in range(10):  # a key pressed before the program reads keys is lost
            with contextlib.suppress(subprocess.TimeoutExpired, OSError):
                screen.type(quit_by)
                child.wait(1)
                break
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(master)
