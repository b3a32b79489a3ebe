"""The vault: an identity's secret under a passphrase, as values; its file is `vault_file`.

Argon2id (or scrypt) and ChaCha20-Poly1305 with the parameters as associated data. Guards the
file at rest. Does not guard a weak passphrase, nor memory while the vault is open.
"""

import hashlib
import os
import unicodedata
from typing import Annotated, Literal, cast

import msgspec
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hermes.core.canonical import Value, encode
from hermes.errors import IdentityInvalid, NotAvailable, PassphraseWrong
from hermes.identity.keys import NETWORKS, SECRET

_KEY = 32
_SALT = 16
_NONCE = 12
_LONGEST = 4096


class Argon2Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="argon2id"):
    """What opening costs; `memory` in KiB. A file may not ask for more than 1 GiB."""

    memory: Annotated[int, msgspec.Meta(ge=8 * 1024, le=1024 * 1024)] = 256 * 1024
    passes: Annotated[int, msgspec.Meta(ge=1, le=8)] = 3
    lanes: Annotated[int, msgspec.Meta(ge=1, le=8)] = 4


class ScryptCost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="scrypt"):
    """What opening costs where OpenSSL lacks Argon2id: 128 * r * 2^log_n bytes, 1 GiB at most."""

    log_n: Annotated[int, msgspec.Meta(ge=14, le=20)] = 17
    r: Annotated[int, msgspec.Meta(ge=8, le=8)] = 8
    p: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1


Cost = Argon2Cost | ScryptCost


class Vault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sealed secret; `sum` tells a damaged file from a wrong passphrase."""

    format: Literal["hermes/vault/1"]
    network: str
    cost: Cost
    salt: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    nonce: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{24}\Z")]
    sealed: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{96}\Z")]
    sum: str

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def vault_of(data: bytes) -> Vault:
    """Read a vault; raises IdentityInvalid when it is damaged or asks for too much."""
    if len(data) > _LONGEST:
        raise IdentityInvalid("the vault is too long to be one")
    try:
        vault = msgspec.json.decode(data, type=Vault)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The text of the error may quote the file: a mistaken path must not be shown.
        raise IdentityInvalid("the vault is damaged, or not a vault of this version") from error
    if vault.sum != _sum(vault) or vault.network not in NETWORKS:
        raise IdentityInvalid("the vault is damaged", "restore it from a backup or from the words")
    return vault


def seal(secret: bytes, passphrase: str, network: str, cost: Cost | None = None) -> Vault:
    """Seal a secret (blocks for about a second); raises IdentityInvalid, NotAvailable."""
    if len(secret) != SECRET or network not in NETWORKS:
        raise IdentityInvalid("a vault holds a secret of 32 bytes for a Bitcoin network")
    if not passphrase:
        raise IdentityInvalid("the passphrase is empty")
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    cost = cost or _strongest()
    empty = Vault("hermes/vault/1", network, cost, salt.hex(), nonce.hex(), "", "")
    key = _stretched(passphrase, empty)
    sealed = ChaCha20Poly1305(key).encrypt(nonce, secret, _head(empty))
    vault = msgspec.structs.replace(empty, sealed=sealed.hex())
    return msgspec.structs.replace(vault, sum=_sum(vault))


def unseal(vault: Vault, passphrase: str) -> bytes:
    """Open a vault (blocks for about a second); raises PassphraseWrong, NotAvailable."""
    key = _stretched(passphrase, vault)
    try:
        return ChaCha20Poly1305(key).decrypt(
            bytes.fromhex(vault.nonce), bytes.fromhex(vault.sealed), _head(vault)
        )
    except InvalidTag:
        raise PassphraseWrong("the passphrase does not open the vault") from None


def _strongest() -> Cost:
    try:
        Argon2id(salt=bytes(_SALT), length=_KEY, iterations=1, lanes=1, memory_cost=8)
    except UnsupportedAlgorithm:
        return ScryptCost()
    return Argon2Cost()


def _stretched(passphrase: str, vault: Vault) -> bytes:
    salt = bytes.fromhex(vault.salt)
    try:
        word = unicodedata.normalize("NFKC", passphrase).encode()
    except UnicodeEncodeError:
        # That error carries the passphrase.
        raise IdentityInvalid("the passphrase is not text") from None
    try:
        match vault.cost:
            case Argon2Cost(memory=memory, passes=passes, lanes=lanes):
                return Argon2id(
                    salt=salt, length=_KEY, iterations=passes, lanes=lanes, memory_cost=memory
                ).derive(word)
            case ScryptCost(log_n=log_n, r=r, p=p):
                return Scrypt(salt=salt, length=_KEY, n=1 << log_n, r=r, p=p).derive(word)
    except UnsupportedAlgorithm as error:
        raise NotAvailable(
            "this OpenSSL has no Argon2id, which the vault needs",
            "install cryptography from its wheel",
        ) from error
    except MemoryError as error:
        raise NotAvailable("not enough memory to open the vault", "close something") from error


def _head(vault: Vault) -> bytes:
    whole = cast("dict[str, Value]", msgspec.to_builtins(vault))
    return encode({name: whole[name] for name in whole if name not in {"sealed", "sum"}}).data


def _sum(vault: Vault) -> str:
    return hashlib.sha256(_head(vault) + bytes.fromhex(vault.sealed)).hexdigest()
