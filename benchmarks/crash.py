"""Short commands against a chat that is writing: nobody sees "locked", the store stays sound."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks import Row, at_most, told
from benchmarks.measure import HERMES, Sample, home, median, run
from benchmarks.owner import Door, owner
from benchmarks.peers.service import serve

COMMANDS = (
    ("doctor", "--json"),
    ("conversations", "list", "--json"),
    ("memory", "list", "--json"),
    ("conversations", "search", "hi", "--json"),
    ("memory", "add", "the port is 80"),
    ("jobs", "list", "--json"),
)
HANDS = 4
WRITING = "SCN_TOOLS=30 go"


class Report(NamedTuple):
    """What happened; `bad` are the runs that failed or saw a lock."""

    samples: list[Sample]
    bad: list[Sample]
    turns: int
    integrity: list[str]
    wal: int


class Writer(threading.Thread):
    """Has a chat write, turn after turn, until `stop` is set."""

    def __init__(self, door: Door, model: str) -> None:
        super().__init__()
        self.stop = threading.Event()
        self.turns = 0
        self.failed: Exception | None = None
        self._door = door
        self._model = model

    def run(self) -> None:
        """Run turns."""
        try:
            while not self.stop.is_set():
                final = self._door.turn(WRITING, self._model)[-1]
                if final["type"] != "turn_finished":
                    raise RuntimeError(final)  # noqa: TRY301 - kept for the other thread
                self.turns += 1
        except Exception as error:  # noqa: BLE001 - raised by `hammer`
            self.failed = error


def databases(env: Mapping[str, str]) -> list[Path]:
    """The store's database files."""
    return sorted((Path(env["HERMES_V2_HOME"]) / "data").rglob("*.db"))


def integrity(env: Mapping[str, str]) -> list[str]:
    """What SQLite finds wrong with the stores here, opened read-only."""
    found = []
    for path in databases(env):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        with contextlib.closing(database):
            try:
                found += [row[0] for row in database.execute("PRAGMA integrity_check")]
            except sqlite3.DatabaseError as error:
                found.append(str(error))
    return found


def hammer(calls: int) -> Report:
    """Run so many short commands while a chat writes."""
    with serve() as service, home() as env:
        model = f"{service.url}#fake"
        with owner(env, "--model", model) as door:
            writer = Writer(door, model)
            writer.start()
            commands = [[HERMES, *COMMANDS[i % len(COMMANDS)]] for i in range(calls)]
            with ThreadPoolExecutor(HANDS) as hands:
                samples = list(hands.map(lambda it: run(it, env, output=True), commands))
            wal = max(
                (p.stat().st_size for p in Path(env["HERMES_V2_HOME"]).rglob("*-wal")), default=0
            )
            writer.stop.set()
            writer.join()
        if writer.failed:
            raise writer.failed
        bad = [one for one in samples if one.code or "locked" in one.output.lower()]
        return Report(samples, bad, writer.turns, integrity(env), wal)


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    start = time.perf_counter()
    report = hammer(60 if quick else 1000)
    lasted = time.perf_counter() - start
    calls = len(report.samples)
    unsound = sum(one != "ok" for one in report.integrity) or (not report.integrity)
    beside = f"{report.turns} turns of 30 tool rounds meanwhile, {lasted:.0f} s"
    return [
        told("short commands against a writing chat", calls, "calls", beside),
        told("such a command, wall", median([one.wall for one in report.samples]) * 1000, "ms"),
        at_most("of them failed or saw 'locked'", len(report.bad), "calls", 0),
        at_most("integrity_check after the owner quit: findings", unsound, "", 0),
        at_most("write-ahead log meanwhile", report.wal / 1e6, "MB", 64),
    ]
