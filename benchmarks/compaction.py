"""The long turn at which others stall: twenty tool rounds of 19 kB in a window of 64k.

Twice, turn about: with compaction, whose summariser takes five seconds and is asked beside
the turn (`summaries = "always"`), and without any. What the turn takes longer is what
compaction adds. Beside it the same turn in a window of 4,096.
"""

import json
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread

from benchmarks import Row, at_least, at_most, told
from benchmarks.measure import median
from hermes.config import Limits, Memory, Settings
from hermes.core.event import Compacted, Event
from hermes.core.ids import CallId, TurnId, uuid7
from hermes.core.message import ToolCall
from hermes.core.request import TurnRequest
from hermes.gateway.client import Client
from hermes.node.attach import open_client
from hermes.testing.acts import Act, say
from hermes.testing.endpoint import Endpoint, Seen, serve

ROUNDS, READS = 20, 3  # three results of a good 6 kB are one round of 19 kB
PAGES = 14  # 8 kB each, said before: shortening results alone is not enough
SUMMARY_S = 5.0
DECISION = "We use Postgres, never MySQL."


class Played:
    """A model that reads file after file, and is slow at summing up."""

    def __init__(self, rounds: int, reads: int) -> None:
        self.rounds, self.reads = rounds, reads
        self.sums = self.step = 0
        self.last = ""

    def __call__(self, seen: Seen) -> Act:
        messages = seen.body["messages"]
        if "sum up" in str(messages[0]["content"])[:40]:
            self.sums += 1
            return say("Files were read.", delay_s=SUMMARY_S)
        size = len(seen.raw) // 3
        if "read" not in [m["content"] for m in messages if m["role"] == "user"][-1]:
            return say("Noted.", usage=(size, 0, 2))
        if self.step == self.rounds:
            self.step, self.last = 0, json.dumps(messages)
            return say("All read.", usage=(size, 0, 3))
        self.step += 1
        names = [f"f{self.step}-{read}" for read in range(self.reads)]
        calls = [
            ToolCall(CallId(f"c{self.step}-{name}"), "FileRead", json.dumps({"path": name}))
            for name in names
        ]
        return say("", calls, usage=(size, 0, 30 * self.reads))


class Turn(NamedTuple):
    """A long turn: seconds, and how it was shortened."""

    wall: float
    cuts: list[Compacted]


def _fill(base: Path, rounds: int) -> None:
    project = base / "project"
    project.mkdir(parents=True)
    for step in range(1, rounds + 1):
        for read in range(READS):
            line = f"{step:03}-{read} words and words\n"
            (project / f"f{step}-{read}").write_text(line * (6_400 // len(line)))


@asynccontextmanager
async def _client(base: Path, memory: Memory, rounds: int) -> AsyncGenerator[Client]:
    await anyio.to_thread.run_sync(_fill, base, rounds)
    settings = Settings(
        data_dir=base / "data",
        config_dir=base / "config",
        runtime_dir=base / "run",
        search_servers=False,
        limits=Limits(steps=100, tokens=100_000_000),
        memory=memory,
    )
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(base)}
    async with open_client(settings, interactive=False, environ=environ) as client:
        yield client


async def _turn(client: Client, base: Path, server: Endpoint, window: int, before: int = 0) -> Turn:
    """Say the decision and so many pages, then let the long turn run."""
    where = str(base / "project")
    ask = partial(TurnRequest, cwd=where, root=where, model=f"{server.base_url}#m", context=window)
    first = await _events(client, ask(turn_id=TurnId(uuid7()), text=DECISION))
    place = first[0].conversation_id
    for number in range(before):
        page = ask(turn_id=TurnId(uuid7()), text=f"page {number} " * 800, conversation_id=place)
        await _events(client, page)
    start = time.perf_counter()
    events = await _events(
        client, ask(turn_id=TurnId(uuid7()), text="read them", conversation_id=place)
    )
    wall = time.perf_counter() - start
    if getattr(events[-1], "text", "") != "All read.":
        raise RuntimeError(str(events[-1]))
    return Turn(wall, [event for event in events if isinstance(event, Compacted)])


async def _events(client: Client, request: TurnRequest) -> list[Event]:
    async with client.turn(request) as events:
        return [event async for event in events]


async def _long(laps: int) -> list[Row]:
    us, bare = Played(ROUNDS, READS), Played(ROUNDS, READS)
    added: list[float] = []
    walls: list[tuple[float, float]] = []
    cuts: list[Compacted] = []
    with tempfile.TemporaryDirectory(prefix="hb-") as one, tempfile.TemporaryDirectory() as two:
        here, there = Path(one), Path(two)
        async with (
            serve(us) as server,
            serve(bare) as plain,
            _client(here, Memory(summaries="always"), ROUNDS) as client,
            _client(there, Memory(compaction=False), ROUNDS) as other,
        ):
            mine = partial(_turn, client, here, server, 65_536, PAGES)
            bare_turn = partial(_turn, other, there, plain, 65_536, PAGES)
            for lap in range(laps + 1):
                if lap % 2:  # turn about, so that neither always comes first
                    theirs = await bare_turn()
                    ours = await mine()
                else:
                    ours = await mine()
                    theirs = await bare_turn()
                walls.append((ours.wall, theirs.wall))
                added.append((ours.wall - theirs.wall) * 1_000)
                cuts += ours.cuts
    early = sum(cut.by != "limit" for cut in cuts)
    beside = f"a summary takes {SUMMARY_S:g} s; hermes-agent 70 s, opencode and pi 5 s"
    best = (min(ours for ours, _ in walls) - min(theirs for _, theirs in walls)) * 1_000
    row = at_most("compaction: a long turn takes longer by", median(added[1:]), "ms", 50)
    return [
        row._replace(limit=f"{row.limit}; {beside}"),
        told("compaction: the fastest long turn takes longer by", best, "ms"),
        at_least("compaction: views prepared before the window was full", early, "", 1),
        at_least("compaction: summaries asked for meanwhile", us.sums, "", 1),
    ]


async def _narrow() -> list[Row]:
    played = Played(40, 1)
    with tempfile.TemporaryDirectory(prefix="hb-") as one:
        base = Path(one)
        async with serve(played) as server, _client(base, Memory(), 40) as client:
            turn = await _turn(client, base, server, 4_096)
    name = "compaction: 40 rounds in 4,096 tokens, the decision is still shown"
    prepared = sum(cut.by == "rules" for cut in turn.cuts)
    row = at_least(name, float(DECISION in played.last), "", 1)
    return [row._replace(limit=f"{row.limit}; {prepared} of {len(turn.cuts)} cuts were prepared")]


async def _measure(laps: int) -> list[Row]:
    return [*await _long(laps), *await _narrow()]


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    return anyio.run(_measure, 3 if quick else 11)
