"""The doctor on changes of Hermes itself: which version runs, what holds trials up or is missing.

Files are looked at, an owner that runs is asked. The sandbox's own line says how it is mended.
"""

import anyio.to_thread

from hermes import __version__
from hermes.cli.doctor_check import Check, aside, good
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.event import Json
from hermes.errors import HermesError, NotAvailable
from hermes.load import load
from hermes.successor.pointer import CRASHES, Notes, Pointer

_BACK = "hermes successor rollback"
_LIFT = "hermes successor resume"


async def look(settings: Settings, world: World) -> list[Check]:
    """Look at the versions, the stops, and what a trial needs."""
    pointer = Pointer(settings.data_dir)
    checks = await anyio.to_thread.run_sync(_version, pointer)
    checks += await _stops(settings, world)
    return [*checks, await _trials(settings)]


def _version(pointer: Pointer) -> list[Check]:
    named, tag, notes = pointer.named(), pointer.current(), pointer.notes()
    if named and not tag:
        says = f"{named!r} is to run, and is not there whole: the installed code runs"
        return [aside("version", says, _BACK)]
    if not tag:
        return [good("version", f"the installed code, {__version__}")]
    return [good("version", f"{tag}, adopted here"), *_probation(pointer, tag, notes)]


def _probation(pointer: Pointer, tag: str, notes: Notes) -> list[Check]:
    if notes.tag != tag or notes.stage != "probation":
        return []
    before = notes.previous or "the installed code"
    crashes = pointer.crashes()
    says = f"{tag} is on it, {before} comes back if it fails"
    if crashes:
        says += f"; {crashes} of {CRASHES} starts in a row ended badly"
    return [aside("probation", says, _BACK, ok=not crashes)]


async def _stops(settings: Settings, world: World) -> list[Check]:
    """The flag, and where an owner runs all the stops."""
    flag = load("stops").Flag(settings.data_dir)
    if await anyio.to_thread.run_sync(flag.lies):
        why = await anyio.to_thread.run_sync(flag.why)
        return [aside("stops", f"nothing is tried or adopted: {why or flag.path}", _LIFT)]
    async with world.find_owner(settings) as door:
        if door is None:
            return [good("stops", "no flag; the other stops are known when a chat or node runs")]
        try:
            found: Json = (await door.query("successor.status"))["stops"]
        except HermesError as error:
            return [aside("stops", error.message, error.remedy)]
    if found["reason"]:
        return [aside("stops", found["reason"], found["remedy"])]
    return [good("stops", f"none; {found['begun_today']} of {found['most_a_day']} trials today")]


async def _trials(settings: Settings) -> Check:
    """Whether a candidate can be tried, and its verdict signed."""
    try:
        source = await load("source").find_source(settings.successor.source)
        (await load("sandbox_standing").examine()).require("A", "A-")
    except NotAvailable as error:
        return aside("trials", error.message, error.remedy)
    record = settings.data_dir / "identity" / "genesis.cbor"
    if not await anyio.to_thread.run_sync(record.is_file):
        says = f"possible, of {source.root}; verdicts and versions are not signed"
        return aside("trials", says, "hermes identity init", ok=True)
    return good("trials", f"possible, of {source.root}")
