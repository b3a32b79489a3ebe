"""A signed statement of a key: genesis, soul, member, handoff, verdict are all of this form.

Values only: who signs and checks is `hermes.identity`.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from hermes.core.canonical import Block, Value, decode, encode

_TAG = hashlib.sha256(b"hermes/attestation").digest()
_OWN = ("t", "by", "sig")


class Attestation(msgspec.Struct, frozen=True):
    """What a key says.

    `kind` is the block's `t`, e.g. `hermes/soul/1`; `by` an x-only public key in hex;
    `signature` BIP-340 in hex, empty while unsigned.
    """

    kind: str
    by: str
    fields: Mapping[str, Value]
    signature: str = ""

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed: a BIP-340 tagged hash of the unsigned canonical bytes."""
        unsigned = encode({**self.fields, "t": self.kind, "by": self.by}).data
        return hashlib.sha256(_TAG + _TAG + unsigned).digest()

    def block(self) -> Block:
        """The canonical block, signature included."""
        own: dict[str, Value] = {"t": self.kind, "by": self.by, "sig": self.signature}
        return encode({**self.fields, **own})

    def signed(self, signature: bytes) -> "Attestation":
        """The same with a signature (64 bytes)."""
        return msgspec.structs.replace(self, signature=signature.hex())


def attestation_of(data: bytes) -> Attestation:
    """Read a block back; raises ValueError when it is no attestation in canonical form."""
    value = decode(data)
    if not isinstance(value, dict):
        raise ValueError("not an attestation")  # noqa: TRY004 - bad bytes, not a bad type
    match value:
        case {"t": str(kind), "by": str(by), "sig": str(signature)}:
            fields = {key: item for key, item in value.items() if key not in _OWN}
            found = Attestation(kind, by, fields, signature)
        case _:
            raise ValueError("not an attestation")
    if found.block().data != data:
        raise ValueError("not in canonical form")
    return found
