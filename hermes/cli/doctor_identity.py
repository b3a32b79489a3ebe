"""The doctor on identity and time: the files of the keys, SOUL.md, and a clock that fell behind.

Looks at files and asks an owner that runs; no key is touched. Nobody can see from here whether
the words of a backup were ever written down.
"""

import stat
from pathlib import Path

import anyio.to_thread

from hermes.cli.doctor_check import Check, aside, bad, good
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.clock import SystemClock, rfc3339
from hermes.core.event import Json
from hermes.errors import ChainError, HermesError
from hermes.load import load

_RESTORE = "hermes identity restore, with the words or shares of a backup"
_LAG_MS = 60_000
_MINERS_MS = 2 * 3_600_000  # a block's time may be so far ahead of the real one


async def look(settings: Settings, world: World) -> list[Check]:
    """Look at the identity, if there is one, and at the clock."""
    folder = settings.data_dir / "identity"
    checks = await anyio.to_thread.run_sync(_files, folder)
    if checks and checks[0].ok:
        checks = await _asked(settings, world) or checks
    return [*checks, await anyio.to_thread.run_sync(_clock, settings)]


def _files(folder: Path) -> list[Check]:
    if not (folder / "genesis.cbor").exists():
        return []
    for name, what in (("vault.json", "the keys are gone"), ("signer.json", "it signs nothing")):
        if not (folder / name).exists():
            return [aside("identity", f"{folder / name} is missing: {what}", _RESTORE)]
    for path in sorted(folder.iterdir()):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            return [aside("identity", f"{path} can be read by others", f"chmod 600 {path}")]
    if (folder / "unlocked.key").exists():
        return [good("identity", "unlocks itself, with unlocked.key")]
    return [good("identity", "locked while no node runs; it takes the passphrase")]


async def _asked(settings: Settings, world: World) -> list[Check]:
    """What an owner that runs knows; nothing where none does."""
    async with world.find_owner(settings) as door:
        if door is None:
            return []
        try:
            return [_told(await door.query("identity.show"))]
        except HermesError as error:
            return [aside("identity", error.message, error.remedy)]


def _told(found: Json) -> Check:
    if found["soul"] != found["soul_now"]:
        says = "SOUL.md is not the one that was attested: nothing is signed"
        return aside("identity", says, "hermes identity attest")
    signer = found["signer"]
    if signer["locked"]:
        says = f"locked ({signer['problem']})" if signer["problem"] else "locked: nothing is signed"
        return aside("identity", says, "hermes identity unlock")
    return good("identity", f"{found['fingerprint']}, unlocked")


def _clock(settings: Settings) -> Check:
    """A clock behind what was written here already was turned, or never set."""
    now = SystemClock().now_ms()
    known = [(path.stat().st_mtime_ns // 1_000_000, path) for path in _written(settings)]
    headers = sorted((settings.data_dir / "headers").glob("*.headers"))
    known += [(_mined(path) - _MINERS_MS, path) for path in headers]
    newest, path = max(known, default=(0, settings.data_dir))
    if now + _LAG_MS < newest:
        says = f"{rfc3339(now)}, but {path} is of {rfc3339(newest)}"
        return bad("clock", says, "set the clock (timedatectl set-ntp true)")
    return good("clock", rfc3339(now))


def _mined(path: Path) -> int:
    try:
        return int(load("header_file").newest_time(path)) * 1000
    except ChainError:
        return 0  # a finding of its own


def _written(settings: Settings) -> list[Path]:
    names = (*settings.data_dir.glob("*.db"), *settings.data_dir.glob("*.db-wal"))
    return sorted(names) + sorted((settings.data_dir / "identity").glob("checkpoint.note"))
