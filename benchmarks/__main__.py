"""Runs the scripts one after another, each in a process of its own, and prints one table.

A process each, so that a script's memory does not count as that of the programs it starts.
"""

import argparse
import importlib
import json
import math
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from benchmarks import Row

SCRIPTS = {
    "startup": "benchmarks.startup",
    "peers": "benchmarks.peers.runner",
    "reads": "benchmarks.reads",
    "store": "benchmarks.store",
    "engine": "benchmarks.engine",
    "turns": "benchmarks.turns",
    "crash": "benchmarks.crash",
}


def run_script(name: str, *, quick: bool) -> list[Row]:
    """Run one script here."""
    rows: list[Row] = importlib.import_module(SCRIPTS[name]).main(quick)
    return rows


def run_apart(name: str, *, quick: bool) -> list[Row]:
    """Run one script in a fresh process; what it raises becomes a failed row."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(run_script, name, quick=quick).result()
        except Exception as error:  # noqa: BLE001 - the other scripts still run
            return [Row(name, math.nan, "", f"{type(error).__name__}: {error}", ok=False)]


def table(rows: list[Row]) -> str:
    """Lay the rows out in columns."""
    lines = [("", "value", "unit", "limit or peer", "ok")]
    for row in rows:
        value = "-" if math.isnan(row.value) else f"{row.value:,.4g}".rstrip()
        word = {True: "ok", False: "MISSED", None: ""}[row.ok]
        lines.append((row.name, value, row.unit, row.limit, word))
    width = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(
        f"{a:<{width[0]}}  {b:>{width[1]}}  {c:<{width[2]}}  {d:<{width[3]}}  {e}".rstrip()
        for a, b, c, d, e in lines
    )


def main() -> int:
    """Run what was named; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCRIPTS))
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one object a line")
    given = parser.parse_args()
    if unknown := set(given.names) - set(SCRIPTS):
        parser.error(f"not {', '.join(sorted(unknown))}: there are {', '.join(SCRIPTS)}")
    rows: list[Row] = []
    for name in given.names or SCRIPTS:
        print(f"… {name}", file=sys.stderr, flush=True)
        rows += run_apart(name, quick=given.quick)
    if given.json:
        for row in rows:
            value = None if math.isnan(row.value) else row.value
            print(json.dumps(row._replace(value=value)._asdict()))
    else:
        print(table(rows))
    return 1 if any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
