"""The walk from genesis to now, checked with nothing but its file and a chain one believes.

Each link spends output 1 of the one before, by the key that the records say; the last lies in a
block, and so do all before it, because a mined transaction's ancestors are mined. A second line
out of any link would be a double spend. Not shown: that the last link is the newest and that the
first instance began no other line from another deposit (ask a server), who holds the keys today,
and that no statement was left out.
"""

from typing import NamedTuple

import msgspec

from hermes.chain.anchored import payload_of_anchor, read
from hermes.chain.backend import Outpoint
from hermes.chain.headers import Headers
from hermes.chain.lineage_statements import Statements
from hermes.chain.lineage_wire import Lineage, Link, lineage_of
from hermes.chain.offline import place_of
from hermes.chain.payloads import genesis_payload, handoff_payload
from hermes.chain.scripts import CoinScripts, p2wpkh, scripts_of
from hermes.chain.sighash import check_ours
from hermes.chain.spv import check_mined
from hermes.chain.transaction import Output, Transaction
from hermes.chain.walk import How, Instance, Step, Walk
from hermes.chain.work import sha256d, shown, time_of
from hermes.core.anchor import AnchorKind, Payload
from hermes.core.attestation import Attestation, attestation_of
from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis
from hermes.identity.genesis import genesis_of
from hermes.identity.statements import Handoff, check_accepted, check_handoff

COIN_OUTPUT = 1
_BY_RECOVERY = b""
_KEY_PATH = 2


def verify_lineage(data: bytes, trusted: Headers | str) -> Walk:
    """Check a lineage against headers, or against a block's hash in hex; raises ProofInvalid."""
    lineage = lineage_of(data)
    place = lineage.place
    if place is None or not lineage.links:
        raise ProofInvalid("the lineage's last link is in no block yet", "export it again later")
    # What is cheap first: most of what is spoilt is found before a signature is checked.
    height, blocks, rests_on = place_of(place.header, trusted)
    last = read(lineage.links[-1].raw)
    check_mined(last.stripped, place.position, place.branch, place.header)
    found = walk(lineage)
    if isinstance(trusted, Headers) and trusted.network != found.network:
        raise ProofInvalid(f"the lineage is of {found.network}, the headers of {trusted.network}")
    return msgspec.structs.replace(
        found,
        block=shown(sha256d(place.header)),
        time=time_of(place.header) * 1000,
        height=height,
        blocks=blocks,
        rests_on=rests_on,
    )


def walk(lineage: Lineage) -> Walk:
    """Check everything but the place of the last link; raises ProofInvalid."""
    walker = _Walker(genesis_of(lineage.genesis))
    for number, link in enumerate(lineage.links):
        try:
            walker.take(link)
        except ProofInvalid as error:
            raise ProofInvalid(f"link {number}: {error.message}", error.remedy) from error
    statements = Statements([line.genesis for line in walker.lines])
    for number, block in enumerate(lineage.statements):
        try:
            statements.take(block)
        except ProofInvalid as error:
            raise ProofInvalid(f"statement {number}: {error.message}") from error
    return walker.walk(statements)


def check_heir(old: Genesis, new: Genesis) -> None:
    """Refuse a successor that cannot be this one's; raises ProofInvalid."""
    if new.network != old.network:
        raise ProofInvalid(f"the successor lives on {new.network}, not on {old.network}")
    shared = set(msgspec.structs.astuple(new.roles)) - {new.owner}  # one owner may have both
    if new.cid == old.cid or shared & set(msgspec.structs.astuple(old.roles)):
        raise ProofInvalid("the successor is the predecessor itself, or shares a key with it")
    if new.parent not in {"", old.cid}:
        raise ProofInvalid("the successor's genesis record names another predecessor")


class _Line(NamedTuple):
    """An instance as far as it was walked."""

    genesis: Genesis
    handoff: Handoff | None
    how: How
    steps: list[Step]


