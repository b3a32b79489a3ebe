"""Puts an identity's files in place: all of them or none, whatever happens in between.

A new identity is made in a folder beside its place and renamed. Restoring into a folder that
has its genesis record replaces the vault, the key file and a lost signer's memory only.
"""

import shutil
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.errors import HermesError, IdentityError, Refused
from hermes.identity.attest import Genesis
from hermes.identity.genesis import check_keys, save_genesis
from hermes.identity.keys import Keys
from hermes.identity.signer_memory import first_memory, last_noted, load_memory, save_memory
from hermes.identity.vault import Cost
from hermes.identity.vault_file import VaultFile, save_key_file
from hermes.identity.whole import settle

_DRAFT = ".identity-new"
_MADE = ("vault.json", "unlocked.key", "signer.json")


class Lock(msgspec.Struct, frozen=True):
    """How the vault is closed; `unattended` keeps the passphrase in `unlocked.key`."""

    passphrase: str
    unattended: bool = False
    cost: Cost | None = None


def folder_of(data_dir: Path) -> Path:
    """Where the identity of a store lies."""
    return data_dir / "identity"


async def establish(data_dir: Path, secret: bytes, genesis: Genesis, lock: Lock) -> Path:
    """Make a new identity's folder; raises Refused where there is one, IdentityError."""
    place = folder_of(data_dir)
    if await anyio.to_thread.run_sync(place.exists):
        raise Refused(f"there is an identity already: {place}", "hermes identity show")
    draft = await _draft(data_dir, secret, genesis, lock)
    await anyio.to_thread.run_sync(_rename, draft, place)
    return place


async def reestablish(data_dir: Path, secret: bytes, genesis: Genesis, lock: Lock) -> Path:
    """Restore an identity: a whole new folder, or what is missing in the one that is there.

    Raises IdentityInvalid when the secret is of another identity than the record.
    """
    keys = Keys.from_secret(secret, genesis.network)
    check_keys(keys, genesis)
    place = folder_of(data_dir)
    if not await anyio.to_thread.run_sync(place.exists):
        return await establish(data_dir, secret, genesis, lock)
    draft = await _draft(data_dir, secret, genesis, lock)
    await anyio.to_thread.run_sync(_refit, draft, place, keys, genesis)
    return place


async def _draft(data_dir: Path, secret: bytes, genesis: Genesis, lock: Lock) -> Path:
    draft = data_dir / _DRAFT
    await anyio.to_thread.run_sync(_fresh, draft)
    await VaultFile(draft, lock.cost).create(secret, lock.passphrase, genesis.network)
    await anyio.to_thread.run_sync(_fill, draft, secret, genesis, lock)
    return draft


def _fresh(draft: Path) -> None:
    """An empty folder; a killed attempt may have left its own."""
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
    except OSError as error:
        raise IdentityError(f"{draft} cannot be made: {error.strerror}") from error


def _fill(draft: Path, secret: bytes, genesis: Genesis, lock: Lock) -> None:
    if lock.unattended:
        save_key_file(draft, lock.passphrase)
    save_memory(draft, Keys.from_secret(secret, genesis.network), first_memory(genesis))
    save_genesis(draft, genesis)


def _rename(draft: Path, place: Path) -> None:
    try:
        draft.rename(place)
        settle(place.parent)
    except OSError as error:
        raise IdentityError(f"{place} cannot be made: {error.strerror}") from error


def _refit(draft: Path, place: Path, keys: Keys, genesis: Genesis) -> None:
    try:
        load_memory(place, keys, genesis)
        (draft / "signer.json").unlink()
    except HermesError:  # lost or damaged: begin with the newest checkpoint that was signed
        save_memory(draft, keys, first_memory(genesis, last_noted(place, genesis)))
    try:
        for name in _MADE:
            if (draft / name).exists():
                (draft / name).replace(place / name)
            elif name == "unlocked.key":
                (place / name).unlink(missing_ok=True)
        settle(place)
        shutil.rmtree(draft)
    except OSError as error:
        raise IdentityError(f"{place} cannot be written: {error.strerror}") from error
    if not (place / "genesis.cbor").exists():
        save_genesis(place, genesis)
