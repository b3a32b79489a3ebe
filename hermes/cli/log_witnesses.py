"""`hermes log witnesses`: cosignatures of this log, what was seen of others', evidence."""

import argparse

from hermes.cli.asking import ask
from hermes.cli.conversations import write_new
from hermes.cli.output import print_json, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import NotAvailable
from hermes.load import load


async def witnesses(args: argparse.Namespace, world: World) -> int:
    """Print them; 1 when there is evidence that stands against a member."""
    told = await ask(args, world, "log.witnesses")
    if args.out:
        if not told["note"]:
            raise NotAvailable("the log was never signed", "hermes log checkpoint")
        await write_new(world.cwd / args.out, str(told["note"]))
    stands = [one for one in told["faults"] if not one["over"]]
    if args.json:
        print_json(told, world.stdout)
    else:
        for line in _lines(told, stands):
            print_text(line, world.stdout)
    return 1 if stands else 0


def _lines(told: Json, stands: list[Json]) -> list[str]:
    npub = load("npub").npub_of
    lines = [f"signed   {told['size']} entries" if told["note"] else "signed   never"]
    for one in told["cosigned"]:
        held = f"cosigned {one['size']} entries, {one['at']}" if one["holds"] else "does not hold"
        lines.append(f"by       {npub(one['node'])}: {held}")
    for one in told["seen"]:
        what = "nothing yet" if one["size"] is None else f"{one['size']} entries, {one['at']}"
        lines.append(f"seen     {npub(one['node'])}: {what}")
    alarms = [f"ALARM    {npub(one['node'])}: {one['says']}; {one['at']}" for one in stands]
    return lines + alarms
