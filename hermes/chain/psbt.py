"""PSBTs: written for a signer, or for two, and put together from the signatures that came back.

Who opens an input is told by its script; embit's finalizer, which takes corrupt signatures, has
no part in it. Whether a signature holds is `spend.check_spend`'s business. Source: BIP-174.
"""

from collections.abc import Sequence

from embit.psbt import PSBT
from embit.script import Script, Witness
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from hermes.chain.coin import Layout
from hermes.chain.scripts import CoinScripts
from hermes.chain.transaction import REPLACEABLE, transaction_of
from hermes.errors import ProofInvalid
from hermes.identity.spend import Spend, read_spend

COIN_PATH, DEAD_PATH = b"\x01", b""
_ALL = 1
_VERSION = 2


def psbt_of(layout: Layout, owners: Sequence[CoinScripts], sequence: int = REPLACEABLE) -> str:
    """The unsigned transaction in base64, with all that it spends from; `sequence`: of input 0."""
    inputs = [
        TransactionInput(
            bytes.fromhex(one.outpoint.txid),
            one.outpoint.index,
            sequence=REPLACEABLE if number else sequence,
        )
        for number, one in enumerate(layout.inputs)
    ]
    outputs = [TransactionOutput(one.value, Script(one.script)) for one in layout.outputs]
    made = PSBT(Transaction(_VERSION, inputs, outputs, 0))
    for scope, one in zip(made.inputs, layout.inputs, strict=True):
        scope.witness_utxo = TransactionOutput(one.value, Script(one.script))
        scope.non_witness_utxo = Transaction.parse(one.raw)
        scope.sighash_type = _ALL
        if witness := _behind(one.script, owners):
            scope.witness_script = Script(witness)
    text: str = made.to_base64()
    return text


def put_together(
    spend: Spend, owners: Sequence[CoinScripts], path: bytes = COIN_PATH, dead: bytes = b""
) -> bytes:
    """The transaction with every signature that is there; inputs without one stay empty.

    `path` is the coin's: with `DEAD_PATH` it is `dead`, the recovery key, that signed. Whether
    the signatures hold is not asked here.
    """
    made = Transaction.parse(spend.unsigned())
    for index, one in enumerate(made.vin):
        script = spend.inputs[index].script
        signed = spend.signatures(index)
        for owner in owners:
            if script == owner.deposit and owner.public in signed:
                one.witness = Witness([signed[owner.public], owner.public])
            elif script == owner.coin and (key := dead or owner.public) in signed:
                one.witness = Witness([signed[key], path, owner.witness])
    raw: bytes = made.serialize()
    return raw


def finish(asked: str, signed: str, own: CoinScripts) -> bytes:
    """The transaction that was asked for, all its inputs ours; raises ProofInvalid or Refused."""
    spend = read_spend(signed)
    if spend.unsigned() != read_spend(asked).unsigned():
        raise ProofInvalid("the signer gave back another transaction than it was asked to sign")
    raw = put_together(spend, (own,))
    check_shape(raw, "this instance's signature")
    return raw


def check_shape(raw: bytes, whose: str) -> None:
    """Refuse an input that is not signed, or not with SIGHASH_ALL; raises ProofInvalid."""
    for index, one in enumerate(transaction_of(raw).inputs):
        if not one.witness:
            raise ProofInvalid(f"input {index} is not signed: {whose} is missing")
        if one.witness[0][-1:] != bytes((_ALL,)):
            raise ProofInvalid(f"the signature of input {index} does not cover all of it")


def _behind(script: bytes, owners: Sequence[CoinScripts]) -> bytes:
    """The witness script of an owner's coin; empty for plain keys."""
    return next((one.witness for one in owners if one.witness and one.coin == script), b"")
