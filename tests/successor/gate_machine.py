"""A home of its own on this machine: commands in it, a node that runs there, candidates."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import anyio
from gate_house import GateHouse, off

from hermes.core.clock import SystemClock
from hermes.sandbox.ground import find_ground
from hermes.store.store import Store
from hermes.successor.forest import Forest, remove
from hermes.successor.pointer import Pointer

HERMES = [sys.executable, "-P", "-m", "hermes.cli.main"]


class Machine:
    """A home of its own, the installed code, and candidates on it."""

    def __init__(self, base: Path, checkout: Path) -> None:
        self.home, self.checkout = base / "home", checkout
        self.data = self.home / "data"
        self.pointer = Pointer(self.data)
        (self.home / "config").mkdir(parents=True)
        (self.home / "config" / "config.toml").write_text(
            f'[successor]\nsource = "{checkout}"\nprobation_turns = 2\n'
        )
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(base), "HERMES_V2_HOME": str(self.home),
            "TMPDIR": str(base), "XDG_RUNTIME_DIR": "",
        }  # fmt: skip
        self.planted: list[Path] = []

    def hermes(self, *words: str, env=None, wait_s=120) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*HERMES, *words], env=self.env | (env or {}), capture_output=True, text=True,
            check=False, timeout=wait_s, cwd=self.home,
        )  # fmt: skip

    def told(self, *words: str) -> dict:
        done = self.hermes("successor", *words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def candidate(self, changes: dict[str, str], task: str) -> tuple[str, str]:
        return anyio.run(self._candidate, changes, task)

    async def _candidate(self, changes, task) -> tuple[str, str]:
        async with Store.open(self.data / "hermes.db", SystemClock()) as store:
            house = GateHouse(self.home, self.checkout, store)
            name = await house.candidate(changes, task)
            row = await house.records.candidate(name)
        await off(self._plant, row.tree)
        return name, row.diff

    def _plant(self, tree: str) -> None:
        forest = Forest(self.data, find_ground().account)
        forest.prepare()
        place = forest.root / tree
        shutil.copytree(self.home / "trees" / tree, place, dirs_exist_ok=True)
        self.planted.append(place)

    def close(self) -> None:
        for place in self.planted:
            remove(place)

    def node(self) -> "Node":
        return Node(self)


class Node:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [*HERMES, "node"], env=self._machine.env, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd=self._machine.home, start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self.hear("runs: process")
        return self

    def hear(self, words: str) -> str:
        for line in self.process.stdout:
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError(f"never said {words!r}: {''.join(self.lines)}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.stdout.close()
