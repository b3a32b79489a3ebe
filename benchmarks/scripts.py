"""The scripts by name, and how one runs in a process of its own.

So that a script's memory does not count as that of the programs it starts, and its end is
not the end of the others.
"""

import importlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait

from benchmarks import Row

_GRACE_S = 15.0

SCRIPTS = {
    "startup": "benchmarks.startup",
    "peers": "benchmarks.peers.runner",
    "reads": "benchmarks.reads",
    "store": "benchmarks.store",
    "merkle": "benchmarks.merkle",
    "proofs": "benchmarks.proofs",
    "lineage": "benchmarks.lineage",
    "anchor": "benchmarks.anchor",
    "stamps": "benchmarks.stamps",
    "engine": "benchmarks.engine",
    "prefix": "benchmarks.prefix",
    "turns": "benchmarks.turns",
    "compaction": "benchmarks.compaction",
    "memory": "benchmarks.memory",
    "background": "benchmarks.background",
    "crash": "benchmarks.crash",
    "sandbox": "benchmarks.sandbox",
    "successor": "benchmarks.successor",
    "catch_up": "benchmarks.catch_up",
    "relay": "benchmarks.relay",
    "dm": "benchmarks.dm",
    "mesh_simulated": "benchmarks.mesh_simulated",
    "mesh_real": "benchmarks.mesh_real",
    "replication": "benchmarks.replication",
    "train_sync": "benchmarks.train_sync",
}


def run_script(name: str, *, quick: bool) -> list[Row]:
    """Run one script here."""
    rows: list[Row] = importlib.import_module(SCRIPTS[name]).main(quick)
    return rows


def _end_with_parent() -> None:
    """Take down what a script has started, too, when the table's process is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_S)
        os._exit(1)

    def leave(*_: object) -> None:
        sys.exit(1)

    signal.signal(signal.SIGTERM, leave)  # SIGINT is ignored in a shell's background job
    threading.Thread(target=watch, daemon=True).start()


def run_apart(name: str, *, quick: bool) -> list[Row]:
    """Run one script in a fresh process; what it raises becomes a failed row."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            return pool.submit(run_script, name, quick=quick).result()
        except Exception as error:  # noqa: BLE001 - the other scripts still run
            text = " ".join(f"{type(error).__name__}: {error}".split())
            return [Row(name, math.nan, "", text[:160], ok=False)]
