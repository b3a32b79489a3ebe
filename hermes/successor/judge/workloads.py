"""Which benchmarks of the parent's own tree a change is measured by, and one run of one in a box.

A benchmark's program is always the parent's; what it imports is the side's. What comes out of the
work is printed as a digest: a side that leaves work out, or makes it up, prints another.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import msgspec

from hermes.errors import SettingsInvalid
from hermes.sandbox.box import HOME, Bind, Ended
from hermes.sandbox.changes import Delta
from hermes.sandbox.standing import run
from hermes.successor.budget import PLACE, Effort
from hermes.successor.workbench import REPO, Side, View, Workbench

_FOLDER = f"{HOME}/benchmarks"
_NAMED = re.compile(r"(?i)\bbenchmarks?\b([^.\n]{0,200})")
_NAME = re.compile(r"[a-z_]+")
_BETWEEN = {"and", "the"}
_ANSWER = re.compile(rb"[0-9a-f]{64}\n")
_PACKAGES = ("hermes/", "relay/", "training/")
_MOST = 1 << 20


class _File(msgspec.Struct, frozen=True):
    """What this module reads of the budgets; other keys are other readers'."""

    benchmarks: dict[Effort, tuple[str, ...]] = {}


def named(task: str, there: Sequence[str]) -> tuple[str, ...]:
    """The benchmarks that a task names, as `benchmark prompt` or `benchmarks: prompt, store`."""
    words: set[str] = set()
    for found in _NAMED.finditer(task):
        after = _NAME.findall(found[1].lower())
        words.update(takewhile({*there, *_BETWEEN}.__contains__, after))
    return tuple(name for name in there if name in words)


def listed(parent: Path, effort: Effort, task: str) -> tuple[str, ...]:
    """The names for a tier, those of the task first; blocking."""
    there = sorted(one.stem for one in (parent / "benchmarks/trials").glob("*.py"))
    try:
        data = (parent / PLACE).read_bytes()[:_MOST]
        tiers = msgspec.json.decode(data, type=_File).benchmarks
    except FileNotFoundError:
        tiers = {}
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsInvalid(f"{PLACE} of the parent: {error}", "mend it and commit") from error
    usual = tuple(name for name in tiers.get(effort, tuple(there)) if name in there)
    return tuple(dict.fromkeys((*named(task, there), *usual)))


async def metered(bench: Workbench, side: Side, name: str, seed: int, *more: str) -> Ended:
    """One fresh run of a benchmark on one side's code; counted as every box is."""
    bench.spend.check()
    folder = bench.parent / "benchmarks"
    env = {"PYTHONHASHSEED": str(seed % (1 << 32))}
    box = bench.box(side, View(read=(Bind(folder, Path(_FOLDER)),), env=env))
    argv = bench.python("-P", f"{_FOLDER}/trial.py", name, str(seed), *more)
    ended = await run(bench.standing, replace(box, metered=True), argv)
    bench.spend.add(ended)
    return ended


def answer_of(ended: Ended) -> str:
    """The digest that a run printed; "" where it broke or said anything else."""
    return ended.stdout.decode() if ended.ok and _ANSWER.fullmatch(ended.stdout) else ""


async def runs_on(bench: Workbench, name: str) -> bool | None:
    """Whether what changed is any part of what a benchmark runs on; None: it does not run.

    Asked of the parent's own run. What it does not load, no change of it can make slower.
    """
    if any(map(_reaches_all, bench.deltas)):
        return True
    ended = await metered(bench, "parent", name, 0, "--uses", REPO)
    if not ended.ok:
        return None
    used = set(ended.stdout.decode(errors="replace").split("\n"))
    return any(one.path in used for one in bench.deltas)


def _reaches_all(delta: Delta) -> bool:
    """What may be loaded without being named: data, and packages that hide modules."""
    inside = delta.path.startswith(_PACKAGES)
    new = delta.before is None
    if not delta.path.endswith(".py"):
        return inside
    at_the_top = not inside and "/" not in delta.path
    return new and (at_the_top or delta.path.endswith("/__init__.py"))
