"""Dead-man recovery: after its delay, the recovery key passes a dead instance's coin to an heir.

What is built and checked here holds no key: the recovery key signs in a process of its own
(`recovery_signer`). Who dies, and when, is not judged: the delay since the coin's last move is.
"""

import msgspec

from hermes.chain.backend import Outpoint
from hermes.chain.coin import DUST
from hermes.chain.lineage import check_heir, walk
from hermes.chain.lineage_wire import Lineage, Link
from hermes.chain.payloads import genesis_payload
from hermes.chain.psbt import DEAD_PATH, check_shape, put_together
from hermes.chain.scripts import payload_script, scripts_of
from hermes.chain.spend import check_spend
from hermes.chain.transaction import outpoint_of, outpoint_text
from hermes.chain.walk import Walk
from hermes.config import Chain
from hermes.errors import ProofInvalid, Refused
from hermes.identity.attest import Genesis
from hermes.identity.spend import Spend

_OUTPUTS = 2


class Recovered(msgspec.Struct, frozen=True):
    """A recovery that is signed: the transaction, and the lineage that ends with it."""

    raw: bytes
    lineage: Lineage
    old: Genesis
    coin: Outpoint


def check_recoverable(old: Genesis, new: Genesis) -> None:
    """Refuse an heir that the coin cannot go to; raises Refused or ProofInvalid."""
    if not old.recovery:
        raise Refused("the predecessor's coin has no recovery path: it named no recovery key")
    check_heir(old, new)
    if new.parent != old.cid:
        raise Refused(
            "this identity's genesis record does not name that predecessor",
            f"make a new one with it: hermes identity init --parent {old.cid}",
        )


def check_recovery(spend: Spend, old: Genesis, new: Genesis, caps: Chain) -> None:
    """Check a recovery before anybody signs it; raises ProofInvalid with the reason."""
    check_recoverable(old, new)
    coin, *rest = spend.inputs
    dead, heir = scripts_of(old), scripts_of(new)
    if coin.script != dead.coin:
        raise ProofInvalid("input 0 is not the predecessor's coin")
    if coin.sequence != old.recovery_after:
        raise ProofInvalid(f"input 0 does not ask for the delay of {old.recovery_after} blocks")
    if any(one.script != heir.deposit for one in rest):
        raise ProofInvalid("an input is neither the coin nor a deposit of the heir")
    if spend.locktime != 0 or len(spend.outputs) != _OUTPUTS:
        raise ProofInvalid("the transaction pays to somebody whom no record names")
    payload, out = spend.outputs
    if payload.value != 0 or payload.script != payload_script(genesis_payload(new)):
        raise ProofInvalid("the payload is not of the heir's genesis record")
    if out.script != heir.coin or out.value < DUST:
        raise ProofInvalid("the coin does not go to the heir")
    size = spend.vsize(dead.witness)
    if not 0 <= spend.fee <= min(caps.fee_most, caps.fee_rate_most * size):
        raise ProofInvalid(f"the fee of {spend.fee} sat is more than the settings allow")


def check_recovered(spend: Spend, lineage: Lineage, new: Genesis, caps: Chain) -> Recovered:
    """Check a recovery that is signed; raises ProofInvalid with the reason."""
    at: Walk = walk(lineage)
    old = at.now.genesis
    if at.coin is None or spend.inputs[0].coin != outpoint_text(at.coin):
        raise ProofInvalid("input 0 is not the coin that the lineage ends with")
    check_recovery(spend, old, new, caps)
    key = bytes.fromhex(old.recovery)
    raw = put_together(spend, (scripts_of(old), scripts_of(new)), DEAD_PATH, key)
    check_shape(raw, "the recovery key's signature, or the heir's")
    spent = [(outpoint_of(one.coin), (one.value, one.script)) for one in spend.inputs]
    check_spend(raw, dict(spent))
    values = tuple(one.value for one in spend.inputs[1:])
    link = Link(raw, values, (new.record.block().data,))
    whole = msgspec.structs.replace(lineage, links=(*lineage.links, link), place=None)
    walk(whole)  # whoever verifies it later sees what we see
    return Recovered(raw, whole, old, at.coin)
