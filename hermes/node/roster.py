"""Who belongs to this node's fleets: the owner's statements, and those of an owner it joined.

Asked for every envelope, so the answer is held here; what is on disk is read again on `refresh`.
Times are the owner's word.
"""

from collections.abc import Callable
from pathlib import Path

import anyio.to_thread

from hermes.core.attestation import Attestation, attestation_of
from hermes.core.clock import Clock
from hermes.identity.attest import Genesis
from hermes.identity.genesis import load_genesis
from hermes.identity.members import Membership, members_at
from hermes.identity.statements import MEMBER, REVOKED
from hermes.store.store import Store


class Roster:
    """The members, as of the last `refresh`; `changed` is called when they are others."""

    def __init__(self, store: Store, folder: Path, clock: Clock) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._members: dict[str, Membership] = {}
        self.changed: list[Callable[[], None]] = []
        self.genesis: Genesis
        """Set by `refresh`."""

    @property
    def me(self) -> str:
        """This node's key."""
        return self.genesis.nostr

    async def refresh(self) -> None:
        """Read the statements again; raises IdentityMissing."""
        self.genesis = await anyio.to_thread.run_sync(load_genesis, self._folder)
        statements, now = await self.statements(), self._clock.now_ms()
        before, self._members = self._members, {}
        for owner in await self._store.peers.owners():
            found = {one.node: one for one in members_at(statements, owner, now)}
            if self.me in found and found[self.me].state == "valid":  # else we were let go
                self._members |= found
        own = members_at(statements, self.genesis.owner, now)
        self._members |= {one.node: one for one in own}
        if before != self._members:
            for call in self.changed:
                call()

    async def owners(self) -> frozenset[str]:
        """The keys whose statements count here."""
        return frozenset({self.genesis.owner, *await self._store.peers.owners()})

    async def statements(self) -> tuple[Attestation, ...]:
        """Every statement about members that is kept here."""
        acts = self._store.acts
        held = [one.data for one in (*await acts.list(MEMBER), *await acts.list(REVOKED))]
        told = [bytes.fromhex(one) for one in await self._store.peers.statements()]
        return tuple(attestation_of(one) for one in dict.fromkeys([*held, *told]))

    @property
    def all(self) -> tuple[Membership, ...]:
        """Everybody who is or was in, this node too."""
        return tuple(self._members.values())

    @property
    def others(self) -> tuple[str, ...]:
        """The keys of the members just now, without this node's."""
        return tuple(node for node in self._members if node != self.me and self.admits(node))

    def admits(self, node: str) -> bool:
        """Whether a key is a member's just now."""
        held = self._members.get(node)
        if held is None or held.state == "revoked":
            return False
        now = self._clock.now_ms()
        return held.since <= now and (not held.until or now < held.until)
