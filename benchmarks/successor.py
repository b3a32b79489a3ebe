"""What trying a change costs: how soon its first test runs, how fast inside, and what others feel.

The checkout's own last commit is the parent, and `run_trial` is what `hermes successor run` calls.
"Cold" is a trial from a patch's bytes to the candidate's first test that has ended, when no box
waits: applied, compiled, and what runs beside that. "Warm" is the part from the word to a box that
has loaded what tests need, and waits. Figures that are compared were measured turn about, with the
same niceness; the parent's own answers are known, as they are to an owner.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from benchmarks import Row, at_most, note, told
from benchmarks.forks import Forks, Trials, forks
from benchmarks.measure import home, median
from benchmarks.owner import Door, owner
from benchmarks.store import GIGABYTE, fill
from hermes.core.clock import SystemClock
from hermes.sandbox.standing import examine
from hermes.store.store import Store
from hermes.successor.judge.suite_run import Asked
from hermes.successor.judge.usher import Usher, plugins, unheard
from hermes.successor.source import find_source
from hermes.successor.ward import ward_of
from hermes.successor.workbench import NICE

SUITE = ("tests/policy", "tests/memory", "tests/prompt")
LAST = "tests/core/test_merkle.py"
UNNAMED = "inline_snapshot"  # a box loads it with files that name it: none of these does
TURNS = 8
PAUSE_S = 1.5  # a trial gives way to turns: beside somebody who never pauses it stands still
PEER = ["chrt", "--idle", "0", sys.executable, "-c", "while True: pass"]
PATCH = """--- /dev/null
+++ b/hermes/core/tried.py
@@ -0,0 +1 @@
+NUMBER = {number}
"""


async def firsts(place: Path, some: Forks, times: int) -> list[Row]:
    """From the fork to the first test."""
    source = await find_source("")
    trials = Trials(place, some, await ward_of(some.standing), source)
    await trials.run()  # the parent's answers are known from here on
    trials.colds.clear()
    warms, outside = list[float](), list[float]()
    seats = Usher(lambda _, asked, ended: warms.append((ended - asked) * 1_000))
    bench, asked = some.bench(some.parent), Asked((LAST,), 60.0)
    await seats.run(bench, "parent", asked)
    warms.clear()
    for _ in range(times):
        await trials.run()
        async with anyio.create_task_group() as group:
            group.start_soon(seats.ahead, bench)
            await seats.loaded()
            await seats.run(bench, "candidate", asked)
            group.cancel_scope.cancel()
        outside.append(await first_outside(some))
    floor = f"; {median(outside):.0f} ms outside, from the interpreter's start"
    cold = at_most("fork to the first test, cold", median(trials.colds), "ms", 500)
    warm = at_most("fork to the first test, warm", median(warms), "ms", 150)
    return [cold._replace(limit=cold.limit + floor), warm]


async def first_outside(some: Forks) -> float:
    """Milliseconds to the first test of the same file, with nothing around it."""
    argv = [*(await plain(some, ["-x", "-v", LAST]))]
    start = anyio.current_time()
    async with await anyio.open_process(argv, env=outer(some), cwd=some.parent.path) as process:
        heard = b""
        while b"PASSED" not in heard and process.stdout is not None:
            heard += await process.stdout.receive()
        taken = (anyio.current_time() - start) * 1_000
        process.kill()
    return taken


async def plain(some: Forks, words: Sequence[str]) -> list[str]:
    """The test runner as it is, with the plugins and the niceness of a box."""
    used = [one for one in await plugins() if not one.startswith(UNNAMED)]
    named = [word for one in used for word in ("-p", one)]
    runner = [sys.executable, "-B", "-P", "-m", "pytest", "-p", "no:cacheprovider"]
    settings = ["-c", str(some.parent.path / "pyproject.toml"), "-m", "not slow"]
    return ["nice", "-n", str(NICE), *runner, *settings, *named, *words]


def outer(some: Forks) -> dict[str, str]:
    """Its environment; what hypothesis finds is kept, as it is for a candidate."""
    return {
        "PYTHONPATH": str(some.parent.path),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PATH": os.environ["PATH"],
        "HYPOTHESIS_STORAGE_DIRECTORY": str(some.place / "hypothesis"),
    }


async def suite(some: Forks, times: int) -> list[Row]:
    """The same tests of the same tree in a new box and outside, turn about; the start counts."""
    bench = some.bench(some.parent)
    usher = Usher(unheard)
    rooms = [one for room in SUITE for one in sorted((some.parent.path / room).glob("test_*.py"))]
    files = tuple(one.relative_to(some.parent.path).as_posix() for one in rooms)
    parent = await usher.run(bench, "parent", Asked(files, 300.0))
    asked = Asked((), 0.0).of(tuple(parent.passed), 300.0)
    command = [*(await plain(some, ["-q"])), *files]
    await anyio.run_process(command, env=outer(some), cwd=some.parent.path, check=False)
    inside, outside = list[float](), list[float]()
    for _ in range(times):
        start = time.perf_counter()
        told = await usher.run(bench, "candidate", asked)
        inside.append(time.perf_counter() - start)
        start = time.perf_counter()
        ended = await anyio.run_process(command, env=outer(some), cwd=some.parent.path, check=False)
        outside.append(time.perf_counter() - start)
        if len(told.passed) != len(asked.ids or ()) or ended.returncode:
            lost = [one for one in asked.ids or () if one not in told.passed][:5]
            raise RuntimeError(f"inside {told.end}, lost {lost}; outside {ended.returncode}")
    ratios = [us / it for us, it in zip(inside, outside, strict=True)]
    row = at_most("suite in the box / outside", statistics.median(ratios), "x", 1.05)
    return [row._replace(limit=f"{row.limit}; {median(inside):.1f} s of {median(outside):.1f} s")]


async def beside_a_store(some: Forks, place: Path, size: int, times: int) -> list[Row]:
    """A fork with a large store in the data directory and without it, turn about."""
    store, away = place / "store.db", place.parent / f"{place.name}.db"
    async with Store.open(store, SystemClock()):
        pass
    await anyio.to_thread.run_sync(fill, store, 50_000, size)
    taken: dict[bool, list[float]] = {True: [], False: []}
    try:
        for number in range(2 * times):
            there = number % 2 == 0
            (away if there else store).exists() and (away if there else store).rename(
                store if there else away
            )
            start = time.perf_counter()
            await some.built()
            taken[there].append((time.perf_counter() - start) * 1_000)
    finally:
        away.unlink(missing_ok=True)
    ratio = median(taken[True]) / median(taken[False])
    row = at_most(f"fork beside a store of {size / 1e9:.2f} GB / without", ratio, "x", 1.1)
    return [row._replace(limit=f"{row.limit}; {median(taken[True]):.0f} ms")]


async def turns(door: Door, laps: int) -> list[Row]:
    """Turns of an owner while it tries a change of itself, and while it tries none, turn about.

    The peer is a plain program, outside of any box, that computes only what nobody else wants.
    """
    taken: dict[str, list[float]] = {"trial": [], "alone": [], "peer": []}

    async def talk(beside: str, count: int) -> None:
        for _ in range(count):
            start = time.perf_counter()
            await anyio.to_thread.run_sync(door.turn, "hello")
            taken[beside].append((time.perf_counter() - start) * 1_000)
            await anyio.sleep(PAUSE_S)

    async def trial(other: Door, ended: anyio.Event) -> None:
        text = PATCH.format(number=time.time_ns())
        wish = {"patch": b64encode(text.encode()).decode(), "task": "turns", "effort": "micro"}
        await anyio.to_thread.run_sync(partial(other.query, "successor.run", wish=wish))
        ended.set()

    await talk("alone", count=TURNS)
    taken["alone"].clear()
    for _ in range(laps):
        await talk("alone", count=TURNS)
        peers = [await anyio.open_process(PEER, stdout=None, stderr=None) for _ in range(2)]
        await talk("peer", count=TURNS)
        for peer in peers:
            peer.kill()
            await peer.aclose()
        ended, other = anyio.Event(), door.another()
        async with anyio.create_task_group() as group:
            group.start_soon(trial, other, ended)
            while not ended.is_set():
                await talk("trial", count=1)
        other.close()
        await talk("alone", count=TURNS)
    alone = median(taken["alone"])
    slower = {name: 100 * (median(times) / alone - 1) for name, times in taken.items()}
    row = at_most("turns while a change is tried: slower by", slower["trial"], "%", 10)
    seen = f"{alone:.0f} ms alone, {len(taken['trial'])} turns beside {laps} trials"
    peer = told("turns beside two idle programs outside: slower by", slower["peer"], "%")
    return [peer, row._replace(limit=f"{row.limit}; {seen}")]


async def measure(place: Path, door: Door, quick: bool) -> list[Row]:  # noqa: FBT001 - as given
    """Everything; a line that says why where the machine gives no sandbox."""
    standing = await examine()
    if standing.tier not in {"A", "A-"}:
        return [note("successor", standing.reason)]
    times = 3 if quick else 15
    async with forks(place, standing) as some:
        await some.built()  # files come into the cache
        rows = [told("a patch applied and compiled", await built_ms(some), "ms")]
        rows += await firsts(place, some, times)
        rows += await suite(some, max(2, times // 3))
        size = GIGABYTE // 8 if quick else GIGABYTE
        rows += await beside_a_store(some, place, size, times)
        return rows + await turns(door, 1 if quick else 4)


async def built_ms(some: Forks) -> float:
    """A patch applied and compiled."""
    start = time.perf_counter()
    await some.built()
    return (time.perf_counter() - start) * 1_000


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    place = Path(tempfile.mkdtemp(prefix="hermes-bench-", dir="/tmp"))
    place.chmod(0o755)
    try:
        with home() as env, owner(env) as door:
            return anyio.run(partial(measure, place, door, quick))
    finally:
        for folder, _, _ in os.walk(place):
            Path(folder).chmod(0o755)
        shutil.rmtree(place)
