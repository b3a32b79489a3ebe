"""The scripts by name, and how one runs in a process of its own.

So that a script's memory does not count as that of the programs it starts, and its end is
not the end of the others.
"""

import importlib
import math
import multiprocessing
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
            text = " ".join(f"{type(error).__name__}: {error}".split())
            return [Row(name, math.nan, "", text[:160], ok=False)]
