"""The keys of an identity, all derived from one 32-byte secret; they sign and are never shown.

Hardened BIP-32 children, so that one leaked key tells nothing of the others. Does not guard
against code in the same process: that is why the signer has a process of its own.
Source: BIP-32, BIP-39, BIP-84, BIP-340, RFC 8032.
"""

import hmac
from collections.abc import Mapping
from typing import Literal, NoReturn

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from embit.bip32 import HDKey
from embit.bip39 import mnemonic_from_bytes, mnemonic_to_seed

from hermes.core.checkpoint import NoteSignature
from hermes.errors import IdentityInvalid
from hermes.identity.cosignature import cosign
from hermes.identity.note import log_name, sign
from hermes.identity.roles import Roles

Role = Literal["owner", "nostr", "attest"]
"""Whose BIP-340 signature is asked for."""

NETWORKS = ("regtest", "signet", "testnet4", "main")
SECRET = 32
_DIGEST = 32
_PATHS: Mapping[Role, str] = {
    "owner": "m/44h/1237h/1h/0h/0h",
    "nostr": "m/44h/1237h/0h/0h/0h",
    "attest": "m/1237h/0h/0h",
}


class Keys:
    """What the secret opens; its only secret that ever leaves is the hot Nostr key."""

    __slots__ = ("_coin", "_log", "_mac", "_signers", "network", "roles")

    def __init__(self, secret: bytes, network: str) -> None:
        if len(secret) != SECRET or not any(secret):
            raise IdentityInvalid("an identity's secret is 32 bytes, not all zero")
        if network not in NETWORKS:
            raise IdentityInvalid("no Bitcoin network of that name")
        self.network = network
        root = HDKey.from_seed(mnemonic_to_seed(mnemonic_from_bytes(secret)))
        coin_type = 0 if network == "main" else 1
        self._signers = {role: _child(root, path) for role, path in _PATHS.items()}
        self._coin = _child(root, f"m/84h/{coin_type}h/0h/0h/0h")
        self._log = Ed25519PrivateKey.from_private_bytes(_derived(secret, b"hermes/log/v1"))
        self._mac = _derived(secret, b"hermes/mac/v1")
        self.roles = Roles(
            **{role: key.public_key_xonly.format().hex() for role, key in self._signers.items()},
            coin=self._coin.public_key.format().hex(),
            log=self._log.public_key().public_bytes_raw().hex(),
        )

    @classmethod
    def from_secret(cls, secret: bytes, network: str) -> "Keys":
        """Derive all roles (some ms); raises IdentityInvalid."""
        return cls(secret, network)

    @property
    def name(self) -> str:
        """The log's origin, and the name of its key."""
        return log_name(self.roles.nostr)

    def sign_schnorr(self, role: Role, digest: bytes) -> bytes:
        """BIP-340 with fresh auxiliary randomness: 64 bytes over a digest of 32."""
        _sized(digest)
        return self._signers[role].sign_schnorr(digest)

    def sign_ecdsa(self, digest: bytes) -> bytes:
        """The coin key's signature: DER, low S, deterministic (RFC 6979)."""
        _sized(digest)
        return self._coin.sign(digest, hasher=None)

    def sign_note(self, text: str) -> NoteSignature:
        """The log key's line under a note's text."""
        return sign(text, self.name, self._log)

    def cosign_note(self, text: str, at_s: int) -> NoteSignature:
        """The log key's line under another log's text, as its witness."""
        return cosign(text, at_s, self.name, self._log)

    def mac(self, data: bytes) -> bytes:
        """HMAC-SHA-512 of what only this identity's holder may have written."""
        return hmac.digest(self._mac, data, "sha512")

    def nostr_secret(self) -> bytes:
        """The hot key, the only one the runtime is given."""
        return self._signers["nostr"].secret

    def __repr__(self) -> str:
        return "Keys(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are neither copied nor pickled")


def _child(root: HDKey, path: str) -> PrivateKey:
    # coincurve refuses 0 and everything from the group's order on.
    return PrivateKey(root.derive(path).key.secret)


def _derived(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA512(), length=SECRET, salt=None, info=info).derive(secret)


def _sized(digest: bytes) -> None:
    if len(digest) != _DIGEST:
        raise ValueError("only a digest of 32 bytes is signed")
