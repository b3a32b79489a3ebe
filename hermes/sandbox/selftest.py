"""Tries the sandbox of this machine before anybody relies on it: each axis inside and outside.

Version numbers prove nothing: a layer that silently does nothing passes every look at them.
An axis holds when the probe gets through outside (the positive control) and not inside.
"""

import os
import socket
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.errors import HermesError
from hermes.sandbox.box import Box, Limits, Tier, Why, Wires
from hermes.sandbox.boxing import run_on
from hermes.sandbox.ground import Ground
from hermes.sandbox.off_loop import off_loop

_MIB = 1 << 20
_TIGHT = Limits(
    memory=64 * _MIB, tree_memory=96 * _MIB, processes=16, open_files=64, file=2 * _MIB,
    disk=4 * _MIB, inodes=200, cpu_s=20, wall_s=20.0, output=64 << 10,
)  # fmt: skip
_BOUNDS: Mapping[Why, tuple[Limits, str]] = {
    "wall clock": (Limits(wall_s=0.3), "import time; time.sleep(9)"),
    "output": (Limits(output=64 << 10), "print('x' * 1000000)"),
    "memory": (
        Limits(tree_memory=48 * _MIB),
        "import time; kept = bytearray(64 << 20); time.sleep(9)",
    ),
}
_NAMES: Mapping[Why, str] = {"memory": "tree memory"}
_PROBE = Path(__file__).with_name("probe.py")


@dataclass(frozen=True)
class Axis:
    """One way out; `control`: whether it is open outside, so that being closed says something."""

    name: str
    held: bool
    control: bool

    @property
    def word(self) -> str:
        """How it looks."""
        if not self.held:
            return "OPEN"
        return "held" if self.control else "not shown: closed outside too"


@dataclass(frozen=True)
class Target:
    """What the probe aims at: harmless things of ours on this machine."""

    folder: Path
    port: int
    start: str

    def words(self, scratch: str) -> list[str]:
        """The probe's arguments."""
        return [str(self.folder), str(self.port), str(os.getpid()), self.start, scratch]


async def try_axes(ground: Ground, tier: Tier) -> tuple[Axis, ...]:
    """Probe inside and outside at once; raises HermesError where no sandbox starts.

    `tier`: how it is started, B or anything else.
    """
    async with off_loop(_target(ground)) as target:
        found: dict[str, Mapping[str, bool]] = {}
        bounds: list[Axis] = []

        async def collect(name: str, what: Callable[[], Awaitable[Mapping[str, bool]]]) -> None:
            found[name] = await what()

        async with anyio.create_task_group() as group:
            group.start_soon(collect, "inside", lambda: _inside(ground, tier, target))
            group.start_soon(collect, "outside", lambda: _outside(ground, target))
            for why in _BOUNDS:
                group.start_soon(_bound, bounds, ground, tier, why)
    inside, outside = found["inside"], found["outside"]
    axes = [Axis(name, not inside.get(name, True), outside.get(name, False)) for name in inside]
    return (*axes, *sorted(bounds, key=lambda one: one.name))


async def _inside(ground: Ground, tier: Tier, target: Target) -> Mapping[str, bool]:
    code = await anyio.to_thread.run_sync(_PROBE.read_bytes)
    words = [ground.python, "-I", "-S", "-B", "-", *target.words(".")]
    ended = await run_on(ground, tier, Box(limits=_TIGHT), words, Wires(stdin=code))
    read = _read(ended.stdout)
    if not ended.ok or not read:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise HermesError(f"the sandbox's probe ended early: {said[-1] if said else ended.why}")
    return read


async def _outside(ground: Ground, target: Target) -> Mapping[str, bool]:
    account = ground.account
    with _PROBE.open("rb") as code:
        done = await anyio.run_process(
            [ground.python, "-I", "-S", "-B", "-", *target.words(str(target.folder))],
            stdin=code,
            stderr=subprocess.DEVNULL,
            check=False,
            cwd="/",
            env={"HERMES_PROBE": "1"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    return _read(done.stdout)


def _read(text: bytes) -> dict[str, bool]:
    pairs = (line.partition("=") for line in text.decode(errors="replace").splitlines())
    return {name: word == "through" for name, _, word in pairs if word in {"through", "held"}}


@contextmanager
def _target(ground: Ground) -> Generator[Target, None, None]:
    """Things to aim at: a folder anybody may use, two doors that nobody answers at."""
    with tempfile.TemporaryDirectory(prefix="hermes-probe-", dir=_open_place()) as name:
        folder = Path(name)
        (folder / "secret").write_text("not for the inside")
        folder.chmod(0o777 if ground.account else 0o700)
        (folder / "secret").chmod(0o644)
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.socket(socket.AF_UNIX) as door,
        ):
            door.bind(f"{name}/door")
            (folder / "door").chmod(0o777)
            door.listen()
            start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
            yield Target(folder, server.getsockname()[1], start)


def _open_place() -> str:
    """A directory that another user can pass into; the system's own where there is one."""
    return "/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()  # noqa: S108 - made by mkdtemp


async def _bound(found: list[Axis], ground: Ground, tier: Tier, why: Why) -> None:
    """A bound that we keep from outside; the probe's own run shows that it lets others end."""
    limits, code = _BOUNDS[why]
    argv = [ground.python, "-I", "-S", "-B", "-c", code]
    ended = await run_on(ground, tier, Box(limits=limits), argv, Wires())
    found.append(Axis(_NAMES.get(why, why), held=ended.why == why, control=True))
