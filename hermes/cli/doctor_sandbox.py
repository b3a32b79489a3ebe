"""The doctor on the sandbox: its tier, shown by trying every way out, and the exact remedy."""

from hermes.cli.doctor_check import Check, aside
from hermes.cli.world import World
from hermes.config import Settings
from hermes.load import load

_MEANS = {
    "A": "successors and commands are held in",
    "A-": "successors and commands are held in, without Landlock",
    "B": "no successor can run; a single command can",
    "C": "no successor can run",
}


async def look(settings: Settings, world: World) -> list[Check]:
    """Try it: less than a second."""
    del world
    standing = await load("sandbox_standing").examine()
    detail = f"tier {standing.tier}: {_MEANS[standing.tier]}"
    if standing.reason:
        detail += f" ({standing.reason})"
    whole = standing.tier in {"A", "A-"}
    detail += f"; the chat's commands {_held(settings, whole=whole)}"
    return [aside("sandbox", detail, standing.remedy, ok=whole and not standing.reason)]


def _held(settings: Settings, *, whole: bool) -> str:
    if settings.sandbox.bash == "guard":
        return "run under the guard (sandbox.bash)"
    network = "with" if settings.sandbox.network else "without"
    return f"run in it, {network} the network" if whole else "run under the guard all the same"
