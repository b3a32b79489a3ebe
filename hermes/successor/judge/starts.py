"""Whether the candidate starts at all: its version, its commands, the modules that changed.

Cheap, so that it comes first: what does not start needs no benchmark.
"""

import json
import re
from collections.abc import Sequence

import msgspec

from hermes.core.verdict import Evidence
from hermes.sandbox.box import Ended, Wires
from hermes.successor.workbench import REPO, Side, View, Workbench, not_starved

NAME = "starts"
_MAIN = ("-m", "hermes.cli.main")
_VERSION = re.compile(rb"hermes \S{1,100}\n")
_PACKAGES = ("hermes/", "relay/", "training/")
_SHOWN = 20
# Each module in a process of its own: some of them are programs, and end by themselves.
_IMPORTS = """
import importlib, json, os, sys
for name in json.load(sys.stdin):
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        status = 1
        try:
            importlib.import_module(name)
            status = 0
        finally:
            os._exit(status)
    print(json.dumps([name, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]), flush=True)
"""


class Starts:
    """The stage."""

    name = NAME
    decides = True

    async def judge(self, bench: Workbench) -> Evidence:
        """Start it in three ways; raises BudgetSpent where the machine lets nothing start."""
        version = await _run(bench, "candidate", bench.python(*_MAIN, "--version"))
        if not (version.ok and _VERSION.fullmatch(version.stdout)):
            return self._fails("hermes --version", version)
        usage = await _run(bench, "candidate", bench.python(*_MAIN, "--help"))
        if not usage.ok:
            return self._fails("hermes --help", usage)
        return await self._imports(bench)

    async def _imports(self, bench: Workbench) -> Evidence:
        """A module that changed is imported where the parent's was, and where it is new."""
        modules = _modules(bench)
        if not modules:
            return Evidence(NAME, "pass", "it starts")
        broken = await _broken(bench, "candidate", set(modules.values()))
        before = {modules[one.path] for one in bench.deltas if one.before and one.path in modules}
        old = broken & before
        excused = await _broken(bench, "parent", old) if old else set()
        lost = tuple(sorted(broken - excused))
        if lost:
            says = f"{len(lost)} modules that it changes cannot be imported: {lost[0]}"
            return Evidence(NAME, "fail", says, lost[:_SHOWN])
        return Evidence(NAME, "pass", f"it starts, and {len(modules)} changed modules import")

    def _fails(self, what: str, ended: Ended) -> Evidence:
        why = f"exit code {ended.status}" if ended.why == "exit" else ended.why
        lines = ended.stderr.decode(errors="replace").strip().splitlines()
        said = "".join(one if one.isprintable() else " " for one in (lines or [""])[-1])[:200]
        return Evidence(NAME, "fail", f"{what} ends by {why}: {said or 'without a word'}", (what,))


def _modules(bench: Workbench) -> dict[str, str]:
    """The dotted name of each changed module by its path."""
    found: dict[str, str] = {}
    for one in bench.deltas:
        if one.after is not None and one.path.endswith(".py") and one.path.startswith(_PACKAGES):
            name = one.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
            found[one.path] = name
    return found


async def _broken(bench: Workbench, side: Side, names: set[str]) -> set[str]:
    """Those that cannot be imported, and those of which nothing was heard."""
    words = json.dumps(sorted(names)).encode()
    argv = bench.python("-c", _IMPORTS)
    ended = await _run(bench, side, argv, View(cwd=REPO), Wires(stdin=words))
    heard: set[str] = set()
    for line in ended.stdout.splitlines():
        try:
            name, status = msgspec.json.decode(line, type=tuple[str, int])
        except (msgspec.DecodeError, RecursionError):
            continue
        if status == 0:
            heard.add(name)
    return names - heard


async def _run(
    bench: Workbench,
    side: Side,
    argv: Sequence[str],
    view: View | None = None,
    wires: Wires | None = None,
) -> Ended:
    """Run it; where the candidate does not end, the parent is asked, who may not either."""
    ended = await bench.run(side, argv, view, wires)
    if side == "candidate" and ended.why == "wall clock":
        bench.spend.check()
        not_starved(await bench.run("parent", argv, view, wires), "the parent, too,")
        return ended
    return not_starved(ended, "starting it")
