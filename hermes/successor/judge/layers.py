"""Which imports may point where, by the contracts of the parent: checked in a box, run never.

The checker (import-linter) belongs to development. Where it is not installed the layers are not
checked, and the evidence says so.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import anyio.to_thread

from hermes.sandbox.box import HOME, Bind, Limits
from hermes.successor.judge.remark import Remark, plain
from hermes.successor.workbench import REPO, Side, View, Workbench, not_starved

_CONTRACTS = f"{HOME}/judge/pyproject.toml"
_LIMITS = Limits(cpu_s=30, wall_s=45.0, processes=16, disk=32 << 20, inodes=500)
_RUN = "import sys; from importlinter.cli import lint_imports_command as run; run()"
_TOPS = ("hermes/", "relay/", "training/")
_BROKEN = re.compile(r"^(?P<name>.{1,200}) BROKEN(?: \[.*\])?$", re.MULTILINE)
_EDGE = re.compile(r"^\s*-\s+(?P<from>[\w.]+) -> (?P<to>[\w.]+) \(l\.(?P<line>\d+)", re.MULTILINE)
_MOST = 20


async def look_at_layers(bench: Workbench) -> list[Remark]:
    """Contracts that the parent keeps and the candidate breaks; raises as `not_starved`."""
    if not any(one.path.startswith(_TOPS) and one.path.endswith(".py") for one in bench.deltas):
        return []
    contracts = bench.parent / "pyproject.toml"
    if not await anyio.to_thread.run_sync(_can_be_checked, contracts):
        return [Remark("layers", "told", "", "the layers were not checked: no import-linter here")]
    status, said = await _checked(bench, "candidate", contracts)
    if status == 0:
        return []
    earlier, told = await _checked(bench, "parent", contracts)
    if earlier and not _BROKEN.search(told):
        return [Remark("layers", "told", "", f"the layers were not checked: {_last(told)}")]
    if not _BROKEN.search(said):
        return [Remark("layers", "refused", "", f"the layers cannot be read: {_last(said)}")]
    broken = set(_BROKEN.findall(said)) - set(_BROKEN.findall(told))
    known = {match.group("from", "to") for match in _EDGE.finditer(told)}
    edges = [match for match in _EDGE.finditer(said) if match.group("from", "to") not in known]
    found = [
        Remark("layers", "refused", "", f"it breaks: {plain(name)}") for name in sorted(broken)
    ]
    return found + [
        Remark("layers", "refused", _path(one), f"imports {one['to']}", int(one["line"]))
        for one in edges[:_MOST]
    ]


def _can_be_checked(contracts: Path) -> bool:
    return find_spec("importlinter") is not None and contracts.is_file()


async def _checked(bench: Workbench, side: Side, contracts: Path) -> tuple[int, str]:
    view = View(limits=_LIMITS, read=(Bind(contracts, Path(_CONTRACTS)),), cwd=REPO)
    argv = bench.python("-I", "-c", _RUN, "--config", _CONTRACTS, "--no-cache")
    ended = not_starved(await bench.run(side, argv, view), "looking at the layers")
    said = ended.stdout if ended.stdout.strip() else ended.stderr
    status = ended.status if ended.why == "exit" else -1
    return status, said.decode(errors="replace")


def _path(edge: "re.Match[str]") -> str:
    return edge["from"].replace(".", "/") + ".py"


def _last(said: str) -> str:
    lines = said.strip().splitlines()
    return plain(lines[-1])[:200] if lines else "no answer"
