"""What gossip is made of: its pace, its view, what it is told and what it wants done."""

import msgspec

from hermes.mesh.gossip_wire import Message, Saying, Topic
from hermes.mesh.members import Members, Report

MOST_ITEMS = 2_048
"""Most topic items kept at one time: what comes beyond is refused."""


class Pace(msgspec.Struct, frozen=True):
    """How often and how long, in milliseconds; `fanout` members hear a rumour each time."""

    flush_ms: int = 1_000
    fanout: int = 2
    sync_ms: int = 30_000
    urgent_ms: int = 2_000
    keep_ms: int = 120_000


class Rumour(msgspec.Struct, frozen=True):
    """News, and how often it is still told."""

    report: Report
    left: int


class Gossip(msgspec.Struct, frozen=True):
    """One node's part; `links` None: to be found anew; `urgent`: tables differed much just now.

    `slow`: by how much rumours and urgent comparisons are put off, for a node under strain.
    """

    me: str
    seed: int
    pace: Pace = Pace()
    rumours: dict[str, Rumour] = {}
    items: dict[str, Topic] = {}
    links: tuple[str, ...] | None = None
    flush_at: int = 0
    sync_at: int = 0
    urgent: bool = False
    slow: int = 1


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""

    members: Members
    slow: int = 1


class Heard(msgspec.Struct, frozen=True):
    """A message came from another node."""

    sender: str
    message: Saying
    members: Members


class Spread(msgspec.Struct, frozen=True):
    """The detector has news; `told`: others are to hear of it."""

    report: Report
    members: Members
    told: bool = True


class Publish(msgspec.Struct, frozen=True):
    """This node says something to all."""

    item: Topic
    members: Members


class Join(msgspec.Struct, frozen=True):
    """Compare tables with these nodes now."""

    seeds: tuple[str, ...]
    members: Members


class Send(msgspec.Struct, frozen=True):
    """Say something to another node."""

    to: str
    message: Message


class Learn(msgspec.Struct, frozen=True):
    """Reports for the detector; `hearsay` when they come out of a compared table."""

    reports: tuple[Report, ...]
    hearsay: bool = False


class Deliver(msgspec.Struct, frozen=True):
    """A topic's item that is new here."""

    item: Topic


class Refused(msgspec.Struct, frozen=True):
    """A topic's item that was not taken, and why."""

    sender: str
    id: str
    reason: str


Event = Tick | Heard | Spread | Publish | Join
Action = Send | Learn | Deliver | Refused
"""`Join` seeds need not be members yet."""
