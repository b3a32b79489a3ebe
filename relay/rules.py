"""What this relay takes from whom: values, read by the policy, the NIP-11 document and strfry."""

from typing import Annotated

import msgspec

Key = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
PerMinute = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may write what, and how often; keys in hex."""

    owners: frozenset[Key] = frozenset()
    """The owner's own keys and the node's: no limit on how often."""
    admitted: frozenset[Key] = frozenset()
    """Members and paired keys."""
    event_bytes: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 60_000
    """Bytes of an event's JSON at most."""
    tags: Annotated[int, msgspec.Meta(ge=1)] = 2_000
    """Tags of an event at most."""
    tag_bytes: Annotated[int, msgspec.Meta(ge=64)] = 1_024
    """Bytes of the value of a one-letter tag at most: those are indexed."""
    future_s: Annotated[int, msgspec.Meta(ge=0)] = 900
    """Seconds that an event may lie in the future."""
    live_s: Annotated[int, msgspec.Meta(ge=1)] = 60
    """Seconds after which an ephemeral event is stale."""
    wrap_days: Annotated[int, msgspec.Meta(ge=2)] = 3
    """Days that a stranger's wrap may lie in the past: NIP-59 sets it back by up to two."""
    work_bits: Annotated[int, msgspec.Meta(ge=0, le=64)] = 16
    """Proof of work that a stranger's wrap needs once the free ones are used up (NIP-13)."""
    free_per_minute: PerMinute = 20
    """Strangers' wraps without work, an address."""
    free_total_per_minute: PerMinute = 60
    """Strangers' wraps without work, all together."""
    worked_per_minute: PerMinute = 120
    """Strangers' wraps with work, an address."""
    worked_total_per_minute: PerMinute = 600
    """Strangers' wraps with work, all together."""
    admitted_per_minute: PerMinute = 6_000
    """Events of one admitted key, or vouched for by it."""
    queries_per_minute: PerMinute = 600
    """Filters of one address that nobody vouched for."""

    @property
    def served(self) -> frozenset[str]:
        """The keys that post is kept for."""
        return self.owners | self.admitted
