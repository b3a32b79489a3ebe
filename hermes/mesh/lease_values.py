"""What a lease is made of: its terms, promises and tenures, the messages and the actions."""

from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from hermes.mesh.members import NodeKey

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]
_Span = Annotated[int, msgspec.Meta(ge=0, le=86_400_000)]
LEAP = 1 << 26
"""How far an epoch may be above what is known: each claim adds one, and none may use them up."""


class Fence(NamedTuple):
    """What an effect is compared by: a higher one has the say; no two leases have the same."""

    epoch: int
    holder: str


class Terms(msgspec.Struct, frozen=True):
    """How long, in milliseconds.

    `strict`: a majority of all voters must grant, so that two never hold at one time; otherwise
    where no majority is there, one of those who are: that side goes on alone (and forks).
    """

    lease_ms: int = 15_000
    grace_ms: int = 500
    rank_ms: int = 300
    answer_ms: int = 500
    tries: int = 4
    strict: bool = True


class _Message(msgspec.Struct, frozen=True, gc=False, tag_field="t", forbid_unknown_fields=True):
    """One message between voters and those who would hold."""


class Claim(_Message, frozen=True, gc=False, tag="claim"):
    """I would hold (or go on holding) this; `turn` numbers my questions."""

    key: Key
    epoch: _Count
    turn: _Count
    span_ms: _Span


class Grant(_Message, frozen=True, gc=False, tag="grant"):
    """To nobody else before the span is over."""

    key: Key
    epoch: _Count
    turn: _Count


class Deny(_Message, frozen=True, gc=False, tag="deny"):
    """No: what I have promised, to whom, and for how long; `left_ms` 0: your epoch is too low."""

    key: Key
    turn: _Count
    epoch: _Count
    holder: NodeKey
    left_ms: _Span


class Free(_Message, frozen=True, gc=False, tag="free"):
    """I no longer hold this."""

    key: Key
    epoch: _Count


LeaseMessage = Claim | Grant | Deny | Free


class Promise(msgspec.Struct, frozen=True, gc=False):
    """What this node granted last for a key: durable before the grant is sent."""

    key: str
    epoch: int
    holder: str
    until: int
    freed: bool = False

    def holds(self, now: int) -> bool:
        """Whether nobody else may have it."""
        return not self.freed and now < self.until


class Stage(StrEnum):
    """How far this node is with a key."""

    WAITING = "waiting"
    CLAIMING = "claiming"
    HELD = "held"


class Tenure(msgspec.Struct, frozen=True):
    """This node's own claim; `at`: when to go on; `until` counts from before it was asked for."""

    key: str
    stage: Stage
    at: int
    epoch: int = 0
    turn: int = 0
    asked_at: int = 0
    until: int = 0
    tries: int = 0
    granted: frozenset[str] = frozenset()


class Leases(msgspec.Struct, frozen=True):
    """One node's promises and tenures; `voters` are all, `live` those who are there."""

    me: str
    terms: Terms = Terms()
    voters: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    promises: dict[str, Promise] = {}
    tenures: dict[str, Tenure] = {}
    turn: int = 0


class Fleet(msgspec.Struct, frozen=True):
    """Who votes, and who of them is there."""

    voters: tuple[str, ...]
    live: tuple[str, ...]


class Want(msgspec.Struct, frozen=True):
    """This node would hold the key, if nobody does; `place` is the node that should rather."""

    key: str
    place: str = ""


class Drop(msgspec.Struct, frozen=True):
    """This node is done with the key."""

    key: str


class Heard(msgspec.Struct, frozen=True):
    """A message came from a voter."""

    sender: str
    message: LeaseMessage


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


class Send(msgspec.Struct, frozen=True):
    """Say something to a voter."""

    to: str
    message: LeaseMessage


class Store(msgspec.Struct, frozen=True):
    """Make the promise durable before any later action of the same step."""

    promise: Promise


class Gained(msgspec.Struct, frozen=True):
    """This node holds the key until then by its own clock (told again at each renewal)."""

    key: str
    fence: Fence
    until: int
    renewed: bool = False


class Lost(msgspec.Struct, frozen=True):
    """This node no longer holds the key, or did not get it."""

    key: str
    why: str


class Known(msgspec.Struct, frozen=True):
    """Somebody holds the key."""

    key: str
    fence: Fence
    until: int


Event = Fleet | Want | Drop | Heard | Tick
Action = Send | Store | Gained | Lost | Known
