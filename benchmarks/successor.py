"""What trying a change costs: how soon its first test runs, how fast inside, and what others feel.

The checkout's own last commit is the parent. "Cold" is everything from a patch's bytes on: applied,
compiled, a new box, an interpreter, pytest. "Warm" is the test alone, in a box that waits with its
interpreter and pytest loaded. Figures that are compared were measured turn about.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from benchmarks import Row, at_most, note, told
from benchmarks.measure import home, median
from benchmarks.owner import Door, owner
from benchmarks.store import GIGABYTE, fill
from hermes.core.clock import SystemClock
from hermes.sandbox.box import Wires
from hermes.sandbox.standing import Standing, examine
from hermes.store.store import Store
from hermes.successor.budget import Budget, Spend
from hermes.successor.build import Builder, Built
from hermes.successor.forest import Forest
from hermes.successor.source import find_source
from hermes.successor.workbench import NICE, REPO, Workbench

TEST = f"{REPO}/tests/core/test_values.py"
SUITE = ("tests/prompt", "tests/core/test_canonical.py")
SAID = b"PASSED"
_PYTEST = ("-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore")
_WAITS = f"""import sys, pytest, msgspec, anyio, hypothesis
print("ready", flush=True)
sys.stdin.readline()
sys.exit(pytest.main(["-v", {", ".join(map(repr, _PYTEST))}, "{TEST}"]))
"""
PATCH = """--- /dev/null
+++ b/hermes/core/tried_{number}.py
@@ -0,0 +1 @@
+NUMBER = {number}
"""
TURNS = 12
BURN = "d = b''\nimport hashlib\nfor _ in range(30_000_000): d = hashlib.sha256(d).digest()"


class Forks:
    """Forks of one commit, each of another change."""

    def __init__(self, builder: Builder, parent: Built, standing: Standing) -> None:
        self._builder = builder
        self.parent = parent
        self._standing = standing
        self._number = time.time_ns()

    async def built(self) -> Built:
        """A change that was never seen, applied and compiled."""
        self._number += 1
        patch = PATCH.replace("{number}", str(self._number)).encode()
        return await self._builder.patched(self.parent, patch)

    def bench(self, built: Built) -> Workbench:
        """A trial's material without the trial."""
        budget = Budget()
        return Workbench(
            commit="",
            parent=self.parent.path,
            candidate=built.path,
            deltas=(),
            state=b"{}",
            state_file=built.path / "README.md",
            task="",
            goal="same",
            effort="fast",
            budget=budget,
            seed="1",
            standing=self._standing,
            spend=Spend(budget),
        )


@asynccontextmanager
async def forks(place: Path, standing: Standing) -> AsyncIterator[Forks]:
    """The parent built, once."""
    source = await find_source("")
    ground = standing.require("A", "A-")
    forest = await anyio.to_thread.run_sync(Forest, place, ground.account)
    builder = Builder(source, forest, standing)
    yield Forks(builder, await builder.commit(await source.commit("HEAD")), standing)


async def cold(some: Forks) -> float:
    """Milliseconds from a patch to the first test that has passed."""
    start = time.perf_counter()
    bench = some.bench(await some.built())
    seen: list[float] = []

    def hear(_: str, piece: bytes) -> None:
        if SAID in piece and not seen:
            seen.append(time.perf_counter())

    argv = bench.python("-P", "-m", "pytest", "-v", *_PYTEST, TEST)
    ended = await bench.run("candidate", argv, on_output=hear)
    if not seen:
        raise RuntimeError(ended.stdout.decode(errors="replace")[-3000:])
    return (seen[0] - start) * 1_000


async def warm(some: Forks) -> float:
    """Milliseconds from the word to the first test that has passed."""
    bench = some.bench(await some.built())
    began, seen = list[float](), list[float]()
    reader, writer = os.pipe()

    def hear(_: str, piece: bytes) -> None:
        if not began:  # it has loaded what it needs, and waits
            began.append(time.perf_counter())
            os.write(writer, b"\n")
        elif SAID in piece and not seen:
            seen.append(time.perf_counter())

    try:
        argv = bench.python("-P", "-c", _WAITS)
        await bench.run("candidate", argv, wires=Wires(stdin=reader), on_output=hear)
    finally:
        os.close(reader)
        os.close(writer)
    return (seen[0] - began[0]) * 1_000


async def suite(some: Forks, times: int) -> list[Row]:
    """The same tests of the same tree inside and outside, turn about."""
    bench = some.bench(some.parent)
    words = ["-P", "-m", "pytest", "-k", "not unix", *_PYTEST]  # a box has no such sockets
    inside, outside = list[float](), list[float]()
    env = {"PYTHONPATH": str(some.parent.path), "PATH": os.environ["PATH"], "HOME": "/tmp"}
    for _ in range(times):
        start = time.perf_counter()
        ended = await bench.run("parent", bench.python(*words, *(f"{REPO}/{one}" for one in SUITE)))
        inside.append(time.perf_counter() - start)
        if not ended.ok:
            raise RuntimeError(ended.stdout.decode(errors="replace")[-3000:])
        start = time.perf_counter()
        places = [str(some.parent.path / one) for one in SUITE]
        plain = ["nice", "-n", str(NICE), *bench.python(*words, *places)]  # as a box is
        await anyio.run_process(plain, env=env, cwd="/")
        outside.append(time.perf_counter() - start)
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


async def turns(some: Forks, door: Door, laps: int) -> list[Row]:
    """Turns of an owner while a box computes, and while none does, turn about."""
    bench = some.bench(some.parent)
    taken: dict[bool, list[float]] = {True: [], False: []}

    async def talk(beside: bool) -> None:  # noqa: FBT001 - which of the two
        for _ in range(TURNS):
            start = time.perf_counter()
            await anyio.to_thread.run_sync(door.turn, "hello")
            taken[beside].append((time.perf_counter() - start) * 1_000)

    async def burn() -> None:
        await bench.run("parent", bench.python("-c", BURN))

    await talk(beside=False)
    taken[False].clear()
    for _ in range(laps):
        await talk(beside=False)
        async with anyio.create_task_group() as group:
            group.start_soon(burn)
            await anyio.sleep(0.5)  # until it computes
            await talk(beside=True)
            group.cancel_scope.cancel()
    slower = 100 * (median(taken[True]) / median(taken[False]) - 1)
    row = at_most("turns while a fork computes: slower by", slower, "%", 10)
    return [row._replace(limit=f"{row.limit}; {median(taken[False]):.0f} ms alone")]


async def measure(place: Path, door: Door, quick: bool) -> list[Row]:  # noqa: FBT001 - as given
    """Everything; a line that says why where the machine gives no sandbox."""
    standing = await examine()
    if standing.tier not in {"A", "A-"}:
        return [note("successor", standing.reason)]
    times = 3 if quick else 15
    async with forks(place, standing) as some:
        await cold(some)  # files come into the cache
        colds = [await cold(some) for _ in range(times)]
        warms = [await warm(some) for _ in range(times)]
        rows = [
            told("the box that builds, twice", await built_ms(some), "ms"),
            at_most("fork to the first test, cold", median(colds), "ms", 500),
            at_most("fork to the first test, warm", median(warms), "ms", 150),
        ]
        rows += await suite(some, max(2, times // 3))
        size = GIGABYTE // 8 if quick else GIGABYTE
        rows += await beside_a_store(some, place, size, times)
        return rows + await turns(some, door, 2 if quick else 6)


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
