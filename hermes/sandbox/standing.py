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

from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread

from hermes.errors import HermesError, NotAvailable
from hermes.sandbox.box import Box, Ended, Tier, Wires
from hermes.sandbox.boxing import OnOutput, run_on
from hermes.sandbox.ground import INSTALL, Ground, find_ground
from hermes.sandbox.selftest import Axis, try_axes

_LANDLOCK = 6
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
    if not ground.bwrap:
        return await _without(ground, "bubblewrap is not installed", INSTALL)
    try:
        axes = await try_axes(ground)
    except HermesError as error:
        return await _without(ground, error.message, _USERNS)
    except BaseExceptionGroup as group:
        return await _without(ground, _first(group).message, _USERNS)
    return _judged(ground, axes)


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


def _judged(ground: Ground, axes: tuple[Axis, ...]) -> Standing:
    open_ = [one.name for one in axes if not one.held]
    if not open_:
        return Standing("A", ground, axes)
    if open_ == ["landlock"] and ground.landlock < _LANDLOCK:
        reason = f"Landlock is of version {ground.landlock}"
        remedy = f"a kernel with Landlock {_LANDLOCK} (Linux 6.12) adds a second layer"
        return Standing("A-", ground, axes, reason, remedy)
    return Standing(
        "C",
        ground,
        axes,
        f"what should hold does not: {', '.join(open_)}",
        "report this with the output of `hermes sandbox check --json`",
    )


async def _without(ground: Ground, reason: str, remedy: str) -> Standing:
    return Standing("C", ground, reason=reason, remedy=remedy)


def _first(group: BaseExceptionGroup) -> HermesError:
    """The first error of ours in a group; a group of anything else goes on up."""
    ours, others = group.split(HermesError)
    if others is not None or ours is None:
        raise group
    leaf: BaseException = ours
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf if isinstance(leaf, HermesError) else HermesError(str(leaf))
