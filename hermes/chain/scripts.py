"""The output scripts of ours: P2WPKH, the continuity coin with its dead-man path, OP_RETURN.

Made here apart from `hermes.identity.coin`: the signer takes nobody's word for a script, and a
test compares the two.
"""

import hashlib

import msgspec
from bitcoin.core.script import (
    OP_CHECKSEQUENCEVERIFY,
    OP_CHECKSIG,
    OP_DROP,
    OP_ELSE,
    OP_ENDIF,
    OP_IF,
    OP_RETURN,
    CScript,
)

from hermes.core.anchor import MAGIC, Payload, payload_of
from hermes.identity.attest import Genesis

_PUBLIC = 33
_LONGEST_DELAY = 0xFFFF  # BIP 68: blocks in 16 bits
_PUSH = 75


class CoinScripts(msgspec.Struct, frozen=True):
    """What an identity's coin key opens.

    `deposit` is where people pay to; `coin` holds the continuity coin; `witness` is the script
    behind `coin`, empty when that is plain P2WPKH.
    """

    public: bytes
    deposit: bytes
    coin: bytes
    witness: bytes = b""


def p2wpkh(public: bytes) -> bytes:
    """The script of a compressed public key (33 bytes); raises ValueError."""
    if len(public) != _PUBLIC or public[0] not in {2, 3}:
        raise ValueError("a coin's key is a compressed public key of 33 bytes")
    digest = hashlib.new("ripemd160", hashlib.sha256(public).digest()).digest()
    return b"\x00\x14" + digest


def witness_script(coin: bytes, recovery: bytes, after: int) -> bytes:
    """`IF <coin> CHECKSIG ELSE <after> CSV DROP <recovery> CHECKSIG ENDIF`; raises ValueError."""
    if not 1 <= after <= _LONGEST_DELAY:
        raise ValueError("a recovery path opens after 1 to 65535 blocks")
    if p2wpkh(coin) == p2wpkh(recovery):
        raise ValueError("the recovery key is the coin's own")
    ours = [OP_IF, coin, OP_CHECKSIG, OP_ELSE]
    theirs = [after, OP_CHECKSEQUENCEVERIFY, OP_DROP, recovery, OP_CHECKSIG, OP_ENDIF]
    return bytes(CScript([*ours, *theirs]))


def p2wsh(script: bytes) -> bytes:
    """The output script that a witness script is behind."""
    return b"\x00\x20" + hashlib.sha256(script).digest()


def coin_script(coin: bytes, recovery: bytes = b"", after: int = 0) -> bytes:
    """The continuity coin's output script: P2WPKH, with a recovery key P2WSH."""
    return p2wsh(witness_script(coin, recovery, after)) if recovery else p2wpkh(coin)


def scripts_of(genesis: Genesis) -> CoinScripts:
    """The scripts of an identity."""
    coin, recovery = bytes.fromhex(genesis.coin), bytes.fromhex(genesis.recovery)
    witness = witness_script(coin, recovery, genesis.recovery_after) if recovery else b""
    return CoinScripts(
        coin, p2wpkh(coin), coin_script(coin, recovery, genesis.recovery_after), witness
    )


def payload_script(payload: Payload) -> bytes:
    """OP_RETURN with the payload in one push."""
    return bytes(CScript([OP_RETURN, payload.encode()]))


def payload_in(script: bytes) -> Payload | None:
    """What an output commits to; None when it is no payload of ours, in exactly that form."""
    raw = script[2:]
    if len(raw) > _PUSH or script[:2] != bytes((OP_RETURN, len(raw))) or raw[:4] != MAGIC:
        return None
    try:
        return payload_of(raw)
    except ValueError:
        return None
