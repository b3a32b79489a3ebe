"""The doctor on the continuity coin: whether a running owner has raised its alarm."""

import anyio.to_thread

from hermes.cli.doctor_check import Check, aside, bad, good
from hermes.cli.world import World
from hermes.config import Settings
from hermes.errors import HermesError


async def look(settings: Settings, world: World) -> list[Check]:
    """Ask the owner that runs; without an identity or an owner there is nothing to say."""
    record = settings.data_dir / "identity" / "genesis.cbor"
    if not await anyio.to_thread.run_sync(record.exists):
        return []
    async with world.find_owner(settings) as door:
        if door is None:
            return []
        try:
            told = await door.query("anchor.status")
        except HermesError as error:
            return [aside("anchors", error.message, error.remedy)]
    if told["halted"]:
        return [bad("anchors", told["halted"]["says"], "hermes anchor status")]
    waits = [one["says"] for one in told["anchors"] if one["says"]]
    if waits:
        return [aside("anchors", waits[-1], "hermes anchor status")]
    return [good("anchors", f"{len(told['anchors'])} on {told['network']}")]
