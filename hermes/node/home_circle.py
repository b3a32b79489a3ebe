"""Who of the fleet may be counted on: its members, who of them is there, and who fell silent.

A holder that does not renew is gone for a home's purposes before it is dead for all others.
"""

from collections.abc import Callable

from hermes.core.clock import Clock
from hermes.mesh.lease_values import Leases
from hermes.mesh.members import Member, Standing
from hermes.mesh.quorum import is_quorate, may_begin
from hermes.node.home_letters import TTL_MS
from hermes.node.presence import People
from hermes.store.homes import ParcelRow

_START_MS = 3_000
"""For so long after its start a node takes everybody for there, until it heard of them."""
_SILENT_MS = 60_000
_SPOKE_MS = 30_000
_LATELY_MS = 3_000
_PATIENCE_MS = 15_000
"""For so long a node without a majority waits for it to come back, before it gives a turn up; and
for so long after, for those of whom it has not heard again."""
_LEFT_MS = 2 * TTL_MS
"""For so long who was let go counts among those who may have noted what was begun."""


class Circle:
    """The fleet as its homes see it.

    Args:
        me: this node.
        people: the members.
        member: how one of them stands.
        clock: the time.
    """

    def __init__(
        self, me: str, people: People, member: Callable[[str], Member | None], clock: Clock
    ) -> None:
        self.me = me
        self._people = people
        self._member = member
        self._clock = clock
        self._began = clock.now_ms()
        self._silent: dict[str, int] = {}
        self._spoke: dict[str, int] = {}
        self._whole = True
        self._turned_at = 0
        self._member_at: dict[str, int] = {}

    @property
    def voters(self) -> tuple[str, ...]:
        """All members."""
        return tuple(sorted({self.me, *self._people.others}))

    @property
    def live(self) -> tuple[str, ...]:
        """Those who are there, this node among them."""
        now = self._clock.now_ms()
        starting = now < self._began + _START_MS
        found = {self.me}
        for node in self._people.others:
            held = self._member(node)
            there = held.standing is Standing.ALIVE if held else starting
            if there and self._silent.get(node, 0) <= now:
                found.add(node)
        return tuple(sorted(found))

    @property
    def is_quorate(self) -> bool:
        """Whether a majority is there."""
        return is_quorate(self.me, self.voters, self.live)

    @property
    def is_patient(self) -> bool:
        """Whether a node that is not there may be so for a short time only.

        Relays are restarted, lines cut: then all are gone, and come back one after the other.
        """
        turned = self.is_quorate is not self._whole  # since the last look
        return turned or self._clock.now_ms() < self._turned_at + _PATIENCE_MS

    def may_tell(self, node: str) -> bool:
        """Whether a node is there, or may be so soon; doubts about it outlive its first words."""
        lately = self._clock.now_ms() < self._spoke.get(node, 0) + _LATELY_MS
        return bool(node) and (node in self.live or lately or self.is_patient)

    def may_begin(self, row: ParcelRow) -> bool:
        """See `hermes.mesh.quorum.may_begin`; without a majority all count who may have noted."""
        late = self._clock.now_ms() - _LEFT_MS
        left = () if self.is_quorate else (n for n, at in self._member_at.items() if at > late)
        return may_begin(
            self.me,
            {*self.voters, *left},
            self.live,
            origin=row.origin,
            forwarded=row.forwarded,
            alone=row.alone,
        )

    def is_gone(self, node: str) -> bool:
        """Whether it is no use to say anything to a node."""
        held = self._member(node)
        spoke = self._clock.now_ms() < self._spoke.get(node, 0) + _SPOKE_MS
        return held is not None and held.standing is Standing.DEAD and not spoke

    def heard(self, node: str) -> None:
        """A node spoke; gossip hears of that later."""
        self._spoke[node] = self._clock.now_ms()
        self._silent.pop(node, None)

    def missed(self, leases: Leases) -> bool:
        """See which holders let a lease lapse; whether any is new. To be asked often."""
        now = self._clock.now_ms()
        self._member_at |= dict.fromkeys(self.voters, now)
        if self.is_quorate is not self._whole:
            self._whole, self._turned_at = not self._whole, now
        lapsed = {
            one.holder
            for key, one in leases.promises.items()
            if not one.freed and one.until <= now and key not in leases.tenures
        }
        new = lapsed - self._silent.keys() - {self.me}
        self._silent |= dict.fromkeys(new, now + _SILENT_MS)
        return bool(new)
