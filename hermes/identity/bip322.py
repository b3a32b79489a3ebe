"""BIP-322 "simple" signatures for P2WPKH: a Bitcoin key signs a message, no coin moves.

Only this one script type: any other is refused, never called inconclusive.
Source: BIP-322, BIP-143.
"""

import base64
import binascii
from collections.abc import Callable

from coincurve import PublicKey
from embit.hashes import hash160, tagged_hash
from embit.script import Script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from hermes.errors import ProofInvalid

_VARIANT = "smp"
_ALL = b"\x01"
_PUBLIC = 33
_LONGEST = 73  # DER of an ECDSA signature and the hash type
_COINBASE = 0xFFFFFFFF
_WITNESS = 2  # signature and public key


def script_of(public: bytes) -> bytes:
    """The P2WPKH script of a compressed public key."""
    return b"\x00\x14" + bytes(hash160(public))


def to_sign(script: bytes, message: bytes) -> Transaction:
    """The virtual transaction that is signed, without its witness."""
    digest = tagged_hash("BIP0322-signed-message", message)
    opening = TransactionInput(
        bytes(32), _COINBASE, script_sig=Script(b"\x00\x20" + digest), sequence=0
    )
    to_spend = Transaction(0, [opening], [TransactionOutput(0, Script(script))], 0)
    spending = TransactionInput(to_spend.txid(), 0, sequence=0)
    return Transaction(0, [spending], [TransactionOutput(0, Script(b"\x6a"))], 0)


def sign(public: bytes, message: bytes, signer: Callable[[bytes], bytes]) -> str:
    """Sign as the address of `public`; `signer` makes DER over a digest of 32 bytes."""
    signature = signer(_digest(script_of(public), message)) + _ALL
    witness = bytes((_WITNESS, len(signature))) + signature + bytes((len(public),)) + public
    return _VARIANT + base64.b64encode(witness).decode()


def verify(script: bytes, message: bytes, signature: str) -> None:
    """Check a signature against a P2WPKH script; raises ProofInvalid."""
    made, public = _witness(signature)
    if script != script_of(public):
        raise ProofInvalid("BIP-322: the signature is of another address")
    try:
        # libsecp256k1 takes strict DER and low S only.
        holds = PublicKey(public).verify(made, _digest(script, message), hasher=None)
    except ValueError as error:
        raise ProofInvalid("BIP-322: not a signature in DER of a key on the curve") from error
    if not holds:
        raise ProofInvalid("BIP-322: the signature does not hold")


def _digest(script: bytes, message: bytes) -> bytes:
    code = Script(b"\x76\xa9" + script[1:] + b"\x88\xac")
    return bytes(to_sign(script, message).sighash_segwit(0, code, 0))


def _witness(signature: str) -> tuple[bytes, bytes]:
    # Signatures from before the variants were named have no prefix.
    text = signature.removeprefix(_VARIANT)
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofInvalid("BIP-322: not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise ProofInvalid("BIP-322: not base64 in its one form")
    size = raw[1] if len(raw) > 1 else 0
    end = 2 + size
    shaped = raw[:1] == bytes((_WITNESS,)) and 1 < size <= _LONGEST
    if not shaped or raw[end : end + 1] != bytes((_PUBLIC,)) or len(raw) != end + 1 + _PUBLIC:
        raise ProofInvalid("BIP-322: not the witness of a P2WPKH spend")
    if raw[end - 1 : end] != _ALL:
        raise ProofInvalid("BIP-322: the signature must cover everything (SIGHASH_ALL)")
    return raw[2 : end - 1], raw[end + 1 :]
