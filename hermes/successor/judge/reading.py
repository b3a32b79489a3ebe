"""Has the changed modules read in a box, and takes nothing from there but checked values."""

import json
from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.sandbox.box import HOME, Bind, Limits, Wires
from hermes.successor.judge.remark import Remark, Weight, plain
from hermes.successor.workbench import View, Workbench, not_starved

PARENT = f"{HOME}/parent"
"""Where the parent's tree lies inside, beside the candidate's."""
_SCRIPT = f"{HOME}/judge/reader.py"
_LIMITS = Limits(cpu_s=20, wall_s=30.0, processes=8, disk=16 << 20, inodes=200)
_TOPS = ("hermes/", "relay/", "training/")
_RUNTIME = 200
_TESTS = 400
_TOLD = 40

Spot = tuple[int, str]


class Module(msgspec.Struct, frozen=True):
    """What was read of one changed module; `runs`: its changed lines that can be run."""

    path: str
    lines: int = 0
    old_lines: int = 0
    error: str = ""
    runs: tuple[int, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    constants: tuple[Spot, ...] = ()
    clocks: tuple[Spot, ...] = ()
    reaches: tuple[Spot, ...] = ()
    runners: tuple[Spot, ...] = ()
    letters: tuple[Spot, ...] = ()


async def read_modules(bench: Workbench) -> dict[str, Module]:
    """Every changed module that is there afterwards, by path.

    One that broke the reader says so in `error`. Raises BudgetSpent as `not_starved` does: the
    reader runs nothing of the candidate, so that it can only have waited for the processor.
    """
    paths = [one.path for one in bench.deltas if one.after and one.path.endswith(".py")]
    if not paths:
        return {}
    here = Path(__file__).with_name("reader.py")
    view = View(limits=_LIMITS, read=(Bind(bench.parent, Path(PARENT)), Bind(here, Path(_SCRIPT))))
    argv = bench.python("-I", "-S", _SCRIPT)
    ended = await bench.run("candidate", argv, view, Wires(stdin=json.dumps(paths).encode()))
    not_starved(ended, "reading the changed modules")
    read = await anyio.to_thread.run_sync(_heard, ended.stdout, paths)
    lost = "the reader ended before it" if ended.ok else f"the reader was ended: {ended.why}"
    return {path: read.get(path, Module(path, error=lost)) for path in paths}


def _heard(said: bytes, paths: Sequence[str]) -> dict[str, Module]:
    found: dict[str, Module] = {}
    for line in said.splitlines():
        try:
            one = msgspec.json.decode(line, type=Module)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # then it counts as unread
        if one.path in paths and one.path not in found:
            found[one.path] = one
    return found


def remarks_on(module: Module) -> list[Remark]:
    """What the lint says of one module."""
    path = plain(module.path)
    if module.error:
        return [Remark("unreadable", "refused", path, f"cannot be read: {module.error}")]
    found: list[Remark] = []
    most = _TESTS if path.startswith("tests/") else _RUNTIME
    if module.lines > max(most, module.old_lines):
        says = f"{module.lines} code lines; a file has at most {most}"
        found.append(Remark("line budget", "refused", path, says))
    is_runtime = path.startswith(_TOPS) and not path.startswith("hermes/testing/")
    rules: tuple[tuple[str, Weight, str, tuple[Spot, ...]], ...] = (
        ("letters", "refused", "a name with letters that look like others", module.letters),
        (
            "test runner",
            "refused",
            "the runtime names what runs tests",
            module.runners * is_runtime,
        ),
        ("reach", "person", "it reaches into the interpreter", module.reaches * is_runtime),
        ("clock", "told", "something hangs on a clock or a counter", module.clocks),
        ("constant", "told", "a value is new", module.constants),
    )
    for rule, weight, says, spots in rules:
        for line, text in spots[:_TOLD]:
            found.append(Remark(rule, weight, path, f"{says}: {text}", line))
    return found
