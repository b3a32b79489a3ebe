"""The doctor on the chain: the continuity coin's alarm, the headers, the server that is set."""

from pathlib import Path

import anyio
import anyio.to_thread

from hermes.cli.doctor_check import Check, aside, bad, good
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.clock import SystemClock
from hermes.errors import ChainError, HermesError
from hermes.load import load

_DAY_S = 86_400
_SERVER_S = 15.0


async def look(settings: Settings, world: World) -> list[Check]:
    """Ask the owner that runs; without an identity or an owner there is nothing to say."""
    headers = await anyio.to_thread.run_sync(_headers, settings)
    record = settings.data_dir / "identity" / "genesis.cbor"
    if not await anyio.to_thread.run_sync(record.exists):
        return headers
    return [*await _anchors(settings, world), *headers]


async def look_closer(settings: Settings, world: World) -> list[Check]:
    """Dial the chain's server, where one is set."""
    del world
    if not settings.chain.backend:
        return []
    connect = await anyio.to_thread.run_sync(load, "connect")
    found = [aside("chain", f"no answer within {_SERVER_S:.0f} s", "see chain.backend")]
    try:
        with anyio.move_on_after(_SERVER_S):
            async with connect.open_backend(
                settings.chain.backend, settings.chain.network
            ) as backend:
                tip = await backend.tip()
                found = [good("chain", f"{settings.chain.network}, block {tip.height}")]
    except HermesError as error:
        found = [aside("chain", error.message, error.remedy or "see chain.backend")]
    return found


async def _anchors(settings: Settings, world: World) -> list[Check]:
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


def _headers(settings: Settings) -> list[Check]:
    """How old the newest header is: a proof in a later block is checked with later ones."""
    path: Path = settings.data_dir / "headers" / f"{settings.chain.network}.headers"
    if not path.exists():
        return []
    try:
        age = SystemClock().now_ms() // 1000 - load("header_file").newest_time(path)
    except ChainError as error:
        return [aside("headers", error.message, error.remedy)]
    days = max(age, 0) // _DAY_S
    detail = f"{path}, newest {days} days old" if days else f"{path}, newest of today"
    old = days > 0 and settings.chain.network != "regtest"  # nobody mines there for us
    return [aside("headers", detail, "hermes anchor headers", ok=not old)]
