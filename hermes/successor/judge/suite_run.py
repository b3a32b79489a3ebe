"""One run of trusted tests in a box, and what of its answer is believed: capped, checked lines."""

import json
import os
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from hermes.sandbox.box import HOME, Bind, Wires
from hermes.successor.workbench import REPO, Side, View, Workbench

_JUDGE = f"{HOME}/judge"
_MOST = 8 << 20
_GRACE_S = 12.0
_OVER = ("tests", "benchmarks")
_ENV = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",  # noqa: S108 - inside
}


@dataclass(frozen=True)
class Asked:
    """Which files, with which plugins, for how long; `ids` None: all; `lines`: traced modules."""

    files: tuple[str, ...]
    plugins: tuple[str, ...]
    seconds: float
    ids: tuple[str, ...] | None = None
    lines: tuple[str, ...] = ()

    def of(self, ids: Sequence[str], seconds: float) -> "Asked":
        """The same for these tests only."""
        files = tuple(dict.fromkeys(one.partition("::")[0] for one in ids))
        return replace(self, files=files, ids=tuple(ids), seconds=seconds)


@dataclass(frozen=True)
class Told:
    """What came back. `outcomes`: how each test ended, and why; `end`: "ended", or how else.

    `stopped`: it says that the time was up before the last test.
    """

    outcomes: dict[str, tuple[str, str]]
    end: str
    seconds: float
    lines: dict[str, tuple[int, ...]] = field(default_factory=dict)
    stopped: bool = False

    @property
    def passed(self) -> dict[str, None]:
        """The tests that passed, in their order."""
        return {one: None for one, (word, _) in self.outcomes.items() if word == "passed"}


class _Line(msgspec.Struct, frozen=True):
    word: str
    id: str = ""
    outcome: str = ""
    why: str = ""
    collected: int = -1
    end: int | None = None
    stopped: bool = False
    lines: dict[str, tuple[int, ...]] = {}


async def run_suite(bench: Workbench, side: Side, asked: Asked) -> Told:
    """Run the parent's tests on one side's code; never raises for what the code does."""
    here = Path(__file__).with_name("suite.py")
    over = await anyio.to_thread.run_sync(_laid_over, bench, side)
    files = (
        Bind(here, Path(f"{_JUDGE}/suite.py")),
        Bind(bench.parent / "pyproject.toml", Path(f"{_JUDGE}/pyproject.toml")),
    )
    limits = bench.budget.limits()
    limits = replace(limits, wall_s=asked.seconds + _GRACE_S)
    view = View(limits=limits, read=(*over, *files), env=_ENV, cwd=REPO)
    word = secrets.token_hex(16)
    inner, outer = os.pipe()
    heard = bytearray()
    began = anyio.current_time()
    try:
        os.set_blocking(inner, False)
        stdin = json.dumps(
            {
                "fd": outer,
                "word": word,
                "files": asked.files,
                "ids": asked.ids,
                "seconds": asked.seconds,
                "plugins": asked.plugins,
                "lines": asked.lines,
            }
        ).encode()
        async with anyio.create_task_group() as group:
            group.start_soon(_listen, inner, heard)
            argv = bench.python("-I", f"{_JUDGE}/suite.py")
            wires = Wires(stdin=stdin, keep=(outer,), collect=False)
            ended = await bench.run(side, argv, view, wires)
            os.close(outer)
            outer = -1
    finally:
        os.close(inner)
        if outer >= 0:
            os.close(outer)
    why = ended.why if ended.why != "exit" else f"exit code {ended.status}"
    told = await anyio.to_thread.run_sync(_told, bytes(heard), word, why)
    return replace(told, seconds=anyio.current_time() - began)


def _laid_over(bench: Workbench, side: Side) -> tuple[Bind, ...]:
    """The parent's tests and benchmarks over the candidate's."""
    if side == "parent":
        return ()
    return tuple(
        Bind(bench.parent / one, Path(REPO) / one)
        for one in _OVER
        if (bench.parent / one).is_dir() and (bench.candidate / one).is_dir()
    )


async def _listen(inner: int, heard: bytearray) -> None:
    """Everything up to a bound; what comes after it is read and dropped."""
    while True:
        await anyio.wait_readable(inner)
        try:
            piece = os.read(inner, 1 << 16)
        except BlockingIOError:
            continue
        if not piece:
            return
        heard += piece[: max(0, _MOST - len(heard))]


def _told(heard: bytes, word: str, why: str) -> Told:
    lines: list[_Line] = []
    for text in heard.split(b"\n"):
        try:
            one = msgspec.json.decode(text, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if one.word == word:
            lines.append(one)
    times = Counter(one.id for one in lines if one.id)
    outcomes = {
        one.id: (one.outcome if times[one.id] == 1 else "told twice", one.why)
        for one in lines
        if one.id
    }
    ends = [one for one in lines if one.end is not None]
    collections = sum(one.collected >= 0 for one in lines)
    if len(ends) != 1 or collections != 1:
        return Told({}, f"it did not end as tests end: {why}", 0.0)
    return Told(outcomes, "ended", 0.0, ends[0].lines, ends[0].stopped)
