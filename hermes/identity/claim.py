"""What the node says of a transaction when it asks the signer to sign it.

Apart, so that chain and node can build one without loading a key library.
"""

from typing import Annotated, Literal

import msgspec

_Hex = Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{2})*\Z", max_length=16_384)]


class SpendClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a spend is for; the signer checks every word of it against the transaction.

    `anchor` moves the own coin on; `handoff` gives it to a successor (both sign; each says it
    from its own side); `recover` takes a dead predecessor's coin (the recovery key, which is
    nobody's here, signs the coin's input; this signer signs its own deposits only).
    """

    kind: Literal["anchor", "handoff", "recover"]
    payload: _Hex
    """The anchor's payload, `HRM2…`, in hex."""
    coin: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}:(0|[1-9][0-9]{0,9})\Z")]
    """What input 0 spends: `txid:vout`, the txid as it is shown."""
    checkpoint: Annotated[str, msgspec.Meta(max_length=16_384)] = ""
    """The checkpoint's text, or the whole signed note (older than the last 256: the note)."""
    fingerprint: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Typed by a person, on the main network only: see `fingerprint_of`."""
    handoff: _Hex = ""
    """The block of the `hermes/handoff/1` record."""
    predecessor: _Hex = ""
    """The block of the predecessor's genesis record, when this signer is the successor."""
    successor: _Hex = ""
    """The block of the successor's genesis record, when this signer is the predecessor."""


def fingerprint_of(genesis: str) -> str:
    """What a person types to spend on the main network: the end of the genesis record's CID."""
    return genesis[-8:]
