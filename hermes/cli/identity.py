"""`hermes identity`: who this instance is, its keys, its soul, its fleet.

Only the words: what a verb does is loaded when it runs, because it takes the key libraries.
"""

import argparse
from pathlib import Path
from typing import Literal

from hermes.cli.command import Commands, Run, add_command, add_json, add_verbs, count
from hermes.cli.world import World
from hermes.load import load

_Part = Literal["identity_backup", "identity_fleet", "identity_init", "identity_soul"]
_PASSPHRASE = "file whose first line is the passphrase"  # noqa: S105 - a help text
_UNATTENDED = "keep a passphrase beside the vault: the node starts without a person"
_SHOW = "hermes identity show"


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    noun = add_command(commands, "identity", "who this instance is, and its keys", _SHOW)
    verbs = add_verbs(noun)
    _add_init(verbs)
    about = "show who this is and how its signer stands"
    show = add_command(verbs, "show", about, _SHOW, _run("identity_soul", "show"))
    attest = add_command(
        verbs,
        "attest",
        "look at a changed SOUL.md and attest it",
        "hermes identity attest",
        _run("identity_soul", "attest"),
    )
    attest.add_argument("--yes", action="store_true", help="do not ask")
    unlock = add_command(
        verbs,
        "unlock",
        "give the running node's signer its passphrase",
        "hermes identity unlock",
        _run("identity_soul", "unlock"),
    )
    for one in (attest, unlock):
        one.add_argument("--passphrase-file", type=Path, metavar="FILE", help=_PASSPHRASE)
    add_command(
        verbs,
        "lock",
        "make the running node's signer forget its keys",
        "hermes identity lock",
        _run("identity_soul", "lock"),
    )
    for one in (show, attest):
        add_json(one)
    _add_backup(verbs)
    _add_members(verbs)


def _add_init(verbs: Commands) -> None:
    init = add_command(
        verbs,
        "init",
        "make this instance's keys and genesis record",
        "hermes identity init --network regtest --unattended",
        _run("identity_init", "init"),
    )
    init.add_argument(
        "--network",
        choices=("regtest", "signet", "testnet4", "main"),
        help="the coin's (default: chain.network)",
    )
    init.add_argument(
        "--recovery",
        default="",
        metavar="PUBKEY",
        help="a compressed public key that may take the coin once this identity is lost",
    )
    init.add_argument(
        "--recovery-after",
        type=count,
        default=0,
        metavar="BLOCKS",
        help="how long the coin has to lie still before (1-65535)",
    )
    init.add_argument(
        "--owner", default="", metavar="NPUB", help="the owner's key, when it is kept elsewhere"
    )
    init.add_argument(
        "--parent", default="", metavar="CID", help="the predecessor's genesis record"
    )
    init.add_argument(
        "--entropy",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="more randomness to mix in, such as throws of dice; repeatable",
    )
    init.add_argument("--unattended", action="store_true", help=_UNATTENDED)
    init.add_argument("--passphrase-file", type=Path, metavar="FILE", help=_PASSPHRASE)
    add_json(init)


def _add_backup(verbs: Commands) -> None:
    backup = add_command(
        verbs,
        "backup",
        "show the 24 words, or shares of them",
        "hermes identity backup --shares 3/5 --out shares.txt",
        _run("identity_backup", "backup"),
    )
    backup.add_argument("--out", type=Path, metavar="FILE", help="a new file that only you read")
    backup.add_argument("--shares", default="", metavar="K/N", help="N shares, K of them restore")
    backup.add_argument(
        "--ncryptsec", action="store_true", help="the Nostr key alone, encrypted (NIP-49)"
    )
    restore = add_command(
        verbs,
        "restore",
        "bring the keys back from words or shares, typed or from standard input",
        "hermes identity restore --genesis genesis.cbor",
        _run("identity_backup", "restore"),
    )
    restore.add_argument(
        "--genesis", type=Path, metavar="FILE", help="the genesis record, when it is lost here"
    )
    restore.add_argument("--unattended", action="store_true", help=_UNATTENDED)
    passwd = add_command(
        verbs,
        "passwd",
        "change the passphrase",
        "hermes identity passwd",
        _run("identity_backup", "passwd"),
    )
    passwd.add_argument("--new-passphrase-file", type=Path, metavar="FILE", help="the new one")
    for one in (backup, restore, passwd):
        one.add_argument("--passphrase-file", type=Path, metavar="FILE", help=_PASSPHRASE)


def _add_members(verbs: Commands) -> None:
    example = "hermes identity member list"
    member = add_verbs(add_command(verbs, "member", "the nodes of the owner's fleet", example))
    new = add_command(
        member,
        "add",
        "sign a node into the fleet",
        "hermes identity member add npub1... --role worker --until 2027-01-01T00:00:00Z",
        _run("identity_fleet", "add"),
    )
    new.add_argument("node", nargs="?", default="", metavar="NPUB", help="the node's Nostr key")
    new.add_argument("--role", action="append", default=[], metavar="R", help="a role; repeatable")
    new.add_argument("--since", metavar="TIME", help="RFC 3339; now, if left out")
    new.add_argument("--until", metavar="TIME", help="RFC 3339; no end, if left out")
    new.add_argument("--signed", type=Path, metavar="FILE", help="a record signed elsewhere")
    every = add_command(member, "list", "list them", example, _run("identity_fleet", "members"))
    every.add_argument("--at", metavar="TIME", help="how they stood at a moment (RFC 3339)")
    revoke = add_command(
        member,
        "revoke",
        "sign a node out of the fleet, for good",
        "hermes identity member revoke npub1... --reason lost",
        _run("identity_fleet", "revoke"),
    )
    revoke.add_argument("node", metavar="NPUB", help="the node's Nostr key")
    revoke.add_argument("--reason", default="", metavar="TEXT", help="why")
    for one in (new, revoke):
        one.add_argument("--out", type=Path, metavar="FILE", help="the record, for other nodes")
        one.add_argument("--passphrase-file", type=Path, metavar="FILE", help=_PASSPHRASE)
    for one in (new, every, revoke):
        add_json(one)


def _run(part: _Part, name: str) -> Run:
    async def run(args: argparse.Namespace, world: World) -> int:
        code: int = await getattr(load(part), name)(args, world)
        return code

    return run