class _Walker:
    """Goes from link to link: whose coin it is, by which scripts, and what holds it."""

    def __init__(self, genesis: Genesis) -> None:
        self.lines = [_Line(genesis, None, "genesis", [])]
        self._scripts = scripts_of(genesis)
        self._known = {genesis.cid}
        self._last: Transaction | None = None
        self._takers = {"anchor": self._anchor, "handoff": self._handoff, "recovery": self._recover}

    def take(self, link: Link) -> None:
        """One link more; raises ProofInvalid."""
        transaction = read(link.raw)
        payload = payload_of_anchor(transaction)
        if len(transaction.outputs) <= COIN_OUTPUT:
            raise ProofInvalid("the transaction leaves no coin")
        heir = self._takers[link.kind](link, transaction, payload)
        scripts = scripts_of(heir.genesis) if heir else self._scripts
        coin = transaction.outputs[COIN_OUTPUT]
        if coin.script != scripts.coin:
            raise ProofInvalid("the coin goes to a key that no record names")
        check_ours(transaction, self._spent(link, transaction, scripts))
        if heir:
            self.lines.append(heir)
            self._known.add(heir.genesis.cid)
        self.lines[-1].steps.append(Step(payload.kind, transaction.txid, coin.value))
        self._scripts, self._last = scripts, transaction

    def walk(self, statements: Statements) -> Walk:
        """What was found."""
        instances = [
            Instance(
                line.genesis,
                line.how,
                tuple(line.steps),
                line.handoff,
                *statements.of(line.genesis.cid),
            )
            for line in self.lines
        ]
        last = self._last
        coin = last.outpoint(COIN_OUTPUT) if last else None
        value = last.outputs[COIN_OUTPUT].value if last else 0
        return Walk(self._now.network, tuple(instances), coin, value)

    @property
    def _now(self) -> Genesis:
        return self.lines[-1].genesis

    def _anchor(self, _: Link, transaction: Transaction, payload: Payload) -> None:
        first = self._last is None
        kinds = {AnchorKind.GENESIS} if first else {AnchorKind.CHECKPOINT, AnchorKind.BATCH}
        if payload.kind not in kinds:
            raise ProofInvalid(f"a {payload.kind.name.lower()} payload has no place here")
        if first and payload != genesis_payload(self._now):
            raise ProofInvalid("the first anchor is of another genesis record")
        _refuse_recovery(transaction)

    def _handoff(self, link: Link, transaction: Transaction, payload: Payload) -> _Line:
        new = self._heir(link.records[0])
        record, accepted = map(_statement, link.records[1:])
        handoff = check_handoff(record, self._now)
        check_accepted(accepted, record, new)
        if handoff.soul != new.soul:
            raise ProofInvalid("the handoff names another SOUL.md than the successor's")
        if payload != handoff_payload(record):
            raise ProofInvalid("the payload is not of this handoff's record and checkpoint")
        _refuse_recovery(transaction)
        theirs = bytes.fromhex(new.coin)
        if not any(one.witness[1:] == (theirs,) for one in transaction.inputs[1:]):
            raise ProofInvalid("the successor did not sign the handoff's transaction")
        return _Line(new, handoff, "handoff", [])

    def _recover(self, link: Link, transaction: Transaction, payload: Payload) -> _Line:
        new = self._heir(link.records[0])
        if new.parent != self._now.cid:
            raise ProofInvalid("the heir's genesis record does not name this predecessor")
        if payload != genesis_payload(new):
            raise ProofInvalid("the recovery is not for this heir's genesis record")
        if not _by_recovery(transaction):
            raise ProofInvalid("the coin was not taken by the recovery key")
        return _Line(new, None, "recovery", [])

    def _heir(self, block: bytes) -> Genesis:
        if self._last is None:
            raise ProofInvalid("nothing can be handed over before the first anchor")
        new = genesis_of(block)
        check_heir(self._now, new)
        if new.cid in self._known:
            raise ProofInvalid("the coin comes back to an earlier instance")
        return new

    def _spent(self, link: Link, transaction: Transaction, heir: CoinScripts) -> list[Output]:
        """What the inputs spend: the coin as it is known, deposits by the key that opens them."""
        found: list[Output] = []
        if self._last is not None:
            if transaction.inputs[0].outpoint != Outpoint(self._last.txid, COIN_OUTPUT):
                raise ProofInvalid("it does not spend the continuity coin of the link before")
            found.append(self._last.outputs[COIN_OUTPUT])
        rest = transaction.inputs[len(found) :]
        if len(rest) != len(link.values):
            raise ProofInvalid("not every deposit's value is told")
        known = {self._scripts.deposit, heir.deposit}
        if self._last is None:
            known = {self._scripts.deposit}
        for one, value in zip(rest, link.values, strict=True):
            script = p2wpkh(one.witness[1]) if _keyed(one.witness) else b""
            if script not in known:
                raise ProofInvalid("it spends what belongs to nobody in the records")
            found.append(Output(value, script))
        return found


def _keyed(witness: tuple[bytes, ...]) -> bool:
    return len(witness) == _KEY_PATH and len(witness[1]) == 33 and witness[1][0] in {2, 3}  # noqa: PLR2004 - a compressed key


def _by_recovery(transaction: Transaction) -> bool:
    witness = transaction.inputs[0].witness
    return len(witness) > _KEY_PATH and witness[1] == _BY_RECOVERY


def _refuse_recovery(transaction: Transaction) -> None:
    if _by_recovery(transaction):
        raise ProofInvalid("the coin was taken by the recovery key, not by its instance")


def _statement(block: bytes) -> Attestation:
    try:
        return attestation_of(block)
    except (ValueError, TypeError, RecursionError) as error:
        raise ProofInvalid("a record of the handoff is no statement") from error
