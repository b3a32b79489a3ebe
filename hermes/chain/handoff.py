"""One transaction that two instances sign: the coin goes from the old one to its successor.

Each side checks all of it before its signer signs, and again before anything is sent: records,
coin, stake, payload, destination, fee, and the other's signatures. Pure: whether the coin is
still there is asked of the chain in `succession`.
"""

import msgspec

from hermes.chain.backend import Outpoint
from hermes.chain.coin import DUST
from hermes.chain.handoff_wire import ANSWER, Exchange
from hermes.chain.lineage import check_heir, walk
from hermes.chain.lineage_wire import Lineage, Link
from hermes.chain.payloads import handoff_payload
from hermes.chain.psbt import check_shape, put_together
from hermes.chain.scripts import payload_script, scripts_of
from hermes.chain.sighash import check_input
from hermes.chain.spend import check_spend
from hermes.chain.transaction import REPLACEABLE, Output, outpoint_of, outpoint_text, transaction_of
from hermes.chain.walk import Walk
from hermes.config import Chain
from hermes.core.attestation import Attestation, attestation_of
from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis
from hermes.identity.claim import SpendClaim
from hermes.identity.genesis import genesis_of
from hermes.identity.spend import Spend, read_spend
from hermes.identity.statements import Handoff, check_accepted, check_handoff

_INPUTS = _OUTPUTS = 2
_VERSION = 2


class Passing(msgspec.Struct, frozen=True):
    """A handoff whose every part held: old and new, the record between them, the spend."""

    exchange: Exchange
    old: Genesis
    new: Genesis
    record: Attestation
    handoff: Handoff
    lineage: Lineage
    walk: Walk
    spend: Spend

    @property
    def coin(self) -> Outpoint:
        """What it spends."""
        return outpoint_of(self.spend.inputs[0].coin)


class Done(msgspec.Struct, frozen=True):
    """A handoff that both signed: the transaction, and the lineage that ends with it."""

    passing: Passing
    raw: bytes
    lineage: Lineage
    accepted: Attestation


def claim_for(
    exchange: Exchange, record: Attestation, coin: str, side: str, fingerprint: str = ""
) -> SpendClaim:
    """What a signer is told; `side` is old or new."""
    return SpendClaim(
        kind="handoff",
        payload=handoff_payload(record).encode().hex(),
        coin=coin,
        checkpoint=str(record.fields["checkpoint"]),
        fingerprint=fingerprint,
        handoff=exchange.record,
        predecessor=exchange.old if side == "new" else "",
        successor=exchange.new if side == "old" else "",
    )


def check_offer(exchange: Exchange, own: Genesis, caps: Chain) -> Passing:
    """An offer as its successor sees it; raises ProofInvalid or Refused with the reason."""
    found = check_exchange(exchange, caps)
    if found.new.cid != own.cid:
        raise ProofInvalid("the handoff is offered to another instance than this one")
    return found


def check_exchange(exchange: Exchange, caps: Chain) -> Passing:
    """Check everything but the successor's signatures; raises ProofInvalid or Refused."""
    old, new = _genesis(exchange.old), _genesis(exchange.new)
    if old.network != caps.network:
        raise ProofInvalid(f"the handoff is on {old.network}, the settings say {caps.network}")
    check_heir(old, new)
    record = _statement(exchange.record)
    handoff = check_handoff(record, old)
    if handoff.new != new.cid:
        raise ProofInvalid("the record appoints another successor than the file says")
    if handoff.soul != new.soul:
        raise ProofInvalid("the record names another SOUL.md than the successor's")
    lineage = exchange.walked()
    found = walk(lineage)
    if found.now.genesis.cid != old.cid or found.coin is None:
        raise ProofInvalid("the lineage in the file does not lead to who offers")
    passing = Passing(
        exchange, old, new, record, handoff, lineage, found, read_spend(exchange.psbt)
    )
    _check_inputs(passing)
    _check_outputs(passing)
    _check_fee(passing, caps)
    _check_signed(passing)
    return passing


