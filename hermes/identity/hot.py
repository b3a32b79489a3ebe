"""The hot Nostr key, the only secret that the runtime holds, and BIP-340 over a digest.

Apart from `keys`, so that a node signs envelopes without deriving an identity. Does not guard
against code in the same process.
"""

from typing import NoReturn

from coincurve import PrivateKey, PublicKeyXOnly

_SIZE = 32
_SIGNATURE = 64


class HotKey:
    """Signs digests; `public` is the x-only key in hex, the node's id."""

    __slots__ = ("_key", "public")

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes; raises ValueError when they are no key."""
        self._key = PrivateKey(secret)
        self.public = self._key.public_key_xonly.format().hex()

    @property
    def secret(self) -> bytes:
        """The 32 bytes, for the one library that wraps with them."""
        return self._key.secret

    def sign(self, digest: bytes) -> str:
        """BIP-340 with fresh auxiliary randomness, in hex, over 32 bytes."""
        if len(digest) != _SIZE:
            raise ValueError("only a digest of 32 bytes is signed")
        return self._key.sign_schnorr(digest).hex()

    def __repr__(self) -> str:
        return f"HotKey({self.public})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are neither copied nor pickled")


def holds(public: str, signature: str, digest: bytes) -> bool:
    """Whether a signature in hex is this x-only key's over a digest; malformed text is none."""
    try:
        raw = bytes.fromhex(signature)
        key = PublicKeyXOnly(bytes.fromhex(public))
    except ValueError:
        return False
    return len(raw) == _SIGNATURE and len(digest) == _SIZE and bool(key.verify(raw, digest))
