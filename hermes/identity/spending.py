"""Whether a transaction may be signed: its shape, its fee, the caps. Each refusal says why.

Guards the coin against a node that errs or was taken over. Does not guard against an owner who
raises the caps, many months of fees under them, or a node that was taken over and appoints a
successor of its own: a handoff gives the coin away.
"""

import msgspec

from hermes.errors import Refused
from hermes.identity.attest import Genesis
from hermes.identity.claim import SpendClaim, fingerprint_of
from hermes.identity.coin import coin_script, witness_script
from hermes.identity.signer_memory import Memory
from hermes.identity.signer_wire import Caps
from hermes.identity.spend import Output, Spend, payload_script
from hermes.identity.spending_terms import Terms, terms_of

STAKE = 1000
"""Satoshi that an anchor may pay to a successor, which needs an input of its own to sign."""
_DUST = 330
_REPLACEABLE = 0xFFFFFFFD
_VERSION = 2
_HEAD = 2
_SPENDS_MOST = 4_096
"""Coins of one month: what spends of coins that never were could fill the memory with."""


class Approved(msgspec.Struct, frozen=True):
    """The inputs to sign, and what the spend costs at most."""

    inputs: tuple[int, ...]
    sat: int


def approve(
    spend: Spend, claim: SpendClaim, genesis: Genesis, memory: Memory, caps: Caps, now: int
) -> Approved:
    """Judge a spend; raises Refused with the first reason found."""
    _check_network(claim, genesis, caps)
    terms = terms_of(claim, genesis, memory)
    ours = _check_inputs(spend, claim, terms)
    stake = _check_outputs(spend, claim, terms)
    for index in ours:
        is_coin = spend.inputs[index].script == coin_script(genesis)
        spend.refuse_other_script(index, witness_script(genesis) if is_coin else b"")
    _check_fee(spend, genesis, caps)
    cost = spend.fee + stake
    spent = memory.with_spend(claim.coin, cost, now)
    month = spent.month(now)
    if len(spent.spent) > _SPENDS_MOST:
        raise Refused(f"more than {_SPENDS_MOST} coins were spent this month")
    if month > caps.month_most:
        raise Refused(
            f"with {cost} sat this month's fees would be {month} sat, {caps.month_most} are allowed"
        )
    return Approved(ours, cost)


def _check_network(claim: SpendClaim, genesis: Genesis, caps: Caps) -> None:
    if caps.network != genesis.network:
        raise Refused(f"the settings say {caps.network}, the identity is of {genesis.network}")
    if genesis.network != "main":
        return
    if not caps.mainnet:
        raise Refused("the main network takes HERMES_V2_MAINNET=yes in the node's environment")
    if claim.fingerprint != fingerprint_of(genesis.cid):
        raise Refused("the main network takes the identity's fingerprint, typed by a person")


def _check_inputs(spend: Spend, claim: SpendClaim, terms: Terms) -> tuple[int, ...]:
    if spend.version != _VERSION or spend.locktime != 0:
        raise Refused("not version 2 without a lock time")
    if len({one.coin for one in spend.inputs}) != len(spend.inputs):
        raise Refused("an input is there twice")
    first = spend.inputs[0]
    if first.coin != claim.coin or first.script not in terms.coin:
        raise Refused("input 0 is not the coin that was claimed")
    if claim.kind != "recover" and first.sequence != _REPLACEABLE:
        raise Refused("input 0 is not marked as replaceable (0xfffffffd)")
    if not all(one.sequence for one in spend.inputs):
        raise Refused("an input has the sequence 0, which embit would write as another")
    ours = tuple(i for i, one in enumerate(spend.inputs) if one.script in terms.ours)
    for index, one in enumerate(spend.inputs):
        if index not in ours and one.script not in terms.foreign:
            raise Refused(f"input {index} is foreign: nothing that was claimed explains it")
    if not ours:
        raise Refused("no input is this signer's")
    return ours


def _check_outputs(spend: Spend, claim: SpendClaim, terms: Terms) -> int:
    """Gives what is paid away on purpose: the successor's stake."""
    if len(spend.outputs) < _HEAD:
        raise Refused("the layout is: payload, coin, then change or stake")
    payload, coin, *rest = spend.outputs
    if payload != Output(0, payload_script(bytes.fromhex(claim.payload))):
        raise Refused("output 0 is not OP_RETURN with the claimed payload and nothing else")
    if coin.script != terms.pays:
        raise Refused("output 1 does not pay the continuity coin to where it belongs")
    stake = 0
    changed = False
    for index, one in enumerate(rest, _HEAD):
        if one.script in terms.change and not changed:
            changed = True
        elif one == Output(STAKE, terms.stake) and not stake:
            stake = STAKE
        else:
            raise Refused(f"output {index} pays where nothing that was claimed explains it")
    if any(one.value < _DUST for one in spend.outputs[1:]):
        raise Refused(f"an output is dust (less than {_DUST} sat)")
    return stake


def _check_fee(spend: Spend, genesis: Genesis, caps: Caps) -> None:
    fee, size = spend.fee, spend.vsize(witness_script(genesis))
    if fee < 0:
        raise Refused("the outputs are worth more than the inputs")
    if fee > caps.fee_most:
        raise Refused(f"the fee is {fee} sat, {caps.fee_most} are allowed")
    if fee > caps.fee_rate_most * size:
        raise Refused(
            f"the fee is {fee / size:.1f} sat a virtual byte, {caps.fee_rate_most:g} are allowed"
        )