def check_answer(exchange: Exchange, caps: Chain) -> Done:
    """Check a handoff that both signed; raises ProofInvalid or Refused with the reason."""
    if exchange.t != ANSWER or not exchange.accepted:
        raise ProofInvalid("the successor did not accept yet: this is only the offer")
    passing = check_exchange(exchange, caps)
    accepted = _statement(exchange.accepted)
    check_accepted(accepted, passing.record, passing.new)
    raw = put_together(passing.spend, (scripts_of(passing.old), scripts_of(passing.new)))
    check_shape(raw, "the successor's signature")
    spent = [(outpoint_of(one.coin), (one.value, one.script)) for one in passing.spend.inputs]
    check_spend(raw, dict(spent))
    blocks = (exchange.new, exchange.record, exchange.accepted)
    link = Link(raw, (passing.spend.inputs[1].value,), tuple(map(bytes.fromhex, blocks)))
    lineage = msgspec.structs.replace(
        passing.lineage, links=(*passing.lineage.links, link), place=None
    )
    walk(lineage)  # whoever verifies it later sees what we see
    return Done(passing, raw, lineage, accepted)


def _check_inputs(passing: Passing) -> None:
    spend, at = passing.spend, passing.walk
    if spend.version != _VERSION or spend.locktime != 0 or len(spend.inputs) != _INPUTS:
        raise ProofInvalid("the transaction does not spend exactly the coin and one stake")
    coin, stake = spend.inputs
    if at.coin is None or coin.coin != outpoint_text(at.coin):
        raise ProofInvalid("input 0 is not the continuity coin of the lineage")
    if coin.value != at.value or coin.script != scripts_of(passing.old).coin:
        raise ProofInvalid("the coin holds something else than the lineage says")
    if stake.script != scripts_of(passing.new).deposit:
        raise ProofInvalid("input 1 is not a stake of the successor")
    if any(one.sequence != REPLACEABLE for one in spend.inputs):
        raise ProofInvalid("an input has another sequence than 0xfffffffd")


def _check_outputs(passing: Passing) -> None:
    if len(passing.spend.outputs) != _OUTPUTS:
        raise ProofInvalid("the transaction pays to somebody whom the record does not name")
    payload, coin = passing.spend.outputs
    wanted = payload_script(handoff_payload(passing.record))
    if payload.value != 0 or payload.script != wanted:
        raise ProofInvalid("the payload is not of the record and the checkpoint in it")
    if coin.script != scripts_of(passing.new).coin:
        raise ProofInvalid("the coin does not go to the successor")
    if coin.value < DUST:
        raise ProofInvalid("the coin that is left is dust")


def _check_fee(passing: Passing, caps: Chain) -> None:
    fee = passing.spend.fee
    size = passing.spend.vsize(scripts_of(passing.old).witness)
    if fee < 0:
        raise ProofInvalid("the transaction pays more than it spends")
    if fee > caps.fee_most or fee > caps.fee_rate_most * size:
        raise ProofInvalid(
            f"the fee is {fee} sat, {fee / size:.1f} a virtual byte: more than the settings allow"
        )


def _check_signed(passing: Passing) -> None:
    """The old instance's signature is there and covers what stands here now."""
    raw = put_together(passing.spend, (scripts_of(passing.old),))
    coin = passing.spend.inputs[0]
    transaction = transaction_of(raw)
    if not transaction.inputs[0].witness:
        raise ProofInvalid("the old instance did not sign")
    try:
        check_input(transaction, 0, Output(coin.value, coin.script))
    except ProofInvalid as error:
        raise ProofInvalid(
            f"the file was altered after the old instance signed: {error.message}"
        ) from error


def _genesis(block: str) -> Genesis:
    return genesis_of(bytes.fromhex(block))


def _statement(block: str) -> Attestation:
    try:
        return attestation_of(bytes.fromhex(block))
    except (ValueError, TypeError, RecursionError) as error:
        raise ProofInvalid("a record in the file is no statement") from error
