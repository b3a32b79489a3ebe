"""What one process costs: wall time, CPU time, peak memory; and what this disk costs.

CPU counts the process and the children it waited for; a guard or an engine that outlives
the process is not in it.
"""

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HERMES = str(Path(sys.executable).with_name("hermes"))


class Sample(NamedTuple):
    """One run of one process; seconds, megabytes."""

    wall: float
    cpu: float
    rss: float
    code: int
    began: float
    output: str = ""


@contextlib.contextmanager
def home() -> Iterator[dict[str, str]]:
    """Give an environment whose every directory is new and short-lived; `HOME` is its root."""
    root = Path(tempfile.mkdtemp(prefix="hb-"))
    (root / "work").mkdir()
    (root / "run").mkdir(mode=0o700)
    kept = {name: os.environ[name] for name in ("PATH", "TERM") if name in os.environ}
    env = kept | {
        "LANG": "C.UTF-8",
        "HOME": str(root),
        "PWD": str(root / "work"),
        "HERMES_V2_HOME": str(root / "hermes"),
        "XDG_RUNTIME_DIR": str(root / "run"),
        "TMPDIR": str(root),
    }
    try:
        yield env
    finally:
        shutil.rmtree(root, ignore_errors=True)


def run(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: str | None = None,
    limit_s: float = 120.0,
    output: bool = False,
) -> Sample:
    """Run a process to its end, bounded in time, and say what it cost."""
    began = time.time()
    start = time.perf_counter()
    child = subprocess.Popen(
        command,
        env=dict(env),
        cwd=cwd or env.get("PWD"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if output else subprocess.DEVNULL,
        stderr=subprocess.STDOUT if output else subprocess.DEVNULL,
        start_new_session=True,
    )
    timer = threading.Timer(limit_s, _end, (child.pid,))
    timer.start()
    text = child.stdout.read().decode(errors="replace") if child.stdout else ""
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.stdout:
        child.stdout.close()
    peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    cpu = usage.ru_utime + usage.ru_stime
    return Sample(wall, cpu, peak, child.returncode, began, text)


def _end(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def median(values: Sequence[float]) -> float:
    """The middle, or not a number where there is none."""
    return statistics.median(values) if values else float("nan")


def fsync_ms(directory: Path, times: int = 60) -> float:
    """Median milliseconds to append a page to a file here and have it on disk."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(times):
            file.write(b"\0" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - start) * 1000)
    return median(taken)
