"""One question to the owner, from a command."""

import argparse

from hermes.cli.world import World
from hermes.core.event import Json


async def ask(args: argparse.Namespace, world: World, query: str, /, **arguments: Json) -> Json:
    """Open the door, ask, close it."""
    async with world.open_client(args.settings, interactive=False, environ=world.environ) as door:
        return await door.query(query, **arguments)
