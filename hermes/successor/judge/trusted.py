"""The stage of trusted tests: the parent's own, over the candidate's, in a box. Advice only.

Candidate and tests share a process, so a candidate that wants to can forge every answer; it is
told, and decides nothing. A test counts that passes with the parent in such a box, and it has
passed with the candidate when it was told so exactly once.
"""

from collections.abc import Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Final

import anyio.to_thread
import msgspec

from hermes.core.verdict import Evidence
from hermes.successor.judge.reading import Module, read_modules
from hermes.successor.judge.selection import select_tests
from hermes.successor.judge.suite_run import Asked, Told, run_suite
from hermes.successor.workbench import Workbench

_SHORT_S = 56.0
_LEAST_S = 5.0
_IDS = 50
_KEPT = 8
_FLEETS = ("xdist",)


class Missed(msgspec.Struct, frozen=True):
    """Of one changed module: how many changed lines can be run, and which were not."""

    path: str
    lines: int
    missed: tuple[int, ...]


class Trusted:
    """Stage `tests`; what the parent's tests said is remembered for the next trials on it."""

    name: Final = "tests"
    decides: Final = False

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, ...]], Told] = {}

    async def judge(self, bench: Workbench) -> Evidence:
        """Run a selection on both sides, the candidate's failures twice."""
        plugins = await anyio.to_thread.run_sync(_plugins)
        folders = (bench.parent / "tests", bench.candidate / "tests")
        if plugins is None:
            return Evidence(self.name, "skipped", "pytest is not installed here")
        if not all([await anyio.to_thread.run_sync(one.is_dir) for one in folders]):
            return Evidence(self.name, "skipped", "there is no tests/ to lay the parent's over")
        chance = bench.chance(self.name)
        chosen = (bench.parent, bench.deltas, bench.effort, chance)
        files = await anyio.to_thread.run_sync(select_tests, *chosen)
        whole = bench.budget.tests_s
        seconds = (whole if bench.effort == "full" else min(whole, _SHORT_S)) / 2
        parent = await self._parent(bench, Asked(files, plugins, seconds))
        expected = parent.passed
        if not expected:
            return Evidence(self.name, "skipped", f"no test of the parent passes: {parent.end}")
        modules = await read_modules(bench)
        lines = tuple(path for path, one in modules.items() if one.runs)
        seconds = min(seconds, max(_LEAST_S, 2 * parent.seconds))
        asked = Asked(_files_of(expected), plugins, seconds, tuple(expected), lines)
        first = await run_suite(bench, "candidate", asked)
        failed = [one for one in expected if one not in first.passed]
        unsteady: set[str] = set()
        if failed and first.end == "ended":
            again = Asked(_files_of(failed), plugins, seconds, tuple(failed))
            unsteady = (await run_suite(bench, "candidate", again)).passed.keys() & set(failed)
        failed = [one for one in failed if one not in unsteady]
        missed = _missed(modules, first)
        record = {"expected": len(expected), "files": files, "failed": failed, "lines": missed}
        told = {one: first.outcomes.get(one, ("missing", "")) for one in failed}
        record |= {"unsteady": sorted(unsteady), "told": told, "end": first.end}
        return _evidence(first, len(expected), failed, missed, await bench.keep(_json(record)))

    async def _parent(self, bench: Workbench, asked: Asked) -> Told:
        key = (bench.commit, asked.files)
        if key not in self._known:
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = await run_suite(bench, "parent", asked)
        return self._known[key]


def _evidence(
    told: Told, expected: int, failed: Sequence[str], missed: Sequence[Missed], record: str
) -> Evidence:
    lines, lost = sum(one.lines for one in missed), sum(len(one.missed) for one in missed)
    ran = f"; {lines - lost} of {lines} changed lines ran" if lines else ""
    if not failed:
        says = f"all {expected} tests that pass with the parent pass{ran}"
        return Evidence("tests", "pass", says, record=record)
    end = "" if told.end == "ended" else f" ({told.end})"
    says = f"{len(failed)} of {expected} tests that pass with the parent do not{end}{ran}"
    return Evidence("tests", "fail", says, tuple(failed[:_IDS]), record=record)


def _missed(modules: dict[str, Module], told: Told) -> list[Missed]:
    found: list[Missed] = []
    for path, one in modules.items():
        seen = set(told.lines.get(path, ()))
        lost = tuple(line for line in one.runs if line not in seen)
        found.append(Missed(path, len(one.runs), lost))
    return found


def _files_of(ids: Sequence[str] | dict[str, None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.partition("::")[0] for one in ids))


def _plugins() -> tuple[str, ...] | None:
    """The test runner's plugins of this installation, by name; None without a test runner."""
    if find_spec("pytest") is None:
        return None
    found = {one.value for one in entry_points(group="pytest11")}
    return tuple(sorted(one for one in found if not one.startswith(_FLEETS)))


def _json(record: object) -> bytes:
    return msgspec.json.encode(record)
