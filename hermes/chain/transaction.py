"""A transaction taken apart: ids, sizes, inputs, outputs. Reads only; nothing is signed here.

Strict: whatever is not in its one encoding is refused. Knows nothing of scripts' meaning.
"""

import msgspec
from bitcoin.core import CTransaction, CTxIn, CTxInWitness

from hermes.chain.backend import Outpoint, Txid
from hermes.chain.work import sha256d, shown

REPLACEABLE = 0xFFFFFFFD
"""nSequence of our inputs: may be replaced (BIP 125), no relative lock."""
_LARGEST = 400_000  # a standard transaction's weight
_SHORTEST = 10
_MONEY = 21_000_000 * 100_000_000
_SCALE = 4
_VERSION, _MARK, _LOCK = 4, 2, 4  # bytes; the mark says that a witness follows


class Spend(msgspec.Struct, frozen=True):
    """An input."""

    outpoint: Outpoint
    sequence: int
    script: bytes
    """scriptSig; empty for segwit's kinds."""
    witness: tuple[bytes, ...]


class Output(msgspec.Struct, frozen=True):
    """An output; value in satoshi."""

    value: int
    script: bytes


class Transaction(msgspec.Struct, frozen=True):
    """A transaction; `size` in virtual bytes."""

    txid: Txid
    version: int
    lock_time: int
    inputs: tuple[Spend, ...]
    outputs: tuple[Output, ...]
    stripped: bytes
    """Its bytes without the witness."""
    size: int

    def outpoint(self, index: int) -> Outpoint:
        """One of its outputs, as somebody else spends it."""
        return Outpoint(self.txid, index)


def transaction_of(raw: bytes) -> Transaction:
    """Read a transaction; raises ValueError on anything but one in its one encoding."""
    whole = _read(raw)
    stacks = whole.wit.vtxinwit if whole.has_witness() else [None] * len(whole.vin)
    stripped = raw
    if whole.has_witness():  # cut out of the bytes: writing them anew takes half as long again
        end = len(raw) - len(whole.wit.serialize()) - _LOCK
        stripped = raw[:_VERSION] + raw[_VERSION + _MARK : end] + raw[-_LOCK:]
    weight = len(stripped) * (_SCALE - 1) + len(raw)
    return Transaction(
        txid=Txid(shown(sha256d(stripped))),
        version=whole.nVersion,
        lock_time=whole.nLockTime,
        inputs=tuple(map(_spend, whole.vin, stacks)),
        outputs=tuple(Output(out.nValue, bytes(out.scriptPubKey)) for out in whole.vout),
        stripped=stripped,
        size=-(-weight // _SCALE),
    )


def txid_of(raw: bytes) -> Txid:
    """A transaction's id; raises ValueError."""
    return transaction_of(raw).txid


def vsize(raw: bytes) -> int:
    """A transaction's virtual bytes; raises ValueError."""
    return transaction_of(raw).size


def output_of(raw: bytes, outpoint: Outpoint) -> Output:
    """An output, out of the transaction that is said to hold it; raises ValueError."""
    found = transaction_of(raw)
    if found.txid != outpoint.txid:
        raise ValueError(f"the transaction is {found.txid}, not {outpoint.txid}")
    if outpoint.index >= len(found.outputs):
        raise ValueError(f"{outpoint.txid} has no output {outpoint.index}")
    return found.outputs[outpoint.index]


def outpoint_of(text: str) -> Outpoint:
    """Read `txid:index`; raises ValueError."""
    txid, colon, index = text.partition(":")
    if not colon or len(bytes.fromhex(txid)) != 32 or not index.isdecimal():  # noqa: PLR2004 - a digest
        raise ValueError(f"{text!r} is no outpoint")
    return Outpoint(Txid(txid), int(index))


def outpoint_text(outpoint: Outpoint) -> str:
    """An outpoint as `txid:index`."""
    return f"{outpoint.txid}:{outpoint.index}"


def _read(raw: bytes) -> CTransaction:
    if not _SHORTEST <= len(raw) <= _LARGEST:
        raise ValueError("not a transaction")
    try:
        found = CTransaction.deserialize(raw)
        same = found.serialize() == raw
    except Exception as error:  # the library raises what it likes on hostile bytes
        raise ValueError("not a transaction") from error
    if not all(0 <= out.nValue <= _MONEY for out in found.vout):
        raise ValueError("a transaction that pays no amount of bitcoin")
    if not same or not found.vin or not found.vout:
        raise ValueError("a transaction that is not in its one encoding")
    return found


def _spend(one: CTxIn, stack: CTxInWitness | None) -> Spend:
    return Spend(
        outpoint=Outpoint(Txid(shown(one.prevout.hash)), one.prevout.n),
        sequence=one.nSequence,
        script=bytes(one.scriptSig),
        witness=tuple(map(bytes, stack.scriptWitness.stack)) if stack is not None else (),
    )
