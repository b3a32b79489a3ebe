"""Runs one command in a box, from the first descriptor to the last process.

The ground says how it is started. Whether that ground holds is for `selftest` to show and for
`standing` to know, through which everybody else comes here.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio

from hermes.errors import NotAvailable, ToolFailure
from hermes.sandbox.box import Box, Ended, Tier, Why, Wires
from hermes.sandbox.ground import USER, Ground
from hermes.sandbox.inmate import Inmate, OnOutput, command, frame
from hermes.sandbox.opening import Started, start

_READY = b"ready\n"
_SIGNALLED = range(129, 160)  # bubblewrap's way to say that a signal ended it
_REMEDY = "see `hermes sandbox check`"
_UNREADABLE = f"what is shown must be readable by whom it runs as (as root: {USER})"


@dataclass(frozen=True)
class Become:
    """What a spare learns only with its command; `env` is added to what it has."""

    cwd: str
    env: Mapping[str, str]
    wall_s: float


class Boxed:
    """A started sandbox for one command; `ready` makes it a spare that waits, bound already."""

    def __init__(self, tier: Tier, wires: Wires, started: Started) -> None:
        self._tier = tier
        self._wires = wires
        self._inmate, self._laid, self._opening = started
        self._bounds = frame(self._opening.bounds)

    @property
    def alive(self) -> bool:
        """Whether it still waits, or runs."""
        return self._inmate.process.returncode is None

    def end(self, why: Why) -> None:
        """End it over a limit that its caller sets; one that has ended stays as it is."""
        if self.alive:
            self._inmate.end(why)

    async def ready(self) -> None:
        """Wait until it needs nothing but its command; raises NotAvailable where it fails."""
        first, self._bounds = self._bounds, b""
        await self._inmate.hand_in(first)
        if not await self._inmate.heard(_READY):
            await self._inmate.attend(b"", self._wires, None)
            _judge_start(self._inmate, [""])

    async def run(
        self,
        argv: Sequence[str],
        on_output: OnOutput | None = None,
        become: Become | None = None,
    ) -> Ended:
        """Become the command and run to the end; once."""
        began = anyio.current_time()
        opening, inmate = self._opening, self._inmate
        env, cwd = dict(opening.env), opening.cwd
        if become is not None:
            env, cwd = {**env, **become.env}, become.cwd
            limits = replace(inmate.limits, wall_s=become.wall_s)
            inmate.box = replace(inmate.box, limits=limits)
        frames = self._bounds + command(argv, [f"{n}={text}" for n, text in env.items()], cwd)
        await inmate.attend(frames, self._wires, on_output)
        _judge_start(inmate, argv)
        changes = await self._laid.changes()
        status = inmate.process.returncode or 0
        if status in _SIGNALLED:
            status = 128 - status
        return Ended(
            why=inmate.why or ("signal" if status < 0 else "exit"),
            status=status if inmate.why is None else -9,
            stdout=bytes(inmate.streams["stdout"]),
            stderr=bytes(inmate.streams["stderr"]),
            peak=inmate.peak,
            wall_ms=round((anyio.current_time() - began) * 1000),
            tier=self._tier,
            changes=changes,
            cpu_ms=round(inmate.cpu_s * 1000),
            processes=inmate.processes,
            used=opening.meter.read() if opening.meter else None,
        )


@asynccontextmanager
async def boxed(ground: Ground, tier: Tier, box: Box, wires: Wires) -> AsyncGenerator[Boxed, None]:
    """A sandbox that waits for its command; nothing of it lives on after the context."""
    async with start(ground, tier, box, wires) as started:
        yield Boxed(tier, wires, started)


async def run_on(
    ground: Ground,
    tier: Tier,
    box: Box,
    argv: Sequence[str],
    wires: Wires,
    on_output: OnOutput | None = None,
) -> Ended:
    """Run to the end; raises ToolFailure where the command cannot be started.

    Raises NotAvailable where the sandbox itself cannot. Nothing lives on when this returns
    or is cancelled.
    """
    async with boxed(ground, tier, box, wires) as one:
        return await one.run(argv, on_output)


def _judge_start(inmate: Inmate, argv: Sequence[str]) -> None:
    if inmate.why is not None:
        return
    ready, _, said = inmate.said.partition(_READY)
    if not said and inmate.said:
        return
    reason = (said or ready).decode(errors="replace").removeprefix("no: ")
    if _READY in inmate.said:
        raise ToolFailure(f"cannot run {argv[0]}: {reason}")
    lines = inmate.streams["stderr"].decode(errors="replace").strip().splitlines()
    raise NotAvailable(
        f"the sandbox does not start: {reason or (lines[-1] if lines else 'it says nothing')}",
        _UNREADABLE if b"Permission denied" in inmate.streams["stderr"] else _REMEDY,
    )
