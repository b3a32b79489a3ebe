"""How long turns take while historian, dreamer and compaction work, and while they don't.

Two owners on copies of one store, turn about, in random order. Whoever is not asked stands
still (SIGSTOP), so that its background work burdens only its own turns; before each turn both
get the same moment to work.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio

from benchmarks import Row, at_least, at_most
from benchmarks.measure import home
from benchmarks.owner import Door, owner
from hermes.store.store import Store
from hermes.testing.history.keep import Dial, keep
from hermes.testing.history.past import make

SEED = 20261121
MODES = {
    "with": "[memory]\nidle_minutes = 0.0\ndream_hours = 0.01\n",
    "without": "[memory]\nhistorian = false\ndreamer = false\ncompaction = false\n",
}
TALK = ("hello", "who are you", "what can you do", "thank you very much", "how are you today")
MOST_TURNS = 40  # of one conversation
STARTING_S = 60.0  # by then background work has begun: an owner's first turn comes first
_READ = "SELECT (SELECT count(*) FROM history_read), (SELECT count(*) FROM conversations)"


class Side(NamedTuple):
    """An owner and its turns; milliseconds."""

    door: Door
    model: str
    taken: list[float]
    conversation: list[str]


async def _past(path: Path, sessions: int) -> None:
    past = make(SEED, sessions, sessions // 20, max(1, sessions // 500))
    dial = Dial(past.now)
    async with Store.open(path, dial) as store:
        await keep(store, dial, past)


def prepare(env: Mapping[str, str], store: Path, mode: str) -> None:
    """Give a home a copy of the store, settings, a script and a bulky file."""
    place = Path(env["HERMES_V2_HOME"])
    (place / "data").mkdir(parents=True, mode=0o700)
    (place / "config").mkdir()
    shutil.copy(store, place / "data" / "hermes.db")
    (place / "config" / "config.toml").write_text("context = 16384\n" + MODES[mode])
    work = Path(env["PWD"])
    (work / "notes.txt").write_text("a line of notes, like any other\n" * 600)
    read = {"tool_calls": [{"name": "FileRead", "arguments": {"path": "notes.txt"}}]}
    lines = [read, {"text": "I read it. " * 8}] * (2 * MOST_TURNS)
    (work / "replies.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@contextmanager
def awake(side: Side, moment_s: float) -> Iterator[None]:
    """Let an owner run, after a moment in which it may work for itself."""
    os.kill(side.door.pid, signal.SIGCONT)
    try:
        time.sleep(moment_s)
        yield
    finally:
        os.kill(side.door.pid, signal.SIGSTOP)


def read(env: Mapping[str, str]) -> tuple[int, int]:
    """How many conversations the historian has looked at, and how many there are."""
    place = Path(env["HERMES_V2_HOME"]) / "data" / "hermes.db"
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as database:
        done, every = database.execute(_READ).fetchone()
    return int(done), int(every)


def wait_for_work(env: Mapping[str, str]) -> int:
    """Wait until the historian has begun; how many conversations it has read."""
    until = time.monotonic() + STARTING_S
    while not (done := read(env)[0]):
        if time.monotonic() > until:
            raise TimeoutError("no background work begins")
        time.sleep(0.05)
    return done


def one(side: Side, text: str, number: int) -> None:
    """Take one turn and its time; raises RuntimeError when it failed."""
    if number % MOST_TURNS == 0:
        side.conversation[0] = ""
    start = time.perf_counter()
    events = side.door.turn(text, side.model, side.conversation[0])
    side.taken.append(1000 * (events[-1]["seen"] - start))
    if events[-1]["type"] != "turn_finished":
        raise RuntimeError(str(events[-1]))
    side.conversation[0] = events[0]["conversation_id"]


def pairs(sides: Mapping[str, Side], count: int) -> None:
    """Turn about, in random order, each after the same moment."""
    chance = random.Random(SEED)
    for number in range(count):
        moment = chance.uniform(0.02, 0.8)  # it settles for a quarter of a second first
        for name in chance.sample(sorted(sides), 2):
            with awake(sides[name], moment):
                one(sides[name], TALK[number % len(TALK)], number)


def rows(name: str, sides: Mapping[str, Side]) -> list[Row]:
    """Medians and tails beside each other."""
    both = {mode: sorted(side.taken) for mode, side in sides.items()}
    made = []
    for what, limit, of in (("median", 1.05, _middle), ("p99", 1.25, _tail)):
        mine, theirs = of(both["with"]), of(both["without"])
        row = at_most(f"{name}: {what} of a turn, over one without", mine / theirs, "x", limit)
        beside = f"{row.limit}; {mine:.1f} of {theirs:.1f} ms, {len(both['with'])} pairs"
        made.append(row._replace(limit=beside))
    return made


def _middle(values: list[float]) -> float:
    return statistics.median(values)


def _tail(values: list[float]) -> float:
    return values[min(len(values) - 1, round(0.99 * len(values)))]


def measure(name: str, store: Path, count: int, *, scripted: bool) -> list[Row]:
    """One model's turns on both sides."""
    with ExitStack() as stack:
        sides = {}
        homes = {mode: stack.enter_context(home()) for mode in MODES}
        for mode, env in homes.items():
            prepare(env, store, mode)
            given = f"scripted:{env['PWD']}/replies.jsonl" if scripted else ""
            door = stack.enter_context(owner(env))
            sides[mode] = Side(door, given, [], [""])
        for side in sides.values():
            stack.callback(os.kill, side.door.pid, signal.SIGCONT)
            one(side, TALK[0], 0)
        before = wait_for_work(homes["with"])
        for side in sides.values():
            side.taken.clear()
            os.kill(side.door.pid, signal.SIGSTOP)
        pairs(sides, count)
        done, every = read(homes["with"])
        os.kill(sides["with"].door.pid, signal.SIGCONT)
    left = at_least(f"{name}: conversations that were left to read", every - done, "", 1)
    beside = f"{left.limit}, so that there was work throughout; {done - before} were read meanwhile"
    return [*rows(name, sides), left._replace(limit=beside)]


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    sessions, count = (2_000, 40) if quick else (8_000, 400)
    with home() as env:
        store = Path(env["HOME"]) / "store.db"
        anyio.run(partial(_past, store, sessions))
        found = measure("script", store, count, scripted=True)
        return found + measure("shipped model", store, count, scripted=False)
