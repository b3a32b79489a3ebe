"""What the detector is made of: its pace, its view, what it is told and what it wants done."""

import msgspec

from hermes.mesh.gossip_wire import Ack, Ping, PingFor
from hermes.mesh.members import Card, Members, Report, Standing

ERRANDS = 64
"""Most questions asked for others at one time."""
MOST_STRAIN = 8


class Pace(msgspec.Struct, frozen=True):
    """How often and how long, in milliseconds."""

    probe_ms: int = 3_000
    ack_ms: int = 1_000
    helped_ms: int = 2_500
    suspicion_ms: int = 3_500
    helpers: int = 3
    reach_ms: int = 10_000
    forget_ms: int = 86_400_000
    most_back: int = 32


class Probe(msgspec.Struct, frozen=True):
    """The one question that is open; `helped` once others were asked, too (at `sent_at`)."""

    target: str
    nonce: int
    sent_at: int
    helped: bool = False


class Errand(msgspec.Struct, frozen=True):
    """A question asked for another node."""

    asker: str
    nonce: int
    expires_at: int


class Detector(msgspec.Struct, frozen=True):
    """One node's view; `incarnation` begins at the time of its start and only rises.

    `made`: the versions of its latest cards, so that it knows which are its twin's. `strain`: how
    slow this node (or all it reaches) has been; it then asks less often and waits longer.
    `missed`: questions that were given up lately.
    """

    me: str
    incarnation: int
    seed: int
    pace: Pace = Pace()
    card: Card | None = None
    members: Members = Members()
    order: tuple[str, ...] = ()
    probe: Probe | None = None
    errands: dict[int, Errand] = {}
    suspects: dict[str, int] = {}
    probe_at: int = 0
    reach_at: int = 0
    made: tuple[int, ...] = ()
    strain: int = 0
    missed: tuple[int, ...] = ()


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


class Asked(msgspec.Struct, frozen=True):
    """A question or an answer came from another node."""

    sender: str
    message: Ping | Ack | PingFor


class Told(msgspec.Struct, frozen=True):
    """Others' reports; `hearsay` when they come out of a compared table."""

    reports: tuple[Report, ...]
    hearsay: bool = False


class Present(msgspec.Struct, frozen=True):
    """This node's own card is another one."""

    card: Card


class Back(msgspec.Struct, frozen=True):
    """This node's own line works (again): whose silence it was is asked at once."""


class Send(msgspec.Struct, frozen=True):
    """Ask or answer another node."""

    to: str
    message: Ping | Ack | PingFor


class Changed(msgspec.Struct, frozen=True):
    """News of a member (or of this node itself); out of a compared table it is not spread on."""

    report: Report
    spread: bool = True


class Twin(msgspec.Struct, frozen=True):
    """Somebody else lives under this node's key: another life of it was heard of."""

    incarnation: int


Event = Tick | Asked | Told | Present | Back
Action = Send | Changed | Twin


def stretched(state: Detector, ms: int) -> int:
    """A time of the pace, longer for a node under strain."""
    return ms * (1 + state.strain)


def strained(state: Detector, by: int) -> Detector:
    """One more or less of strain."""
    return msgspec.structs.replace(state, strain=min(max(state.strain + by, 0), MOST_STRAIN))


def myself(state: Detector) -> Report:
    """What this node says of itself."""
    return Report(state.me, state.incarnation, Standing.ALIVE, state.card)
