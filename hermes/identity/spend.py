"""A PSBT read into what the policy judges; hostile input, bounded before it is parsed.

What is judged here is what is signed: digests are made from these very values. Every input
brings its whole previous transaction, because a witness amount alone can lie about the fee.
Source: BIP-174, BIP-143.
"""

import binascii
import hashlib
import io
from base64 import b64decode

import msgspec
from embit.ec import PublicKey
from embit.psbt import PSBT, InputScope, read_string
from embit.script import Script

from hermes.errors import Refused

BYTES_MOST = 256 * 1024
INPUTS_MOST = 16
_MAGIC = b"psbt\xff"
_UNSIGNED = b"\x00"
_ALL = 1
_KNOWN_SIGHASHES = (None, _ALL)
_SIGNATURE = 72
_WPKH_WITNESS = 2 + _SIGNATURE + 1 + 33
_WSH_WITNESS = 4 + _SIGNATURE + 1
_WEIGHT = 4


class Input(msgspec.Struct, frozen=True):
    """What an input spends (`txid:vout`), verified against the transaction that made it."""

    coin: str
    value: int
    script: bytes
    sequence: int


class Output(msgspec.Struct, frozen=True):
    """What an output pays."""

    value: int
    script: bytes


class Spend:
    """A transaction to sign; made by `read_spend`."""

    def __init__(self, psbt: PSBT) -> None:
        self._psbt = psbt
        self.version: int = psbt.tx_version
        self.locktime: int = psbt.locktime
        self.inputs = tuple(_input(index, scope) for index, scope in enumerate(psbt.inputs))
        self.outputs = tuple(Output(o.value, bytes(o.script_pubkey.data)) for o in psbt.tx.vout)

    @property
    def fee(self) -> int:
        """What the transaction leaves to the miner, in satoshi."""
        return sum(one.value for one in self.inputs) - sum(one.value for one in self.outputs)

    def vsize(self, witness_script: bytes) -> int:
        """Virtual bytes once it is signed, at most one too many for each input."""
        witness = 2
        for one in self.inputs:
            by_key = one.script[1:2] == b"\x14"
            witness += _WPKH_WITNESS if by_key else _WSH_WITNESS + len(witness_script)
        return len(self._psbt.tx.serialize()) + -(-witness // _WEIGHT)

    def digest(self, index: int, code: bytes) -> bytes:
        """What is signed for an input (SIGHASH_ALL); `code` as BIP-143 defines it."""
        value = self.inputs[index].value
        return bytes(self._psbt.tx.sighash_segwit(index, Script(code), value, sighash=_ALL))

    def refuse_other_script(self, index: int, witness_script: bytes) -> None:
        """Refuse an input that brings another witness script than ours."""
        brought = self._psbt.inputs[index].witness_script
        if brought is not None and brought.data != witness_script:
            raise Refused(f"input {index} brings another witness script than the coin's")

    def put(self, index: int, public: bytes, signature: bytes, witness_script: bytes) -> None:
        """Put a DER signature over `digest` into the PSBT."""
        scope = self._psbt.inputs[index]
        if witness_script:
            scope.witness_script = Script(witness_script)
        scope.partial_sigs[PublicKey.parse(public)] = signature + bytes((_ALL,))

    def signatures(self, index: int) -> dict[bytes, bytes]:
        """The signatures that an input carries, with their sighash byte, by public key."""
        found = self._psbt.inputs[index].partial_sigs
        return {bytes(key.sec()): bytes(made) for key, made in found.items()}

    def previous(self, index: int) -> bytes:
        """The transaction that an input spends from."""
        return bytes(self._psbt.inputs[index].non_witness_utxo.serialize())

    def unsigned(self) -> bytes:
        """The transaction without its witness."""
        return bytes(self._psbt.tx.serialize())

    def to_base64(self) -> str:
        """The PSBT with what was put into it."""
        text: str = self._psbt.to_base64()
        return text


def read_spend(text: str) -> Spend:
    """Read a PSBT in base64; raises Refused with the reason."""
    if len(text) > BYTES_MOST * 4 // 3:
        raise Refused(f"a PSBT of more than {BYTES_MOST // 1024} kB")
    try:
        raw = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("the PSBT is not base64") from error
    try:
        _check_globals(raw)
        psbt = PSBT.parse(raw)
    except Refused:
        raise
    except Exception as error:
        raise Refused("the PSBT is truncated or malformed") from error
    if psbt.version is not None or psbt.tx_version is None:
        raise Refused("only PSBT version 0 is signed")
    if not 0 < len(psbt.inputs) <= INPUTS_MOST:
        raise Refused(f"{len(psbt.inputs)} inputs: between 1 and {INPUTS_MOST} are signed")
    return Spend(psbt)


def _check_globals(raw: bytes) -> None:
    """Only the unsigned transaction: a count in another field could ask embit for all memory."""
    if not raw.startswith(_MAGIC):
        raise Refused("not a PSBT")
    stream = io.BytesIO(raw[len(_MAGIC) :])
    keys = []
    while key := read_string(stream):
        read_string(stream)
        keys.append(key)
    if keys != [_UNSIGNED]:
        raise Refused("the PSBT holds global fields beside its transaction")


def _input(index: int, scope: InputScope) -> Input:
    if scope.sighash_type not in _KNOWN_SIGHASHES:
        raise Refused(f"input {index} asks for sighash {scope.sighash_type}; only ALL is signed")
    previous = scope.non_witness_utxo
    if previous is None:
        raise Refused(f"input {index} lacks its previous transaction: its amount is unproven")
    if previous.txid() != scope.txid or scope.vout >= len(previous.vout):
        raise Refused(f"input {index} brings another transaction than the one it spends")
    spent = previous.vout[scope.vout]
    shown = scope.witness_utxo
    if shown is not None and shown.serialize() != spent.serialize():
        raise Refused(f"the amount or script shown for input {index} is not the real one")
    if scope.redeem_script is not None:
        raise Refused(f"input {index} is nested in P2SH")
    coin = f"{scope.txid.hex()}:{scope.vout}"
    return Input(coin, spent.value, bytes(spent.script_pubkey.data), scope.sequence)


def code_of(script: bytes) -> bytes:
    """The BIP-143 script code of a P2WPKH script."""
    return b"\x76\xa9" + script[1:] + b"\x88\xac"


def payload_script(payload: bytes) -> bytes:
    """OP_RETURN with exactly this payload (at most 75 bytes)."""
    return b"\x6a" + bytes((len(payload),)) + payload


def digest_of(text: str) -> str:
    """SHA-256 of a checkpoint's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
