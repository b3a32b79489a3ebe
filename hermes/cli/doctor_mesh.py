"""The doctor on the mesh: what the running node says of it; relays and their clocks, from here.

A relay's clock is its HTTP `Date`, good to a second; one that gives none is not compared.
"""

import time
from email.utils import parsedate_to_datetime

import anyio

from hermes.cli.doctor_check import Check, aside, bad, good
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.event import Json
from hermes.errors import HermesError
from hermes.load import load

_SKEW_S = 60
_WAIT_S = 5.0
_NODE = "hermes node"
_SET = "timedatectl set-ntp true"


async def look(settings: Settings, world: World) -> list[Check]:
    """Ask the node that runs."""
    mesh = settings.mesh
    if not mesh.relays and not mesh.listen:
        return []
    async with world.find_owner(settings) as door:
        if door is None:
            return [aside("mesh", "no node runs", _NODE)]
        try:
            status = await door.query("node.status")
        except HermesError:  # a chat has no such question
            return [aside("mesh", "a chat owns the store, and has no mesh", _NODE)]
        checks = [_part(one) for one in status["parts"]]
        try:
            found = await door.query("mesh.status")
        except HermesError:  # the part has said why
            return checks
        return [*checks, *_mesh(found, settings), *_witnessed(await door.query("log.witnesses"))]


async def look_closer(settings: Settings, _world: World) -> list[Check]:
    """Call every relay of the settings."""
    return [await _relay(url) for url in settings.mesh.relays]


def _part(part: Json) -> Check:
    name = part["name"]
    if part["runs"]:
        return good(name, part["says"] or "runs")
    return aside(name, part["says"] or "starting", part["remedy"])


def _mesh(found: Json, settings: Settings) -> list[Check]:
    checks = [good("node key", found["key"])]
    for relay in found["relays"]:
        name = f"relay {relay['url']}"
        if relay["quality"]:
            checks.append(good(name, f"in use, quality {relay['quality']:.2f}"))
        else:
            checks.append(aside(name, relay["reason"] or "not reached", "it is tried again"))
    if settings.mesh.listen and not settings.mesh.advertise:
        says = f"listens at {found['listen']}, others are not told"
        checks.append(aside("reachability", says, "set mesh.advertise", ok=True))
    elif found["told"]:
        checks.append(good("reachability", f"others are told {', '.join(found['told'])}"))
    checks += [
        aside(f"clock of {one['npub']}", one["says"], f"set the one that is wrong: {_SET}")
        for one in found.get("clocks", ())
    ]
    return checks


def _witnessed(found: Json) -> list[Check]:
    """Members whose logs cannot be trusted; who cosigned this one."""
    checks = [
        bad("cosigning", f"{one['node']}: {one['says']}", "hermes log witnesses --json")
        for one in found["faults"]
        if not one["over"]
    ]
    held = [one for one in found["cosigned"] if one["holds"] and one["size"] == found["size"]]
    if found["cosigned"] and not checks:
        says = f"{len(held)} of {len(found['cosigned'])} members cosigned {found['size']} entries"
        checks.append(good("cosigning", says))
    return checks


async def _relay(url: str) -> Check:
    """Whether it answers, and what time it is there."""
    name = f"relay {url}"
    began = time.monotonic()
    try:
        with anyio.fail_after(_WAIT_S):
            answered, date = await load("relay_call").call(url)
    except (OSError, TimeoutError, HermesError) as error:
        return aside(name, str(error) or f"no answer within {_WAIT_S:.0f} s", "is it up?")
    took = time.monotonic() - began
    if not answered:
        return aside(name, "what answers there is no relay", "look at mesh.relays")
    skew = _skew(date)
    if skew is None:
        return good(name, f"answers in {took * 1000:.0f} ms")
    if abs(skew) > _SKEW_S:
        says = f"its clock and ours are {abs(skew):.0f} s apart"
        return aside(name, says, f"set the one that is wrong: {_SET}")
    return good(name, f"answers in {took * 1000:.0f} ms, clocks agree")


def _skew(date: str) -> float | None:
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
