"""Whether a transaction may spend what it spends: asked before every broadcast, and of proofs.

By Bitcoin Core's own engine where it is installed (extra `bitcoin-verify`), else by our path,
which knows our two scripts only. Does not look at the chain: a coin may be spent or unmined.
"""

from collections.abc import Mapping, Sequence

from hermes.chain.backend import Outpoint
from hermes.chain.sighash import check_input, check_ours
from hermes.chain.transaction import Output, Transaction, transaction_of
from hermes.errors import ProofInvalid

try:
    import pbk
    from pbk.script import PrecomputedTransactionData
except ImportError:  # no wheel for this machine, or the extra was not wanted
    pbk = None

HAVE_KERNEL = pbk is not None
"""Whether Core's engine judges."""
_MOST = 21_000_000 * 100_000_000


def check_spend(raw: bytes, previous: Mapping[Outpoint, tuple[int, bytes]]) -> Transaction:
    """Check a transaction against (value, script) of what it spends; raises ProofInvalid."""
    try:
        transaction = transaction_of(raw)
    except ValueError as error:
        raise ProofInvalid(f"{error}") from error
    spent = _spent(transaction, previous)
    _check_values(transaction, spent)
    if HAVE_KERNEL:
        _check_by_kernel(raw, transaction, spent, range(len(spent)))
    else:
        check_ours(transaction, spent)
    return transaction


def check_signed(raw: bytes, index: int, output: Output) -> None:
    """Check one input alone, whoever made the rest; raises ProofInvalid.

    Of segwit version 0 only: its signatures cover the amount of their own input and no other.
    """
    try:
        transaction = transaction_of(raw)
    except ValueError as error:
        raise ProofInvalid(f"{error}") from error
    if HAVE_KERNEL:
        unknown = Output(0, b"")
        spent = [output if at == index else unknown for at in range(len(transaction.inputs))]
        _check_by_kernel(raw, transaction, spent, range(index, index + 1))
    else:
        check_input(transaction, index, output)


def _spent(
    transaction: Transaction, previous: Mapping[Outpoint, tuple[int, bytes]]
) -> tuple[Output, ...]:
    points = [one.outpoint for one in transaction.inputs]
    if len(set(points)) != len(points):
        raise ProofInvalid("one coin is spent twice in a transaction")
    if missing := [point for point in points if point not in previous]:
        raise ProofInvalid(f"what {missing[0].txid}:{missing[0].index} holds is not known")
    return tuple(Output(*previous[point]) for point in points)


def _check_values(transaction: Transaction, spent: Sequence[Output]) -> None:
    values = [one.value for one in (*transaction.outputs, *spent)]
    if not all(0 <= value <= _MOST for value in values):
        raise ProofInvalid("a value is no amount of bitcoin")
    if sum(one.value for one in transaction.outputs) > sum(one.value for one in spent):
        raise ProofInvalid("a transaction pays more than it spends")


def _check_by_kernel(
    raw: bytes, transaction: Transaction, spent: Sequence[Output], these: range
) -> None:
    read = pbk.Transaction(raw)
    outputs = [pbk.TransactionOutput(pbk.ScriptPubkey(one.script), one.value) for one in spent]
    # The engine aborts the whole process when these two counts differ.
    if not len(outputs) == len(read.inputs) == len(transaction.inputs):
        raise ProofInvalid("not every spent output is known")
    computed = PrecomputedTransactionData(read, outputs)
    for index in these:
        output = outputs[index]
        try:
            holds = output.script_pubkey.verify(
                output.amount, read, computed, index, pbk.ScriptVerificationFlags.ALL
            )
        except pbk.ScriptVerifyException as error:
            raise ProofInvalid(f"the script of input {index} does not hold: {error}") from error
        if not holds:
            raise ProofInvalid(f"the signature of input {index} does not hold")
