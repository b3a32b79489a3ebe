"""The layout of an anchor: which coins it spends, what it pays, how large it will be.

Fixed: input 0 is the continuity coin (the first time a deposit), output 0 the payload, output 1
the coin again. The coin carries what later anchors will cost; deposits are taken in only when
it runs low. Pure: what a coin holds was checked before, against the transaction that made it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from hermes.chain.backend import Coin, Outpoint
from hermes.chain.fees import Budget, fee_for
from hermes.chain.scripts import CoinScripts, payload_script
from hermes.chain.transaction import Output, output_of
from hermes.core.anchor import Payload
from hermes.errors import NotAvailable

DUST = 330
"""The least that an output holds: below, nodes do not relay it."""
INPUTS_MOST = 16
_LOOKED_AT = 4 * INPUTS_MOST
_HEAD = 4 * 10 + 2  # version, counts, lock time; segwit's marker and flag
_INPUT = 4 * 41
_KEY_WITNESS = 1 + 1 + 72 + 1 + 33
_SCRIPT_WITNESS = 1 + 1 + 72 + 1 + 1 + 1
_OUTPUT = 8 + 1


class Funds(msgspec.Struct, frozen=True):
    """A coin that can be spent, and the whole transaction that made it."""

    outpoint: Outpoint
    value: int
    script: bytes
    raw: bytes


class Layout(msgspec.Struct, frozen=True):
    """An anchor to be signed; `size` in virtual bytes is what it has at most."""

    inputs: tuple[Funds, ...]
    outputs: tuple[Output, ...]
    fee: int
    size: int

    @property
    def previous(self) -> dict[Outpoint, tuple[int, bytes]]:
        """What it spends, by outpoint."""
        return {one.outpoint: (one.value, one.script) for one in self.inputs}


def funds_of(raw: bytes, outpoint: Outpoint) -> Funds:
    """A coin as the transaction that made it says; raises ValueError."""
    output = output_of(raw, outpoint)
    return Funds(outpoint, output.value, output.script, raw)


def largest(told: Iterable[Coin]) -> list[Outpoint]:
    """The confirmed coins that are worth a look: whoever likes pays us dust by the thousand."""
    confirmed = [one for one in told if one.height]
    confirmed.sort(key=lambda one: (-one.value, one.outpoint))
    return list(dict.fromkeys(one.outpoint for one in confirmed))[:_LOOKED_AT]


def lay_out(
    coin: Funds | None,
    deposits: Sequence[Funds],
    payload: Payload,
    scripts: CoinScripts,
    rate: float,
    caps: Budget,
) -> Layout:
    """Choose inputs and fee. Without `coin` the largest deposit becomes the coin.

    Raises:
        NotAvailable: the money does not reach; the remedy says how much to pay where.
        TooDear: a cap is in the way.
    """
    least = size_of(1, scripts, b"") - size_of(0, scripts, b"")
    worth = [one for one in deposits if one.value > least * rate]
    rest = sorted(worth, key=lambda one: (-one.value, one.outpoint))
    chosen = [coin] if coin else rest[:1]
    rest = rest if coin else rest[1:]
    while chosen:
        size = _size(chosen, scripts, payload)
        fee = fee_for(rate, size, caps)
        left = sum(one.value for one in chosen) - fee
        if left >= DUST:
            outputs = (Output(0, payload_script(payload)), Output(left, scripts.coin))
            return Layout(tuple(chosen), outputs, fee, size)
        if not rest or len(chosen) == INPUTS_MOST:
            raise _poor(chosen, rate, DUST - left)
        chosen.append(rest.pop(0))
    raise _nothing(deposits, rate, size_of(1, scripts, payload_script(payload)))


def size_of(deposits: int, scripts: CoinScripts, payload: bytes) -> int:
    """Virtual bytes at most of an anchor that spends so many deposits and no coin."""
    outputs = 2 * _OUTPUT + len(payload) + len(scripts.coin)
    weight = _HEAD + deposits * (_INPUT + _KEY_WITNESS) + 4 * outputs
    return -(-weight // 4)


def _size(chosen: Sequence[Funds], scripts: CoinScripts, payload: Payload) -> int:
    dead_man = sum(1 for one in chosen if one.script != scripts.deposit)
    plain = size_of(len(chosen), scripts, payload_script(payload))
    more = dead_man * (_SCRIPT_WITNESS + len(scripts.witness) - _KEY_WITNESS)
    return plain - (-more // 4)


def _poor(chosen: Sequence[Funds], rate: float, lacking: int) -> NotAvailable:
    held = sum(one.value for one in chosen)
    least = lacking + round(70 * rate)  # one more input is paid for as well
    return NotAvailable(
        f"the coin and its deposits hold {held} sat: too little for an anchor at {rate:.1f} sat/vB",
        f"pay at least {least} sat more to the address in `hermes anchor status`",
    )


def _nothing(deposits: Sequence[Funds], rate: float, size: int) -> NotAvailable:
    least = round(size * rate) + DUST
    remedy = (
        f"pay at least {least} sat to the address in `hermes anchor status`;"
        " they count once a block holds them"
    )
    if deposits:
        held = sum(one.value for one in deposits)
        return NotAvailable(
            f"the deposits ({held} sat in all) are dust: each is worth less than spending it costs",
            remedy,
        )
    return NotAvailable("there is no confirmed deposit to make the continuity coin of", remedy)
