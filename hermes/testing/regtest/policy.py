"""Whether a transaction may wait in the mempool: Core's checks for one transaction, in its words.

Scripts are judged by Core's own interpreter. This is a test node's policy, near Core's defaults;
it does not know packages, and accepts output scripts that Core would call non-standard.
"""

from collections.abc import Sequence

import msgspec
import pbk
from pbk.script import PrecomputedTransactionData

from hermes.testing.regtest.index import ChainIndex, Held
from hermes.testing.regtest.parsed import Tx

_MATURITY = 100
_MIN_SIZE = 65  # without witness: 64 bytes could pass for an inner node of a block's tree
_MAX_WEIGHT = 400_000
_FINAL = 0xFFFFFFFF
_TIME_LOCK = 500_000_000  # from here on a lock time is a second, below a height
_NO_RELATIVE = 1 << 31
_BY_TIME = 1 << 22
_MASK = 0xFFFF
_GRANULE = 9
_VERSIONS = range(1, 4)
_VERIFY_REJECTED = -26
_VERIFY_ERROR = -25


class Rejected(Exception):
    """Core's error code and words."""

    def __init__(self, reason: str, code: int = _VERIFY_REJECTED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Rates(msgspec.Struct):
    """Satoshi a virtual byte: what the mempool wants, what replacing adds, what miners want."""

    relay: float = 1.0
    increment: float = 1.0
    block: float = 1.0
    estimate: float = 2.0
    """What estimatesmartfee says."""


def check_form(tx: Tx) -> None:
    """What can be said without coins: shape, size, dust. Raises Rejected."""
    if not tx.inputs or not tx.outputs:
        raise Rejected("bad-txns-vin-empty" if not tx.inputs else "bad-txns-vout-empty")
    if any(one.outpoint[0] == bytes(32) for one in tx.inputs):
        raise Rejected("coinbase")
    if len({one.outpoint for one in tx.inputs}) != len(tx.inputs):
        raise Rejected("bad-txns-inputs-duplicate")
    if tx.version not in _VERSIONS:
        raise Rejected("version")
    if tx.stripped < _MIN_SIZE:
        raise Rejected("tx-size-small")
    if tx.weight > _MAX_WEIGHT:
        raise Rejected("tx-size")
    if any(one.value < 0 for one in tx.outputs):
        raise Rejected("bad-txns-vout-negative")
    if any(one.value < dust_of(one.script) for one in tx.outputs):
        raise Rejected("dust")


def dust_of(script: bytes) -> int:
    """The least an output must hold, at Core's 3 sat/vB: what spending it would cost."""
    if script.startswith(b"\x6a"):
        return 0
    size = 8 + 1 + len(script)
    version = script[:1]
    witness = 4 <= len(script) <= 42 and (version == b"\x00" or b"\x51" <= version <= b"\x60")  # noqa: PLR2004 - BIP 141's bounds of a witness program
    return 3 * (size + (67 if witness else 148))


def check_coins(tx: Tx, coins: Sequence[Held], index: ChainIndex) -> int:
    """What its coins say: maturity, locks, value. Returns the fee; raises Rejected."""
    height = index.height + 1
    if any(one.coinbase and height - one.height < _MATURITY for one in coins):
        raise Rejected("bad-txns-premature-spend-of-coinbase")
    fee = sum(one.output.value for one in coins) - sum(one.value for one in tx.outputs)
    if fee < 0:
        raise Rejected("bad-txns-in-belowout")
    if not _final(tx, index):
        raise Rejected("non-final")
    if not _old_enough(tx, coins, index):
        raise Rejected("non-BIP68-final")
    return fee


def check_scripts(tx: Tx, coins: Sequence[Held]) -> None:
    """Run every input's script; raises Rejected."""
    read = pbk.Transaction(tx.raw)
    outputs = [
        pbk.TransactionOutput(pbk.ScriptPubkey(one.output.script), one.output.value)
        for one in coins
    ]
    assert len(outputs) == len(tx.inputs), "the kernel would abort the process"
    computed = PrecomputedTransactionData(read, outputs)
    for number, output in enumerate(outputs):
        try:
            good = output.script_pubkey.verify(
                output.amount, read, computed, number, pbk.ScriptVerificationFlags.ALL
            )
        except pbk.ScriptVerifyException as error:
            raise Rejected(f"mandatory-script-verify-flag-failed ({error})") from error
        if not good:
            raise Rejected(f"mandatory-script-verify-flag-failed (input {number})")


def missing() -> Rejected:
    """An input that nobody made, or that is spent."""
    return Rejected("bad-txns-inputs-missingorspent", _VERIFY_ERROR)


def _final(tx: Tx, index: ChainIndex) -> bool:
    if tx.locktime == 0 or all(one.sequence == _FINAL for one in tx.inputs):
        return True
    if tx.locktime < _TIME_LOCK:
        return tx.locktime < index.height + 1
    return tx.locktime < index.median_time(index.chain[-1])


def _old_enough(tx: Tx, coins: Sequence[Held], index: ChainIndex) -> bool:
    """BIP 68: each input's coin is as old as its sequence number asks."""
    if tx.version < 2:  # noqa: PLR2004 - BIP 68
        return True
    for spend, coin in zip(tx.inputs, coins, strict=True):
        if spend.sequence & _NO_RELATIVE:
            continue
        wait = spend.sequence & _MASK
        if spend.sequence & _BY_TIME:
            if coin.height > index.height:
                return wait == 0
            since = index.median_time(index.chain[max(coin.height - 1, 0)])
            if index.median_time(index.chain[-1]) < since + (wait << _GRANULE):
                return False
        elif index.height + 1 < coin.height + wait:
            return False
    return True
