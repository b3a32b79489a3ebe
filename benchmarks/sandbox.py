"""What a sandbox costs: beside a plain process and beside bubblewrap alone, turn about."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from benchmarks import Row, at_most, note, told
from benchmarks.measure import median
from hermes.sandbox.aside import Aside
from hermes.sandbox.box import Box
from hermes.sandbox.changes_apply import apply_changes
from hermes.sandbox.command import Command
from hermes.sandbox.environment import clean_environment
from hermes.sandbox.standing import Standing, examine, run, spare
from hermes.sandbox.view import View

FILES = 2_000
# Bound to nothing but time: what it takes outside is what it should take inside.
WORK = "import hashlib\nd = b''\nfor _ in range(400_000): d = hashlib.sha256(d).digest()"
Step = Callable[[], Awaitable[object]]


def bare(standing: Standing) -> list[str]:
    """Bubblewrap as others call it: namespaces over the whole disk, no filter, no limits."""
    assert standing.ground is not None
    return [standing.ground.bwrap, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
            "--unshare-all", "--die-with-parent"]  # fmt: skip


def account(standing: Standing) -> dict[str, object]:
    """As whom bubblewrap runs: as who the sandbox does."""
    whom = standing.ground.account if standing.ground else None
    return {"user": whom.uid, "group": whom.gid, "extra_groups": []} if whom else {}


async def turn_about(times: int, *steps: Step) -> list[float]:
    """The median of each in milliseconds; the first of each warms the file cache."""
    taken: list[list[float]] = [[] for _ in steps]
    for _ in range(times + 1):
        for step, its in zip(steps, taken, strict=True):
            start = time.perf_counter()
            await step()
            its.append((time.perf_counter() - start) * 1000)
    return [median(its[1:]) for its in taken]


def process(argv: list[str], **more: object) -> Step:
    """Run a process to its end."""

    async def step() -> None:
        await anyio.run_process(argv, stdin=subprocess.DEVNULL, cwd="/", **more)

    return step


async def starts(standing: Standing, times: int) -> list[Row]:
    """A command that does nothing."""

    async def boxed() -> None:
        assert (await run(standing, Box(), ["/bin/true"])).ok

    waits: list[float] = []
    for _ in range(times):
        async with spare(standing, Box()) as waiting:
            start = time.perf_counter()
            await waiting.run(["/bin/true"])
            waits.append((time.perf_counter() - start) * 1000)
    plain, alone, ours = await turn_about(
        times,
        process(["/bin/true"]),
        process([*bare(standing), "/bin/true"], **account(standing)),
        boxed,
    )
    return [
        told("plain process", plain, "ms"),
        told("bubblewrap alone", alone, "ms"),
        at_most("sandbox: start", ours, "ms", 30),
        told("a spare's command", median(waits), "ms"),
        told("sandbox / plain process", ours / plain, "x"),
        at_most("sandbox / bubblewrap alone", ours / alone, "x", 4),
    ]


async def overlays(standing: Standing, times: int, work: Path) -> list[Row]:
    """A command that edits a file of a workspace, and the edit applied."""
    text = "echo line >> file0; cat file1"
    box = Box(workspace=work, cwd=str(work))

    async def call() -> None:
        ended = await run(standing, box, ["/bin/sh", "-c", text])
        assert ended.changes is not None
        await apply_changes(ended.changes, work)

    plain, ours = await turn_about(times, process(["/bin/sh", "-c", f"cd {work}; {text}"]), call)
    return [
        at_most(f"overlay call, {FILES:,} files, applied", ours, "ms", 60),
        told("overlay call / plain process", ours / plain, "x"),
    ]


async def chat(times: int, work: Path) -> list[Row]:
    """A chat's commands: one that reads, in a sandbox that waited for it, and one that edits."""
    env = clean_environment(os.environ)

    def command(text: str) -> Command:
        return Command(("/bin/sh", "-c", text), work, env)

    reads: list[float] = []
    edits: list[float] = []
    async with Aside(View(env)) as aside:
        await aside.look(command("true"), work)
        for _ in range(times):
            while not aside.waits:  # noqa: ASYNC110 - a model takes longer than this to answer
                await anyio.sleep(0.005)
            start = time.perf_counter()
            await aside.look(command("cat file1"), work)
            reads.append((time.perf_counter() - start) * 1000)
        while not aside.waits:  # noqa: ASYNC110 - its start is not to be measured
            await anyio.sleep(0.005)
        for _ in range(times):
            start = time.perf_counter()
            done = await aside.change(command("echo line >> file0"), work)
            await apply_changes(done.changes, work)
            edits.append((time.perf_counter() - start) * 1000)
    return [
        at_most("a chat's reading command", median(reads), "ms", 20),
        at_most("a chat's editing command, applied", median(edits), "ms", 60),
    ]


async def work_inside(standing: Standing, times: int) -> list[Row]:
    """Half a second of computing."""
    assert standing.ground is not None
    argv = [standing.ground.python, "-I", "-S", "-c", WORK]

    async def boxed() -> None:
        assert (await run(standing, Box(), argv)).ok

    plain, ours = await turn_about(times, process(argv), boxed)
    return [told("computing inside / outside, start included", ours / plain, "x")]


async def measure(quick: bool) -> list[Row]:  # noqa: FBT001 - as given
    """Everything; a line that says why where the machine gives no sandbox."""
    start = time.perf_counter()
    standing = await examine()
    rows = [told("self-test", (time.perf_counter() - start) * 1000, "ms", f"tier {standing.tier}")]
    if standing.tier not in {"A", "A-"}:
        return [*rows, note("sandbox", standing.reason)]
    times = 5 if quick else 30
    work = Path(tempfile.mkdtemp(prefix="hermes-bench-"))
    try:
        for number in range(FILES):
            (work / f"file{number}").write_text("line\n" * 20)
        rows += await starts(standing, times)
        rows += await overlays(standing, times, work)
        rows += await chat(times, work)
        rows += await work_inside(standing, max(3, times // 6))
    finally:
        shutil.rmtree(work)
    return rows


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    return anyio.run(measure, quick)
