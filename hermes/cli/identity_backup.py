"""`hermes identity backup|restore|passwd`: the secret out of the vault, and into one again."""

import argparse
from pathlib import Path

import anyio.to_thread

from hermes.cli.asking import ask
from hermes.cli.identity_init import new_lock, record
from hermes.cli.piped import piped
from hermes.cli.secrets import passphrase, typed, unseen
from hermes.cli.world import World
from hermes.errors import IdentityMissing, Refused, Usage
from hermes.identity.attest import Genesis
from hermes.identity.founding import folder_of, reestablish
from hermes.identity.genesis import genesis_of, load_genesis
from hermes.identity.keys import Keys
from hermes.identity.nip49 import export_key
from hermes.identity.shares import join, split
from hermes.identity.vault_file import VaultFile, load_key_file
from hermes.identity.words import secret_of, split_words, words_of
from hermes.node.new_file import check_free, write_new

_WORDS = 24
_LONGEST = 16_384
_ROW = 6


async def backup(args: argparse.Namespace, world: World) -> int:
    """Show or write the words, shares, or the encrypted Nostr key."""
    if args.shares and args.ncryptsec:
        raise Usage("--shares and --ncryptsec are two different backups")
    plain = not args.ncryptsec
    if plain and not args.out and not world.stdout.isatty():
        raise Refused("the words go to a terminal only", "or into a file: --out FILE")
    if args.out:
        await anyio.to_thread.run_sync(check_free, world.cwd / args.out)
    folder = folder_of(args.settings.data_dir)
    secret, network = await VaultFile(folder).open(await _known(args, world, folder))
    if args.ncryptsec:
        word = await passphrase(args, world, new=True)
        text = await export_key(Keys.from_secret(secret, network).nostr_secret(), word) + "\n"
    elif args.shares:
        need, total = _portions(args.shares)
        text = "".join(f"{one}\n" for one in split(secret, need, total))
    else:
        text = _rows(words_of(secret))
    if args.out:
        await anyio.to_thread.run_sync(write_new, world.cwd / args.out, text.encode())
        print(f"written: {args.out}", file=world.stdout)
    else:
        print(text, end="", file=world.stdout)
    if plain:
        _advise(world, folder)
    return 0


async def restore(args: argparse.Namespace, world: World) -> int:
    """Bring an identity back; it is the one of the genesis record, or nothing is written."""
    if not world.stdin.isatty() and not (args.unattended or args.passphrase_file):
        raise Usage("the words come through standard input", "give --passphrase-file FILE too")
    genesis = await _genesis(args, world)
    secret = _secret(await _written(world))
    keys = Keys.from_secret(secret, genesis.network)
    lock = await new_lock(args, world)
    place = await reestablish(args.settings.data_dir, secret, genesis, lock)
    await record(args, world, genesis)
    print(f"restored: {genesis.cid} ({keys.name}) in {place}", file=world.stdout)
    return 0


async def passwd(args: argparse.Namespace, world: World) -> int:
    """Change the passphrase; an unattended node asks for it from then on."""
    folder = folder_of(args.settings.data_dir)
    if not world.stdin.isatty() and not args.new_passphrase_file:
        raise Usage("the new passphrase is missing", "give --new-passphrase-file FILE")
    old = await _known(args, world, folder)
    vault = VaultFile(folder)
    await vault.open(old)
    new = await passphrase(args, world, new=True, flag="new_passphrase_file")
    await vault.change(old, new)
    await anyio.to_thread.run_sync(lambda: (folder / "unlocked.key").unlink(missing_ok=True))
    print("the passphrase is changed; shares and words stay as they are", file=world.stdout)
    return 0


async def _known(args: argparse.Namespace, world: World, folder: Path) -> str:
    """The vault's passphrase: an unattended node's lies in its key file."""
    if not await anyio.to_thread.run_sync((folder / "vault.json").exists):
        raise IdentityMissing("there is no identity yet", "run: hermes identity init")
    if await anyio.to_thread.run_sync((folder / "unlocked.key").exists):
        return await anyio.to_thread.run_sync(load_key_file, folder)
    return await passphrase(args, world)


async def _genesis(args: argparse.Namespace, world: World) -> Genesis:
    """The record to compare with: from the file, the folder, or this store's log."""
    folder = folder_of(args.settings.data_dir)
    if args.genesis:
        return await anyio.to_thread.run_sync(lambda: genesis_of(_read(args.genesis)))
    if await anyio.to_thread.run_sync((folder / "genesis.cbor").exists):
        return await anyio.to_thread.run_sync(load_genesis, folder)
    block = await ask(args, world, "identity.genesis")
    if not block:
        raise IdentityMissing(
            "the genesis record is not here", "bring it from a backup or a peer: --genesis FILE"
        )
    return genesis_of(bytes.fromhex(block))


async def _written(world: World) -> str:
    if not world.stdin.isatty():
        return await piped(world, _LONGEST)
    print("24 words, or shares one a line; an empty line ends them", file=world.stderr)
    lines: list[str] = []
    with unseen(world):  # all the time: several lines may be pasted at once
        while line := await typed(world, "> ", hidden=True):
            lines.append(line)
            if len(split_words(" ".join(lines))) == _WORDS:
                break
    return "\n".join(lines)


def _secret(text: str) -> bytes:
    if len(split_words(text)) <= _WORDS:
        return secret_of(text)
    return join([line for line in text.splitlines() if line.strip()])


def _portions(text: str) -> tuple[int, int]:
    need, slash, total = text.partition("/")
    if not slash or not need.isdecimal() or not total.isdecimal():
        raise Usage("--shares takes K/N, such as 3/5")
    return int(need), int(total)


def _rows(words: tuple[str, ...]) -> str:
    rows = [words[at : at + _ROW] for at in range(0, len(words), _ROW)]
    return "".join(" ".join(row) + "\n" for row in rows)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST)
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}") from error


def _advise(world: World, folder: Path) -> None:
    print(
        f"whoever reads this has the identity; keep {folder / 'genesis.cbor'} beside it (public)",
        file=world.stderr,
    )
