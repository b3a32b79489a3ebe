"""A department of the mesh: what works over its post office while it is up."""

from dataclasses import dataclass
from typing import Protocol

from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.identity.hot import HotKey
from hermes.mesh.members import Report
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.post import Post
from hermes.node.fleet import Fleet
from hermes.node.owner import Owner
from hermes.node.presence import Presence
from hermes.node.roster import Roster
from hermes.node.whereabouts import Whereabouts


@dataclass(frozen=True)
class Ground:
    """What a department stands on: all open while it runs."""

    settings: Settings
    owner: Owner
    clock: Clock
    key: HotKey
    wire: Wire
    post: Post
    presence: Presence
    roster: Roster
    places: Whereabouts
    fleet: Fleet


class Department(Protocol):
    """One of them; lives as long as the mesh is up."""

    async def run(self) -> None:
        """Work until cancelled; what it raises brings the mesh down, to be begun again."""
        ...

    def learnt(self, report: Report) -> None:
        """Hear that a member's standing or card changed; must not wait."""
        ...
