"""The stage of trusted tests: the parent's own, over the candidate's, in a box. Advice only.

Candidate and tests share a process, so a candidate that wants to can forge every answer; it is
told, and decides nothing. A test counts that passes with the parent in such a box, and it has
passed with the candidate when it was told so exactly once.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from hermes.core.verdict import Evidence, Outcome
from hermes.successor.judge.reading import Module, read_modules
from hermes.successor.judge.selection import select_tests
from hermes.successor.judge.suite_run import Asked, Told
from hermes.successor.judge.usher import OnTest, Usher, unheard
from hermes.successor.workbench import Workbench

_SHORT_S = 52.0
_LEAST_S = 3.0
_PARENTS = 0.35  # of the time; the candidate has what is left
_NEAR = 3
_TRACED_S = 12.0
_IDS = 50
_KEPT = 8


class Missed(msgspec.Struct, frozen=True):
    """Of one changed module: how many changed lines can be run, and which were not."""

    path: str
    lines: int
    missed: tuple[int, ...]


class Found(msgspec.Struct, frozen=True):
    """What became of the tests that pass with the parent; all of it as the candidate told it.

    `failed`: how and why; `unsteady` passed at the second try, `unreached` had no time.
    """

    expected: int
    failed: dict[str, tuple[str, str]]
    unsteady: tuple[str, ...]
    unreached: tuple[str, ...]
    end: str


class Trusted:
    """Stage `tests`; what the parent's tests said is remembered for the next trials on it.

    Its record is JSON: `files`, `found` (`Found`), `lines` (`Missed` of each module).
    """

    name: Final = "tests"
    decides: Final = False

    def __init__(self, on_test: OnTest = unheard) -> None:
        """`on_test` is told of each box: its side, when it was asked, when a test had ended."""
        self._known: dict[tuple[str, tuple[str, ...]], Told] = {}
        self._usher = Usher(on_test)

    async def ahead(self, bench: Workbench) -> None:
        """Hold the first box already, while `bench.candidate` is being built."""
        if await anyio.to_thread.run_sync(_can_be_run, bench.parent):
            await self._usher.ahead(bench)

    async def judge(self, bench: Workbench) -> Evidence:
        """Run a selection on both sides, the candidate's failures twice."""
        if await anyio.to_thread.run_sync(find_spec, "pytest") is None:
            return Evidence(self.name, "skipped", "pytest is not installed here")
        if not await anyio.to_thread.run_sync((bench.parent / "tests").is_dir):
            return Evidence(self.name, "skipped", "the parent has no tests")
        if not await anyio.to_thread.run_sync((bench.candidate / "tests").is_dir):
            return Evidence(self.name, "fail", "it has no tests any more")
        seconds = bench.budget.tests_s
        if bench.effort != "full":
            seconds = min(seconds, _SHORT_S)
        until = anyio.current_time() + seconds
        chosen = (bench.parent, bench.deltas, bench.effort, bench.chance(self.name))
        files = await anyio.to_thread.run_sync(select_tests, *chosen)
        parent = await self._parent(bench, Asked(files, _PARENTS * seconds))
        if not parent.passed:
            return Evidence(self.name, "skipped", f"no test of the parent passes: {parent.end}")
        asked = Asked((), 0.0, tuple(parent.passed))
        least = anyio.current_time() + _LEAST_S
        found = await self._tried(bench, asked, max(until - _TRACED_S / 2, least))
        missed: list[Missed] = []
        if found.end == "ended":
            near = [one for one in parent.passed if one.startswith(files[:_NEAR])]
            left = min(until - anyio.current_time(), _TRACED_S)
            missed = await self._traced(bench, asked.of(near, left))
        record = msgspec.json.encode({"files": files, "found": found, "lines": missed})
        return _evidence(found, missed, await bench.keep(record))

    async def _parent(self, bench: Workbench, asked: Asked) -> Told:
        key = (bench.commit, asked.files)
        if known := self._known.get(key):
            return known
        told = await self._usher.run(bench, "parent", asked)
        if told.passed:
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = told
        return told

    async def _tried(self, bench: Workbench, asked: Asked, until: float) -> Found:
        """The candidate's answers; what failed is asked once more while there is time."""
        expected = asked.ids or ()
        first = await self._usher.run(
            bench, "candidate", asked.of(expected, until - anyio.current_time())
        )
        lost = [one for one in expected if one not in first.passed]
        late = [one for one in lost if first.stopped and one not in first.outcomes]
        failed = [one for one in lost if one not in late]
        unsteady: list[str] = []
        left = until - anyio.current_time()
        if failed and first.end == "ended" and left > _LEAST_S:
            again = await self._usher.run(bench, "candidate", asked.of(failed, left))
            unsteady = [one for one in failed if one in again.passed]
        told = {
            one: first.outcomes.get(one, ("missing", "")) for one in failed if one not in unsteady
        }
        return Found(len(expected), told, tuple(unsteady), tuple(late), first.end)

    async def _traced(self, bench: Workbench, asked: Asked) -> list[Missed]:
        """Which changed lines the nearest tests run: apart, since tracing makes them slow."""
        modules = await read_modules(bench)
        lines = tuple(path for path, one in modules.items() if one.runs)
        if not lines or not asked.ids or asked.seconds < _LEAST_S:
            return []
        return _missed(
            modules, await self._usher.run(bench, "candidate", replace(asked, lines=lines))
        )


def _evidence(found: Found, missed: Sequence[Missed], record: str) -> Evidence:
    lines, lost = sum(one.lines for one in missed), sum(len(one.missed) for one in missed)
    ran = f"; the nearest ran {lines - lost} of {lines} changed lines" if lines else ""
    late = f"; {len(found.unreached)} not reached in time" if found.unreached else ""
    if found.failed:
        end = "" if found.end == "ended" else f" ({found.end})"
        says = f"{len(found.failed)} of {found.expected} tests that pass with the parent do not"
        ids = tuple(found.failed)[:_IDS]
        return Evidence("tests", "fail", f"{says}{end}{late}{ran}", ids, record=record)
    reached = found.expected - len(found.unreached)
    says = f"all {reached} tests that pass with the parent pass{late}{ran}"
    word: Outcome = "inconclusive" if found.unreached else "pass"
    return Evidence("tests", word, says, record=record)


def _missed(modules: dict[str, Module], told: Told) -> list[Missed]:
    found: list[Missed] = []
    for path, one in modules.items():
        seen = set(told.lines.get(path, ()))
        lost = tuple(line for line in one.runs if line not in seen)
        found.append(Missed(path, len(one.runs), lost))
    return found


def _can_be_run(tree: Path) -> bool:
    return find_spec("pytest") is not None and (tree / "tests").is_dir()
