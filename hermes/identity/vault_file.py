"""The vault's file, and the key file of a node that must start without anybody.

Whoever can read both files has the secret: the key file is for machines whose disk is trusted.
"""

import secrets
from pathlib import Path

from anyio import to_thread

from hermes.errors import IdentityInvalid, IdentityMissing
from hermes.identity.vault import Cost, seal, unseal, vault_of
from hermes.identity.whole import read_whole, write_whole

_VAULT = "vault.json"
_KEY = "unlocked.key"
_LONGEST = 4097


class VaultFile:
    """`vault.json` in an identity's folder; what takes long runs in a thread."""

    def __init__(self, folder: Path, cost: Cost | None = None) -> None:
        self._path = folder / _VAULT
        self._cost = cost

    async def create(self, secret: bytes, passphrase: str, network: str) -> None:
        """Seal a secret into a new file; raises Refused where there is one already."""
        await to_thread.run_sync(self._create, secret, passphrase, network)

    async def open(self, passphrase: str) -> tuple[bytes, str]:
        """The secret and its network.

        Raises IdentityMissing, IdentityInvalid (damaged), PassphraseWrong.
        """
        return await to_thread.run_sync(self._open, passphrase)

    async def change(self, old: str, new: str) -> None:
        """Seal the secret under another passphrase; a crash leaves the old file or the new."""
        await to_thread.run_sync(self._change, old, new)

    def _create(self, secret: bytes, passphrase: str, network: str) -> None:
        vault = seal(secret, passphrase, network, self._cost)
        write_whole(self._path, vault.data, replace=False)

    def _open(self, passphrase: str) -> tuple[bytes, str]:
        vault = vault_of(_read(self._path, "there is no identity yet"))
        return unseal(vault, passphrase), vault.network

    def _change(self, old: str, new: str) -> None:
        secret, network = self._open(old)
        write_whole(self._path, seal(secret, new, network, self._cost).data)


def random_passphrase() -> str:
    """A passphrase for a vault that nobody types: 256 bits."""
    return secrets.token_urlsafe(32)


def save_key_file(folder: Path, passphrase: str) -> None:
    """Keep the passphrase for unattended starts, 0600; blocks on the disk."""
    write_whole(folder / _KEY, passphrase.encode() + b"\n", replace=False)


def load_key_file(folder: Path) -> str:
    """The kept passphrase; raises IdentityMissing, or IdentityInvalid when others may read it."""
    data = _read(folder / _KEY, "there is no key file", private=True)
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise IdentityInvalid("the key file is damaged") from None


def _read(path: Path, missing: str, *, private: bool = False) -> bytes:
    try:
        return read_whole(path, _LONGEST, private=private)
    except FileNotFoundError as error:
        raise IdentityMissing(missing, "run: hermes identity init") from error
    except OSError as error:
        raise IdentityInvalid(f"{path.name} cannot be read: {error.strerror}") from error
