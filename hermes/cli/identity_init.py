"""`hermes identity init`: keys from hardware and the system, the genesis record, the vault."""

import argparse
import re

import anyio.to_thread

from hermes.cli.asking import ask
from hermes.cli.output import print_json
from hermes.cli.secrets import passphrase
from hermes.cli.world import World
from hermes.core.clock import SystemClock
from hermes.core.event import Json
from hermes.errors import HermesError, IdentityInvalid, Refused, Usage
from hermes.identity.attest import Genesis
from hermes.identity.claim import fingerprint_of
from hermes.identity.entropy import Source, gather
from hermes.identity.founding import Lock, establish, folder_of
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.npub import npub_of, read_npub
from hermes.identity.soul import soul_bytes, soul_digest
from hermes.identity.vault import Argon2Cost
from hermes.identity.vault_file import random_passphrase
from hermes.skin.places import soul_path

_COMPRESSED = re.compile(r"0[23][0-9a-f]{64}")
_RECORD = re.compile(r"bafyrei[a-z2-7]{52}")
_BLOCKS_MOST = 65_535
_BACKUP = "hermes identity backup"
_CHEAP = Argon2Cost(memory=8 * 1024, passes=1, lanes=1)  # 256 random bits need no stretching


async def init(args: argparse.Namespace, world: World) -> int:
    """Make an identity, whole or not at all; refuses where there is one."""
    settings = args.settings
    place = folder_of(settings.data_dir)
    if await anyio.to_thread.run_sync(place.exists):
        raise Refused(f"there is an identity already: {place}", "hermes identity show")
    _check_words(args)
    network = args.network or settings.chain.network
    owner = read_npub(args.owner) if args.owner else ""
    try:
        path = await anyio.to_thread.run_sync(soul_path, settings.config_dir)
        soul = await anyio.to_thread.run_sync(soul_bytes, path)
    except OSError as error:
        raise IdentityInvalid(f"SOUL.md cannot be read: {error.strerror}") from error
    lock = await new_lock(args, world)
    gathered = await gather(soul, network, args.entropy)
    keys = Keys.from_secret(gathered.secret, network)
    recovery = (args.recovery.lower(), args.recovery_after)
    now = SystemClock().now_ms()
    genesis = found(keys, soul_digest(soul), now, recovery, args.parent, owner)
    await establish(settings.data_dir, gathered.secret, genesis, lock)
    await record(args, world, genesis)
    if args.json:
        print_json(_plain(genesis, gathered.sources), world.stdout)
    else:
        _print(genesis, gathered.sources, world)
    return 0


def _check_words(args: argparse.Namespace) -> None:
    """Refuse what no genesis record can hold, in the words of the command line."""
    if bool(args.recovery) != bool(args.recovery_after):
        raise Usage("--recovery and --recovery-after go together")
    if args.recovery and not _COMPRESSED.fullmatch(args.recovery.lower()):
        raise Usage(
            "--recovery takes a compressed public key", "66 hexadecimal digits, 02 or 03 first"
        )
    if args.recovery_after > _BLOCKS_MOST:
        raise Usage(f"--recovery-after takes 1 to {_BLOCKS_MOST} blocks")
    if args.parent and not _RECORD.fullmatch(args.parent):
        raise Usage("--parent takes the predecessor's identity", "bafyrei…: hermes identity show")


async def new_lock(args: argparse.Namespace, world: World) -> Lock:
    """How the vault is to be closed, as the command line says."""
    if args.unattended:
        return Lock(random_passphrase(), unattended=True, cost=_CHEAP)
    return Lock(await passphrase(args, world, new=True))


async def record(args: argparse.Namespace, world: World, genesis: Genesis) -> None:
    """Put the genesis record into the store's log; if not now, the next owner does."""
    try:
        await ask(args, world, "identity.record", data=genesis.record.block().data.hex())
    except HermesError as error:
        world.complain(f"not in the log yet: {error.message}", "the next start records it")


def _print(genesis: Genesis, sources: tuple[Source, ...], world: World) -> None:
    rows = [
        ("identity", genesis.cid),
        ("fingerprint", fingerprint_of(genesis.cid)),
        ("network", genesis.network),
        ("nostr", npub_of(genesis.nostr)),
        ("owner", npub_of(genesis.owner)),
        ("attest", genesis.attest),
        ("coin", genesis.coin),
        ("log", genesis.log),
        ("soul", genesis.soul),
    ]
    if genesis.recovery:
        rows.append(("recovery", f"{genesis.recovery} after {genesis.recovery_after} blocks"))
    for name, value in rows:
        print(f"{name:12} {value}", file=world.stdout)
    made = [f"{one.name} ({one.size} bytes)" for one in sources if one.size]
    missing = [f"{one.name}: {one.why_not}" for one in sources if not one.size]
    print(f"{'made from':12} {', '.join(made)}", file=world.stdout)
    if missing:
        print(f"{'without':12} {'; '.join(missing)}", file=world.stdout)
    print(
        f"\nA lost disk is a lost identity: write the words down with\n  {_BACKUP}",
        file=world.stdout,
    )


def _plain(genesis: Genesis, sources: tuple[Source, ...]) -> Json:
    return {
        "identity": genesis.cid,
        "fingerprint": fingerprint_of(genesis.cid),
        "network": genesis.network,
        "npub": npub_of(genesis.nostr),
        "soul": genesis.soul,
        "roles": {name: getattr(genesis.roles, name) for name in genesis.roles.__struct_fields__},
        "recovery": genesis.recovery,
        "recovery_after": genesis.recovery_after,
        "sources": {one.name: one.size for one in sources},
    }
