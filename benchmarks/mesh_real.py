"""Fifty real nodes in four processes over two real relays; then one process is killed.

Real stores, keys, wraps, post offices, gossip, leases and replication; membership is given. The
pace is the live node's own, so nothing has to be scaled. Traffic is every wrap as a relay gets it;
its limit is the simulator's (500 kB before sealing) as 300 messages weigh inside their wraps.
"""

import itertools
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks import Row, at_most, told
from benchmarks.mesh_child import STEP, Given, View, key_of
from relay.rules import Rules
from relay.server import Place, open_relay

COUNT, PROCESSES = 50, 4
MOST_KB, SEEN_S = 2_500, 45
_LINE = 1 << 22
_PATIENCE_S = 120.0


class Group:
    """The nodes of one process; `views` are their latest."""

    def __init__(self, process: Process, first: int, last: int) -> None:
        self.process = process
        self.numbers = range(first, last)
        self.views: dict[int, View] = {}
        self.gone = False

    async def read(self) -> None:
        """Take what it says until it ends."""
        assert self.process.stdout is not None
        lines = BufferedByteReceiveStream(self.process.stdout)
        try:
            while True:
                line = await lines.receive_until(b"\n", _LINE)
                _, views = msgspec.json.decode(line, type=tuple[int, list[View]])
                self.views = {view.node: view for view in views}
        except (anyio.IncompleteRead, anyio.EndOfStream, anyio.ClosedResourceError):
            return

    async def write(self) -> None:
        """Have its nodes write letters."""
        assert self.process.stdin is not None
        await self.process.stdin.send(b"write\n")

    def kill(self) -> None:
        """Without a word."""
        self.gone = True
        self.process.send_signal(signal.SIGKILL)


class Fleet:
    """All of it."""

    def __init__(self, groups: list[Group], count: int) -> None:
        self.groups = groups
        self.count = count

    def views(self) -> list[View]:
        """How each node that is there sees the others."""
        return [view for group in self.groups if not group.gone for view in group.views.values()]

    @property
    def living(self) -> set[int]:
        """Who is there."""
        return {number for group in self.groups if not group.gone for number in group.numbers}

    @property
    def due(self) -> int:
        """How many letters arrive when all have written."""
        return sum(
            one != to for one in range(self.count) for to in range(one % STEP, self.count, STEP)
        )

    def agreed(self) -> bool:
        """Whether everybody who is there holds just them for alive."""
        living, views = self.living, self.views()
        return len(views) == len(living) and all(
            {*view.alive, view.node} == living for view in views
        )

    def buried(self) -> bool:
        """Whether everybody who is there holds all others for dead."""
        lost = set(range(self.count)) - self.living
        return all(set(view.dead) >= lost for view in self.views())

    async def until(self, holds: Callable[[], bool], limit_s: float = _PATIENCE_S) -> float:
        """Seconds until it is so, to about a second; raises TimeoutError."""
        began = time.monotonic()
        with anyio.fail_after(limit_s):
            while not holds():  # noqa: ASYNC110 - other processes' lines have no event
                await anyio.sleep(0.1)
        return time.monotonic() - began


@asynccontextmanager
async def fleet(
    place: Path, count: int = COUNT, processes: int = PROCESSES
) -> AsyncGenerator[Fleet]:
    """Run it while the context lasts."""
    secret = secrets.token_hex(16)
    rules = Rules(admitted=frozenset(key_of(secret, number).public for number in range(count)))
    ends = [round(count * part / processes) for part in range(processes + 1)]
    async with AsyncExitStack() as stack:
        relays = [
            (await stack.enter_async_context(open_relay(Place(place / f"relay{one}"), rules))).url
            for one in range(2)
        ]
        tasks = await stack.enter_async_context(anyio.create_task_group())
        groups = []
        for first, last in itertools.pairwise(ends):
            command = [sys.executable, "-m", "benchmarks.mesh_child"]
            process = await stack.enter_async_context(
                await anyio.open_process(command, stderr=None)
            )
            stack.callback(_end, process)
            given = Given(str(place), secret, tuple(relays), first, last, count)
            assert process.stdin is not None
            await process.stdin.send(msgspec.json.encode(given) + b"\n")
            groups.append(Group(process, first, last))
            tasks.start_soon(groups[-1].read)
        yield Fleet(groups, count)


def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()


class Found(NamedTuple):
    """What one run gave; seconds, and kB and messages by node and minute."""

    up_s: float
    seen_s: float
    wrong: int
    messages: float
    mean_kb: float
    most_kb: float
    letters: int
    letters_s: float
    twice: int


async def measured(place: Path, quiet_s: float) -> Found:
    """Come together, be quiet for a while, write letters, lose a process."""
    async with fleet(place) as all_:
        up_s = await all_.until(all_.agreed)
        before, began = {view.node: view for view in all_.views()}, time.monotonic()
        await anyio.sleep(quiet_s)
        after, minutes = {view.node: view for view in all_.views()}, (time.monotonic() - began) / 60
        sent = [after[node].sealed - before[node].sealed for node in before]
        messages = sum(after[node].messages - before[node].messages for node in before)
        for group in all_.groups:
            await group.write()
        letters_s = await all_.until(lambda: sum(view.got for view in all_.views()) >= all_.due)
        all_.groups[-1].kill()
        return Found(
            up_s=up_s,
            wrong=sum(len(view.dead) for view in after.values()),
            messages=messages / COUNT / minutes,
            mean_kb=sum(sent) / COUNT / minutes / 1000,
            most_kb=max(sent) / minutes / 1000,
            letters=all_.due,
            letters_s=letters_s,
            seen_s=await all_.until(all_.buried),
            twice=sum(view.twice for view in all_.views()),
        )


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Run it once."""
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        found = anyio.run(measured, Path(folder), 20.0 if quick else 120.0)
    name = f"mesh of {COUNT} real nodes"
    return [
        told(f"{name}: until all hold all for alive", found.up_s, "s"),
        at_most(f"{name}: wrongly held for dead", found.wrong, "", 0),
        told(f"{name}: messages a node and minute", found.messages, ""),
        at_most(f"{name}: sent a node and minute, sealed", found.mean_kb, "kB", MOST_KB),
        told(f"{name}: the same, of the busiest node", found.most_kb, "kB"),
        told(f"{name}: {found.letters} letters, all there after", found.letters_s, "s"),
        at_most(f"{name}: letters with two effects", found.twice, "", 0),
        at_most(f"{name}: a process killed, all its nodes seen dead", found.seen_s, "s", SEEN_S),
    ]
