"""What the sandbox of this machine is worth, shown by trying it; the door for everybody else.

| tier | what holds | what may run |
|---|---|---|
| A | namespaces, filter, Landlock, all limits | successors, commands |
| A- | the same without Landlock (an old kernel) | the same, recorded |
| B | Landlock, filter and limits of one process | one command that a person allowed |
| C | nothing | nothing |

There is no way from one tier down to the next by itself: whoever needs A says so and is
refused elsewhere, with the remedy.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio.to_thread

from hermes.errors import HermesError, NotAvailable
from hermes.sandbox.box import Box, Ended, Tier, Wires
from hermes.sandbox.boxing import Boxed, boxed, run_on
from hermes.sandbox.ground import INSTALL, Ground, find_ground
from hermes.sandbox.inmate import OnOutput
from hermes.sandbox.selftest import Axis, try_axes

_LANDLOCK = 6
_NOT_IN_B = {"disk", "inodes"}
_WHOLE: tuple[Tier, ...] = ("A", "A-")
_USERNS = (
    "allow user namespaces: on Ubuntu load /usr/share/apparmor/extra-profiles/bwrap-userns-restrict"
    " with apparmor_parser; on Debian sysctl kernel.unprivileged_userns_clone=1; else"
    " sysctl user.max_user_namespaces=10000; in a container start it with user namespaces allowed"
)


@dataclass(frozen=True)
class Standing:
    """The tier of this machine, the axes that showed it, and what would make it better."""

    tier: Tier
    ground: Ground | None
    axes: tuple[Axis, ...] = ()
    reason: str = ""
    remedy: str = ""

    def require(self, *tiers: Tier) -> Ground:
        """The ground, where the tier is one of these; raises NotAvailable with the remedy."""
        if self.tier not in tiers or self.ground is None:
            reason = f": {self.reason}" if self.reason else ""
            raise NotAvailable(
                f"the sandbox here is of tier {self.tier}{reason}; this needs {' or '.join(tiers)}",
                self.remedy,
            )
        return self.ground


async def examine() -> Standing:
    """Look and try, in less than a second; never raises for what a machine lacks."""
    try:
        ground = await anyio.to_thread.run_sync(find_ground)
    except NotAvailable as error:
        return Standing("C", None, reason=error.message, remedy=error.remedy)
    return await examine_ground(ground)


async def examine_ground(ground: Ground) -> Standing:
    """Try what was found."""
    if not ground.bwrap:
        return await _without(ground, "bubblewrap is not installed", INSTALL)
    said = ""
    for staged in dict.fromkeys((ground.staged, False)):
        tried = replace(ground, staged=staged and bool(ground.unshare))
        try:
            return _judged(tried, await _axes(tried, "A"))
        except HermesError as error:
            said = said or error.message
    return await _without(ground, said, _USERNS)


async def _axes(ground: Ground, tier: Tier) -> tuple[Axis, ...]:
    """The axes; of several failures the first of ours is raised alone."""
    try:
        return await try_axes(ground, tier)
    except BaseExceptionGroup as group:
        ours, others = group.split(HermesError)
        if others is not None or ours is None:
            raise
        leaf: BaseException = ours
        while isinstance(leaf, BaseExceptionGroup):
            leaf = leaf.exceptions[0]
        raise leaf from group


async def _without(ground: Ground, reason: str, remedy: str) -> Standing:
    """Without namespaces: B, where Landlock and the filter hold alone, else C."""
    if ground.landlock < _LANDLOCK:
        more = f"and Landlock is of version {ground.landlock}, not {_LANDLOCK}"
        return Standing("C", ground, reason=f"{reason}, {more}", remedy=remedy)
    try:
        axes = await _axes(ground, "B")
    except HermesError as error:
        return Standing("C", ground, reason=f"{reason}; {error.message}", remedy=remedy)
    lost = [one.name for one in axes if not one.held and one.name not in _NOT_IN_B]
    if lost:
        why = f"{reason}; without namespaces these do not hold: {', '.join(lost)}"
        return Standing("C", ground, axes, why, remedy)
    return Standing("B", ground, axes, reason, remedy)


async def run(
    standing: Standing,
    box: Box,
    argv: Sequence[str],
    wires: Wires | None = None,
    on_output: OnOutput | None = None,
) -> Ended:
    """Run a command in a box, to its end; needs tier A or A-.

    `on_output` is told the stream's name and each piece. Raises NotAvailable where the machine
    has no such sandbox or it does not start, ToolFailure where the command cannot be started,
    Usage where the view cannot be. Nothing of it lives on when this returns or is cancelled.
    """
    ground = standing.require(*_WHOLE)
    return await run_on(ground, standing.tier, box, argv, wires or Wires(), on_output)


@asynccontextmanager
async def spare(
    standing: Standing, box: Box, wires: Wires | None = None
) -> AsyncGenerator[Boxed, None]:
    """A sandbox that waits for one command, bound already: what is left to do is to become it.

    Raises as `run` does. An overlay shows what the workspace was when this began.
    """
    ground = standing.require(*_WHOLE)
    async with boxed(ground, standing.tier, box, wires or Wires()) as one:
        await one.ready()
        yield one


async def run_alone(
    standing: Standing, box: Box, argv: Sequence[str], wires: Wires | None = None
) -> Ended:
    """Run one command that a person has allowed; in tier B too, without a network or a quota.

    Raises as `run` does, and NotAvailable in tier B for a box with a workspace.
    """
    ground = standing.require(*_WHOLE, "B")
    return await run_on(ground, standing.tier, box, argv, wires or Wires())


def _judged(ground: Ground, axes: tuple[Axis, ...]) -> Standing:
    lost = {one.name for one in axes if not one.held}
    reason, remedy = "", ""
    if not ground.staged:
        lost.discard("inodes")
        reason, remedy = "the number of files inside is not bounded", _USERNS
    if not lost and ground.landlock >= _LANDLOCK:
        return Standing("A", ground, axes, reason, remedy)
    if lost <= {"landlock"} and ground.landlock < _LANDLOCK:
        reason = f"Landlock is of version {ground.landlock}"
        remedy = f"a kernel with Landlock {_LANDLOCK} (Linux 6.12) adds a second layer"
        return Standing("A-", ground, axes, reason, remedy)
    return Standing(
        "C",
        ground,
        axes,
        f"what should hold does not: {', '.join(sorted(lost))}",
        "report this with the output of `hermes sandbox check --json`",
    )
