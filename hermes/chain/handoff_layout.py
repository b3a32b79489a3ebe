"""The transactions of a handoff, laid out: the stake beforehand, then the passing of the coin.

Pure: money and rates are found in `takeover`, and what others laid out is checked in `handoff`.
"""

import math
from collections.abc import Sequence

import msgspec

from hermes.chain.coin import DUST, INPUTS_MOST, Funds, Layout, lay_out, size_of
from hermes.chain.fees import Budget, fee_for
from hermes.chain.payloads import genesis_payload, handoff_payload
from hermes.chain.scripts import CoinScripts, payload_script, scripts_of
from hermes.chain.transaction import Output
from hermes.core.anchor import Payload
from hermes.core.attestation import Attestation
from hermes.errors import NotAvailable
from hermes.identity.attest import Genesis
from hermes.identity.spending import STAKE

_INPUTS = 2
_STAKE_SIZE = 8 + 1 + 22
_BY_SCRIPT = 77 - 108
"""Weight of a dead-man witness without its script, less that of a plain key's."""


class Cost(msgspec.Struct, frozen=True):
    """What a handoff may cost: satoshi a virtual byte, and the caps."""

    rate: float
    caps: Budget


def lay_out_handoff(
    coin: Funds, stake: Funds, old: Genesis, new: Genesis, record: Attestation, cost: Cost
) -> Layout:
    """The transaction: coin and stake in, payload and the successor's coin out; raises TooDear."""
    payload, heir = handoff_payload(record), scripts_of(new)
    size = size_of(_INPUTS, heir, payload_script(payload))
    if coin.script != scripts_of(old).deposit:
        size += math.ceil((_BY_SCRIPT + len(scripts_of(old).witness)) / 4)
    fee = fee_for(cost.rate, size, cost.caps)
    left = coin.value + stake.value - fee
    if left < DUST:
        raise _poor(coin, fee)
    outputs = (Output(0, payload_script(payload)), Output(left, heir.coin))
    return Layout((coin, stake), outputs, fee, size)


def lay_out_stake(
    coin: Funds, payload: Payload, own: CoinScripts, new: Genesis, cost: Cost
) -> Layout:
    """An anchor that pays the successor's stake as well; raises TooDear, NotAvailable."""
    plain = lay_out(coin, (), payload, own, cost.rate, cost.caps)
    size = plain.size + _STAKE_SIZE
    fee = fee_for(cost.rate, size, cost.caps)
    left = coin.value - STAKE - fee
    if left < DUST:
        raise _poor(coin, fee + STAKE)
    stake = Output(STAKE, scripts_of(new).deposit)
    outputs = (plain.outputs[0], Output(left, own.coin), stake)
    return Layout(plain.inputs, outputs, fee, size)


def lay_out_recovery(
    coin: Funds, deposits: Sequence[Funds], old: Genesis, new: Genesis, cost: Cost
) -> Layout:
    """A dead instance's coin in, its heir's coin out; `coin` opens by its script."""
    payload, heir = genesis_payload(new), scripts_of(new)
    more = math.ceil((_BY_SCRIPT + len(scripts_of(old).witness)) / 4)
    chosen, rest = [coin], list(deposits)
    while True:
        size = size_of(len(chosen), heir, payload_script(payload)) + more
        fee = fee_for(cost.rate, size, cost.caps)
        left = sum(one.value for one in chosen) - fee
        if left >= DUST:
            outputs = (Output(0, payload_script(payload)), Output(left, heir.coin))
            return Layout(tuple(chosen), outputs, fee, size)
        if not rest or len(chosen) == INPUTS_MOST:
            raise _poor(coin, fee)
        chosen.append(rest.pop())


def _poor(coin: Funds, cost: int) -> NotAvailable:
    return NotAvailable(
        f"the coin holds {coin.value} sat: too little for {cost} sat",
        "pay to the address in `hermes anchor status`, then: hermes anchor now",
    )
