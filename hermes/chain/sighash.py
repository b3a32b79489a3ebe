"""What a signature of segwit version 0 covers (BIP 143), and whether our two scripts hold.

The path without Bitcoin Core's engine. It knows P2WPKH and the coin's dead-man script, with
SIGHASH_ALL; everything else is refused, never called good.
"""

from collections.abc import Sequence
from functools import lru_cache

from bitcoin.core.script import CScript
from coincurve import PublicKey

from hermes.chain.scripts import p2wpkh, p2wsh, witness_script
from hermes.chain.transaction import Output, Transaction
from hermes.chain.work import sha256d
from hermes.errors import ProofInvalid

ALL = 1
_KEYHASH = 22
_PUBLIC = 33
_CHOICE = b"\x01"
_NO_RELATIVE = 1 << 31
_BY_TIME = 1 << 22
_BLOCKS = 0xFFFF
_RELATIVE_VERSION = 2
_TWO, _THREE = 2, 3
_DER = range(8, 73)


def keyhash_code(script: bytes) -> bytes:
    """The script code of a P2WPKH output: P2PKH of the same hash."""
    return b"\x76\xa9\x14" + script[2:] + b"\x88\xac"


def digest_of(transaction: Transaction, index: int, code: bytes, value: int) -> bytes:
    """BIP 143's digest for SIGHASH_ALL; `code` is the script code without its length."""
    one = transaction.inputs[index]
    points = b"".join(
        _point(spend.outpoint.txid, spend.outpoint.index) for spend in transaction.inputs
    )
    sequences = b"".join(spend.sequence.to_bytes(4, "little") for spend in transaction.inputs)
    return sha256d(
        b"".join(
            (
                transaction.version.to_bytes(4, "little", signed=True),
                sha256d(points),
                sha256d(sequences),
                _point(one.outpoint.txid, one.outpoint.index),
                _sized(code),
                value.to_bytes(8, "little"),
                one.sequence.to_bytes(4, "little"),
                sha256d(b"".join(map(_output, transaction.outputs))),
                transaction.lock_time.to_bytes(4, "little"),
                ALL.to_bytes(4, "little"),
            )
        )
    )


def check_ours(transaction: Transaction, spent: Sequence[Output]) -> None:
    """Check every input's signature against what it spends; raises ProofInvalid."""
    if len(spent) != len(transaction.inputs):
        raise ProofInvalid("not every spent output is known")
    for index, output in enumerate(spent):
        check_input(transaction, index, output)


def check_input(transaction: Transaction, index: int, output: Output) -> None:
    """Check one input's signature against what it spends; raises ProofInvalid."""
    if transaction.inputs[index].script:
        raise ProofInvalid(f"input {index} is not of segwit's kind")
    if len(output.script) == _KEYHASH and output.script[:2] == b"\x00\x14":
        _check_keyhash(transaction, index, output)
    else:
        _check_coin(transaction, index, output)


def _check_keyhash(transaction: Transaction, index: int, output: Output) -> None:
    witness = transaction.inputs[index].witness
    if len(witness) != _TWO or len(witness[1]) != _PUBLIC or _hashed(witness[1]) != output.script:
        raise ProofInvalid(f"input {index} shows another key than its coin asks for")
    digest = digest_of(transaction, index, keyhash_code(output.script), output.value)
    _check_signature(index, witness[0], witness[1], digest)


def _check_coin(transaction: Transaction, index: int, output: Output) -> None:
    witness = transaction.inputs[index].witness
    if len(witness) != _THREE or p2wsh(witness[2]) != output.script:
        raise ProofInvalid(f"input {index} spends a script that is not ours")
    signature, choice, script = witness
    coin, after, recovery = _parts(index, script)
    if choice not in {_CHOICE, b""}:
        raise ProofInvalid(f"input {index} takes no path of its script")
    if not choice:
        _check_age(transaction, index, after)
    digest = digest_of(transaction, index, script, output.value)
    _check_signature(index, signature, coin if choice else recovery, digest)


def _parts(index: int, script: bytes) -> tuple[bytes, int, bytes]:
    """Coin key, delay and recovery key of a dead-man script."""
    if (found := _dead_man(script)) is None:
        raise ProofInvalid(f"input {index} spends a script that is not ours")
    return found


@lru_cache(64)  # a lineage's links share a script each with many others: a third of their time
def _dead_man(script: bytes) -> tuple[bytes, int, bytes] | None:
    try:
        match list(CScript(script)):
            case [_, bytes(coin), _, _, delay, _, _, bytes(recovery), _, _]:
                # A small number is an opcode to the library, a larger one a push.
                after = int(delay) if isinstance(delay, int) else int.from_bytes(delay, "little")
                if witness_script(coin, recovery, after) == script:
                    return coin, after, recovery
    except Exception:  # noqa: BLE001 - the library raises what it likes on hostile bytes
        return None
    return None


def _check_age(transaction: Transaction, index: int, after: int) -> None:
    """BIP 112: the spend itself asks for the delay, and the chain holds it to that."""
    sequence = transaction.inputs[index].sequence
    if transaction.version < _RELATIVE_VERSION or sequence & (_NO_RELATIVE | _BY_TIME):
        raise ProofInvalid(f"input {index} takes the recovery path without its delay")
    if sequence & _BLOCKS < after:
        raise ProofInvalid(f"input {index} takes the recovery path before {after} blocks")


def _check_signature(index: int, signature: bytes, public: bytes, digest: bytes) -> None:
    if signature[-1:] != bytes((ALL,)) or len(signature) not in _DER:
        raise ProofInvalid(f"the signature of input {index} is not one of SIGHASH_ALL")
    try:
        # libsecp256k1 takes strict DER and low S only.
        holds = PublicKey(public).verify(signature[:-1], digest, hasher=None)
    except ValueError as error:
        raise ProofInvalid(f"the signature of input {index} is malformed") from error
    if not holds:
        raise ProofInvalid(f"the signature of input {index} does not hold")


def _hashed(public: bytes) -> bytes:
    try:
        return p2wpkh(public)
    except ValueError:
        return b""


def _point(txid: str, index: int) -> bytes:
    return bytes.fromhex(txid)[::-1] + index.to_bytes(4, "little")


def _output(output: Output) -> bytes:
    return output.value.to_bytes(8, "little") + _sized(output.script)


def _sized(data: bytes) -> bytes:
    """Bytes behind their length, as Bitcoin's compact size."""
    size = len(data)
    if size < 0xFD:  # noqa: PLR2004 - one byte up to here
        return bytes((size,)) + data
    head, width = (b"\xfd", 2) if size <= 0xFFFF else (b"\xfe", 4)  # noqa: PLR2004 - 16 bits
    return head + size.to_bytes(width, "little") + data
