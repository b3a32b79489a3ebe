"""What an anchor may cost: rates, caps, the month, and by how much a stuck one is raised.

Plain arithmetic. The signer holds the same caps and has the last word.
"""

import math

import msgspec

from hermes.config import Chain
from hermes.errors import Refused

MONTH_MS = 30 * 24 * 3600 * 1000
TARGET_BLOCKS = 6
"""An anchor is to be mined within so many blocks; without it, its fee is raised."""
_STEP = 1.5
_INCREMENT = 1.0  # satoshi a virtual byte that a replacement must pay for its own relay (BIP 125)
_LEAST = 1.0
_SPARE = 16


class TooDear(Refused):
    """The network asks for more than the settings allow: the anchor waits."""


class Budget(msgspec.Struct, frozen=True):
    """What one more transaction may cost: the settings' caps, and what the month holds yet."""

    rate_most: float
    fee_most: int
    month_left: int

    @property
    def most(self) -> int:
        """Satoshi at most."""
        return min(self.fee_most, self.month_left)


def budget(caps: Chain, spent: dict[str, int], coin: str) -> Budget:
    """What may be paid for a spend of `coin`; `spent` are the month's fees by coin.

    What was paid for an earlier attempt at the same coin does not count: only one is mined.
    """
    others = sum(fee for of, fee in spent.items() if of != coin)
    return Budget(caps.fee_rate_most, caps.fee_most, max(0, caps.month_most - others))


def rate_for(asked: float, caps: Budget) -> float:
    """The rate to pay when the network asks for `asked`; raises TooDear."""
    if not math.isfinite(asked):
        raise TooDear("no fee rate can be told")
    rate = max(_LEAST, asked)
    if rate > caps.rate_most:
        raise TooDear(
            f"fees are at {rate:.1f} sat/vB, at most {caps.rate_most:g} are paid: the anchor waits",
            "wait, or raise chain.fee_rate_most",
        )
    return rate


def fee_for(rate: float, size: int, caps: Budget) -> int:
    """The fee of a transaction; raises TooDear with the cap that it breaks."""
    fee = min(math.ceil(rate * size), max(size, math.floor(caps.rate_most * size)))
    if fee > caps.fee_most:
        raise TooDear(
            f"the anchor would cost {fee} sat, at most {caps.fee_most} are paid for one: it waits",
            "wait, or raise chain.fee_most",
        )
    if fee > caps.month_left:
        raise TooDear(
            f"the anchor would cost {fee} sat, this month has {caps.month_left} left: it waits",
            "wait, or raise chain.month_most",
        )
    return fee


def raised(fee: int, size: int, asked: float, caps: Budget) -> float:
    """The rate of a replacement: half as much again, or what the network asks; raises TooDear.

    Where a cap is in the way, the cap, as long as that is enough to replace the old one.
    """
    old = fee / size
    # A signature is a byte or two shorter or longer than the one before.
    most = min(caps.rate_most, caps.most / (size + _SPARE))
    wanted = asked if math.isfinite(asked) else 0.0
    rate = min(max(_STEP * old, old + _INCREMENT, wanted), most)
    if rate < old + _INCREMENT:
        raise TooDear(
            f"it waits for a block at {old:.1f} sat/vB; more is not allowed",
            "wait, or raise chain.fee_rate_most, fee_most or month_most",
        )
    return rate
