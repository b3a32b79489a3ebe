"""The scripts that the coin key opens: plain P2WPKH, and the coin with its recovery path.

The signer builds them itself from the genesis record: it takes nobody's word for a script.
"""

import hashlib

from hermes.identity.attest import Genesis
from hermes.identity.bip322 import script_of

_IF, _ELSE, _ENDIF, _DROP = b"\x63", b"\x67", b"\x68", b"\x75"
_CHECKSIG, _CSV = b"\xac", b"\xb2"
_SMALL = 16


def deposit_script(genesis: Genesis) -> bytes:
    """Where deposits and change lie: P2WPKH of the coin key."""
    return script_of(bytes.fromhex(genesis.coin))


def witness_script(genesis: Genesis) -> bytes:
    """The continuity coin's script: the coin key, or the recovery key after its delay.

    Empty when the genesis names no recovery key: the coin is P2WPKH then.
    """
    if not genesis.recovery:
        return b""
    coin, recovery = bytes.fromhex(genesis.coin), bytes.fromhex(genesis.recovery)
    ours = _push(coin) + _CHECKSIG
    theirs = _number(genesis.recovery_after) + _CSV + _DROP + _push(recovery) + _CHECKSIG
    return _IF + ours + _ELSE + theirs + _ENDIF


def coin_script(genesis: Genesis) -> bytes:
    """The output script of the continuity coin."""
    witness = witness_script(genesis)
    if not witness:
        return deposit_script(genesis)
    return b"\x00\x20" + hashlib.sha256(witness).digest()


def _push(data: bytes) -> bytes:
    return bytes((len(data),)) + data


def _number(value: int) -> bytes:
    if value <= _SMALL:
        return bytes((0x50 + value,))
    # One more bit than the value: the highest is its sign.
    return _push(value.to_bytes(value.bit_length() // 8 + 1, "little"))
