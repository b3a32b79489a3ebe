"""PSBTs: written for the signer, and read back into a transaction that can be sent.

Finished here: embit's finalizer takes corrupt signatures. Only SIGHASH_ALL, and only the very
transaction that was asked for. Whether the signatures hold is `spend.check_spend`'s business.
Source: BIP-174.
"""

from embit.base import EmbitError
from embit.ec import PublicKey
from embit.psbt import PSBT, InputScope
from embit.script import Script, Witness
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from hermes.chain.coin import Layout
from hermes.chain.scripts import CoinScripts
from hermes.chain.transaction import REPLACEABLE
from hermes.errors import ProofInvalid

_ALL = 1
_VERSION = 2
_COIN_PATH = b"\x01"
_LONGEST = 512 * 1024


def psbt_of(layout: Layout, scripts: CoinScripts) -> str:
    """The unsigned transaction in base64, with every transaction that it spends from."""
    inputs = [
        TransactionInput(bytes.fromhex(one.outpoint.txid), one.outpoint.index, sequence=REPLACEABLE)
        for one in layout.inputs
    ]
    outputs = [TransactionOutput(one.value, Script(one.script)) for one in layout.outputs]
    made = PSBT(Transaction(_VERSION, inputs, outputs, 0))
    for scope, one in zip(made.inputs, layout.inputs, strict=True):
        scope.witness_utxo = TransactionOutput(one.value, Script(one.script))
        scope.non_witness_utxo = Transaction.parse(one.raw)
        scope.sighash_type = _ALL
        if one.script != scripts.deposit:
            scope.witness_script = Script(scripts.witness)
    text: str = made.to_base64()
    return text


def finish(asked: str, signed: str, scripts: CoinScripts) -> bytes:
    """Put a signed PSBT's signatures where they belong; raises ProofInvalid."""
    if len(signed) > _LONGEST:
        raise ProofInvalid("the signed PSBT is larger than any of ours")
    try:
        wanted, found = PSBT.from_string(asked), PSBT.from_string(signed)
        same = wanted.tx.serialize() == found.tx.serialize()
    except Exception as error:  # embit raises what it likes on hostile bytes
        raise ProofInvalid("the signed PSBT is truncated or malformed") from error
    if not same or len(found.inputs) != len(wanted.inputs):
        raise ProofInvalid("the signer gave back another transaction than it was asked to sign")
    whole = wanted.tx
    for index, (one, scope) in enumerate(zip(whole.vin, found.inputs, strict=True)):
        script = bytes(wanted.inputs[index].witness_utxo.script_pubkey.data)
        signature = _signature(index, scope, scripts)
        by_key = [signature, scripts.public]
        by_coin = [signature, _COIN_PATH, scripts.witness]
        one.witness = Witness(by_key if script == scripts.deposit else by_coin)
    raw: bytes = whole.serialize()
    return raw


def _signature(index: int, scope: InputScope, scripts: CoinScripts) -> bytes:
    try:
        made = scope.partial_sigs.get(PublicKey.parse(scripts.public))
    except (EmbitError, ValueError) as error:
        raise ProofInvalid("the coin's key is not on the curve") from error
    if not made:
        raise ProofInvalid(f"input {index} is not signed")
    if made[-1] != _ALL:
        raise ProofInvalid(f"the signature of input {index} does not cover all of it (SIGHASH_ALL)")
    return bytes(made)
