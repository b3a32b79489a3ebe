"""What a lineage tells once it is checked: instances, what each did, where the coin lies."""

from typing import Literal

import msgspec

from hermes.chain.backend import Outpoint
from hermes.core.anchor import AnchorKind
from hermes.core.attestation import Attestation
from hermes.identity.attest import Genesis
from hermes.identity.members import Membership, members_at
from hermes.identity.statements import Handoff, Soul

How = Literal["genesis", "handoff", "recovery"]


class Step(msgspec.Struct, frozen=True):
    """One move of the coin: what it says, and what the coin holds after it (satoshi)."""

    kind: AnchorKind
    txid: str
    coin: int


class Instance(msgspec.Struct, frozen=True):
    """One instance of the line, how it came to the coin, and what it did.

    `handoff` is the record by which its predecessor appointed it. Statements are those that the
    lineage holds: one that was left out is not missed.
    """

    genesis: Genesis
    how: How
    steps: tuple[Step, ...] = ()
    handoff: Handoff | None = None
    souls: tuple[Soul, ...] = ()
    fleet: tuple[Attestation, ...] = ()
    """Members and revocations, signed by the owner that the record names."""

    def members_at(self, at: int) -> tuple[Membership, ...]:
        """How every node of the fleet stands at a moment (ms UTC)."""
        return members_at(self.fleet, self.genesis.owner, at)


class Walk(msgspec.Struct, frozen=True):
    """Every instance, oldest first; the coin as the last link left it; the last link's place.

    Times in ms UTC; `height` and `blocks` are None where only a block's hash was believed.
    """

    network: str
    instances: tuple[Instance, ...]
    coin: Outpoint | None = None
    value: int = 0
    block: str = ""
    time: int = 0
    height: int | None = None
    blocks: int | None = None
    rests_on: str = ""

    @property
    def now(self) -> Instance:
        """The present instance."""
        return self.instances[-1]

    @property
    def links(self) -> int:
        """How often the coin moved."""
        return sum(len(one.steps) for one in self.instances)
