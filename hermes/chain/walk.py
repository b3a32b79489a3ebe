"""What a lineage tells once it is checked: instances, what each did, where the coin lies."""

from typing import Literal

import msgspec

from hermes.chain.backend import Outpoint
from hermes.core.anchor import AnchorKind
from hermes.identity.attest import Genesis
from hermes.identity.statements import Handoff, Member, Revoked, Soul

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
    members: tuple[Member, ...] = ()
    revoked: tuple[Revoked, ...] = ()

    def members_at(self, at: int) -> tuple[Member, ...]:
        """Who belongs to the fleet at a moment (ms UTC), as far as the statements say."""
        newest = {one.node: one for one in sorted(self.members, key=lambda one: one.at)}
        gone = {one.node: one.at for one in sorted(self.revoked, key=lambda one: one.at)}
        return tuple(
            one for node, one in newest.items() if one.holds(at) and gone.get(node, -1) < one.at
        )


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
