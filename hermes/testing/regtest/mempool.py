"""Transactions that wait: admission, replacement (BIP 125), and what a miner takes first.

Near Core's defaults: any waiting transaction can be replaced, whether it says so or not.
"""

from collections.abc import Iterable, Sequence

import msgspec

from hermes.core.clock import Clock
from hermes.testing.regtest.index import ChainIndex, Held
from hermes.testing.regtest.parsed import Tx, read_tx, shown
from hermes.testing.regtest.policy import (
    Rates,
    Rejected,
    check_coins,
    check_form,
    check_scripts,
    missing,
)

_MOST_REPLACED = 100
_UNDECODABLE = -22
_KNOWN = -27


class Waiting(msgspec.Struct, frozen=True):
    """A transaction in the mempool; fee in satoshi, `since` in seconds."""

    tx: Tx
    fee: int
    since: int


class Mempool:
    """Waiting transactions in the order they came."""

    def __init__(self, index: ChainIndex, rates: Rates, clock: Clock) -> None:
        self._index = index
        self._rates = rates
        self._clock = clock
        self.entries: dict[bytes, Waiting] = {}
        self.spenders: dict[tuple[bytes, int], bytes] = {}

    def check(self, raw: bytes, *, limits: bool = True) -> tuple[Waiting, set[bytes]]:
        """Judge a transaction; returns it and those it would replace. Raises Rejected."""
        try:
            tx = read_tx(raw)
        except ValueError as error:
            said = "TX decode failed. Make sure the tx has at least one input."
            raise Rejected(said, _UNDECODABLE) from error
        if tx.txid in self.entries:
            raise Rejected("txn-already-in-mempool", _KNOWN)
        if tx.txid in self._index.mined:
            raise Rejected("Transaction outputs already in utxo set", _KNOWN)
        check_form(tx)
        coins = self._coins(tx)
        fee = check_coins(tx, coins, self._index)
        if limits and fee < tx.vsize * self._rates.relay:
            least = int(tx.vsize * self._rates.relay)
            raise Rejected(f"min relay fee not met, {fee} < {least}")
        waiting = Waiting(tx, fee, self._clock.now_ms() // 1000)
        gone = self._replaced(waiting)
        check_scripts(tx, coins)
        return waiting, gone

    def accept(self, raw: bytes, *, limits: bool = True) -> bytes:
        """Take a transaction in; returns its id. Raises Rejected."""
        waiting, gone = self.check(raw, limits=limits)
        self._drop(gone)
        self.entries[waiting.tx.txid] = waiting
        for one in waiting.tx.inputs:
            self.spenders[one.outpoint] = waiting.tx.txid
        return waiting.tx.txid

    def mined(self, txs: Iterable[Tx]) -> None:
        """A block took these: they leave, and so does whatever they contradict."""
        for tx in txs:
            self._drop({tx.txid})
            rivals = {
                self.spenders[one.outpoint] for one in tx.inputs if self._wanted(one.outpoint)
            }
            self._drop(self._with_children(rivals))

    def rebuild(self, returned: Sequence[Tx]) -> None:
        """After a reorg: judge all anew, those whose block was undone first."""
        again = [*returned, *(one.tx for one in self.entries.values())]
        self.entries.clear()
        self.spenders.clear()
        for tx in again:
            try:
                self.accept(tx.raw, limits=False)
            except Rejected:
                continue

    def template(self) -> tuple[list[Tx], int]:
        """What a miner takes, best ancestors' fee rate first, parents before children; fees."""
        left = dict(self.entries)
        taken: list[Tx] = []
        fees = 0
        while left:
            best, family = max(
                (
                    (self._rate(group), group)
                    for group in (self._ancestry(one, left) for one in left)
                ),
                key=lambda pair: pair[0],
            )
            if best < self._rates.block:
                break
            for txid in family:
                fees += left[txid].fee
                taken.append(left.pop(txid).tx)
        return taken, fees

    def _coins(self, tx: Tx) -> list[Held]:
        found: list[Held] = []
        for one in tx.inputs:
            txid, number = one.outpoint
            held = self._index.coins.get(one.outpoint)
            if held is None and (parent := self.entries.get(txid)) is not None:
                if number >= len(parent.tx.outputs):
                    raise missing()
                held = Held(parent.tx.outputs[number], self._index.height + 1, coinbase=False)
            if held is None:
                raise missing()
            found.append(held)
        return found

    def _replaced(self, new: Waiting) -> set[bytes]:
        rivals = {
            self.spenders[one.outpoint] for one in new.tx.inputs if self._wanted(one.outpoint)
        }
        if not rivals:
            return set()
        gone = self._with_children(rivals)
        said = f"insufficient fee, rejecting replacement {shown(new.tx.txid)}"
        if any(one.outpoint[0] in gone for one in new.tx.inputs):
            raise Rejected(f"bad-txns-spends-conflicting-tx, {shown(new.tx.txid)}")
        if len(gone) > _MOST_REPLACED:
            raise Rejected("too many potential replacements")
        rate = new.fee / new.tx.vsize
        if any(rate <= old.fee / old.tx.vsize for old in map(self.entries.__getitem__, rivals)):
            raise Rejected(f"{said}; new feerate is not above the old one's")
        more = new.fee - sum(self.entries[one].fee for one in gone)
        least = int(new.tx.vsize * self._rates.increment)
        if more < least:
            raise Rejected(f"{said}, not enough additional fees to relay; {more} < {least}")
        return gone

    def _wanted(self, outpoint: tuple[bytes, int]) -> bool:
        return outpoint in self.spenders

    def _with_children(self, txids: set[bytes]) -> set[bytes]:
        found = set(txids)
        while more := {
            txid
            for txid, one in self.entries.items()
            if txid not in found and any(spend.outpoint[0] in found for spend in one.tx.inputs)
        }:
            found |= more
        return found

    def _drop(self, txids: set[bytes]) -> None:
        for txid in txids:
            if (gone := self.entries.pop(txid, None)) is not None:
                for one in gone.tx.inputs:
                    self.spenders.pop(one.outpoint, None)

    def _ancestry(self, txid: bytes, left: dict[bytes, Waiting]) -> list[bytes]:
        """A transaction behind all of its parents that still wait."""
        found: dict[bytes, None] = {}
        stack = [(txid, False)]
        while stack:
            one, parents_done = stack.pop()
            if parents_done:
                found[one] = None
            elif one in left and one not in found:
                stack.append((one, True))
                stack.extend((spend.outpoint[0], False) for spend in left[one].tx.inputs)
        return list(found)

    def _rate(self, family: list[bytes]) -> float:
        entries = [self.entries[one] for one in family]
        return sum(one.fee for one in entries) / sum(one.tx.vsize for one in entries)
