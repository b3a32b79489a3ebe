"""The doctor on the sandbox: its tier, shown by trying every way out, and the exact remedy."""

from typing import Any

from hermes.cli.doctor_check import Check, aside
from hermes.cli.world import World
from hermes.config import Settings
from hermes.errors import HermesError, NotLayable
from hermes.load import load
from hermes.sandbox.box import Box

_MEANS = {
    "A": "successors and commands are held in",
    "A-": "successors and commands are held in, without Landlock",
    "B": "no successor can run; a single command can",
    "C": "no successor can run",
}


async def look(settings: Settings, world: World) -> list[Check]:
    """Try it: less than a second."""
    module = load("sandbox_standing")
    standing = await module.examine()
    detail = f"tier {standing.tier}: {_MEANS[standing.tier]}"
    if standing.reason:
        detail += f" ({standing.reason})"
    whole = standing.tier in {"A", "A-"}
    remedy = standing.remedy
    if settings.sandbox.bash == "guard":
        detail += "; the chat's commands run under the guard (sandbox.bash)"
    elif not whole or (lost := await _lost(module, standing, world)):
        why = f" here: {lost}" if whole else ""
        detail += f"; the chat's commands run under the guard all the same{why}"
    else:
        network = "with" if settings.sandbox.network else "without"
        detail += f"; the chat's commands run in it, {network} the network"
    return [aside("sandbox", detail, remedy, ok=whole and not standing.reason)]


async def _lost(module: Any, standing: Any, world: World) -> str:  # noqa: ANN401 - loaded late
    """Why nothing can be laid over this project; empty where it can."""
    try:
        await module.run(standing, Box(workspace=world.root, cwd=str(world.root)), ["/bin/true"])
    except NotLayable as error:
        return error.message
    except HermesError:
        return ""
    return ""
