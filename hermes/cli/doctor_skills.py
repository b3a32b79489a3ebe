"""The doctor on skills: those that lie here and cannot be read. It only looks at files."""

import anyio.to_thread

from hermes.cli.doctor_check import Check, aside
from hermes.cli.world import World
from hermes.config import Settings
from hermes.load import load


async def look(settings: Settings, world: World) -> list[Check]:
    """One line, also where there are none."""
    return [await anyio.to_thread.run_sync(_look, settings, world)]


def _look(settings: Settings, world: World) -> Check:
    listing = load("skill_places").discover(settings.config_dir / "skills", world.root)
    own = sum(found.scope == "user" for found in listing.found)
    others = len(listing.found) - own
    detail = f"{own} of your own, {others} of this project"
    faults = "; ".join(f"{broken.path}: {broken.why}" for broken in listing.broken[:3])
    if faults:
        detail = f"{detail}, {len(listing.broken)} that cannot be used: {faults}"
    return aside("skills", detail, "hermes skills check DIR", ok=not listing.broken)
