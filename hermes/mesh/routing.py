"""Where a message for a conversation goes: handled here, sent to its home, or kept until one is.

A hint may be old: a parcel that arrives where its conversation is no longer at home goes on from
there, a few times. Does not decide who is home: the lease does.
"""

from typing import Annotated

import msgspec

from hermes.mesh.rendezvous import candidate

MOST_HOPS = 6
MOST_HELD = 4_096
_AGAIN_MS = 1_000
_Node = Annotated[str, msgspec.Meta(max_length=128)]


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """A message for a conversation, and the node where it came into the mesh.

    `place`: the node that should be home where nobody is: the conversation's files lie there.
    """

    id: str
    conversation: str
    origin: _Node
    expires_at: Annotated[int, msgspec.Meta(ge=0, lt=1 << 52)]
    hops: int = 0
    place: _Node = ""


class Home(msgspec.Struct, frozen=True, gc=False):
    """Who holds a conversation, until when by this node's own clock."""

    holder: str
    epoch: int
    until: int


class Routes(msgspec.Struct, frozen=True):
    """What one node knows of homes, and the parcels that wait for one."""

    me: str
    live: tuple[str, ...] = ()
    homes: dict[str, Home] = {}
    held: dict[str, tuple[Parcel, ...]] = {}
    count: int = 0
    again_at: int = 0


class Came(msgspec.Struct, frozen=True):
    """A parcel came, from a person or from another node."""

    parcel: Parcel


class Settled(msgspec.Struct, frozen=True):
    """Somebody holds a conversation: this node, or another."""

    conversation: str
    home: Home


class Unsettled(msgspec.Struct, frozen=True):
    """This node no longer holds it, or did not get it."""

    conversation: str


class Fleet(msgspec.Struct, frozen=True):
    """Who is there, this node among them."""

    live: tuple[str, ...]


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


class Handle(msgspec.Struct, frozen=True):
    """This node is home: let the parcel have its effect under this epoch."""

    parcel: Parcel
    epoch: int


class Forward(msgspec.Struct, frozen=True):
    """Send the parcel on."""

    parcel: Parcel
    to: str


class Claim(msgspec.Struct, frozen=True):
    """Nobody is home and this node fits best: it wants the lease."""

    conversation: str
    place: str = ""


class Undelivered(msgspec.Struct, frozen=True):
    """The parcel found no home in time: its sender is told."""

    parcel: Parcel
    reason: str


Event = Came | Settled | Unsettled | Fleet | Tick
Action = Handle | Forward | Claim | Undelivered


def due(state: Routes) -> int | None:
    """When the next tick has something to do; None: nothing waits."""
    return state.again_at if state.count else None


def step(state: Routes, now: int, event: Event) -> tuple[Routes, tuple[Action, ...]]:
    """Take one event."""
    match event:
        case Came(parcel):
            return _route(state, now, parcel)
        case Settled(conversation, home):
            return _settled(state, now, conversation, home)
        case Unsettled(conversation):
            known = state.homes.get(conversation)
            if known and known.holder == state.me:
                gone = msgspec.structs.replace(known, until=now)
                homes = state.homes | {conversation: gone}
                state = msgspec.structs.replace(state, homes=homes)
            return state, ()
        case Fleet(live):
            return _all_again(msgspec.structs.replace(state, live=live), now)
        case Tick():
            return _all_again(state, now) if now >= state.again_at else (state, ())


def _settled(
    state: Routes, now: int, conversation: str, home: Home
) -> tuple[Routes, tuple[Action, ...]]:
    known = state.homes.get(conversation)
    newer = known is not None and (known.epoch, known.holder) > (home.epoch, home.holder)
    if known and newer and known.until > now:
        return state, ()
    state = msgspec.structs.replace(state, homes=state.homes | {conversation: home})
    if _home(state, now, conversation) is None:
        return state, ()  # its holder is gone: to claim at once would be told the same
    return _again(state, now, conversation)


def _home(state: Routes, now: int, conversation: str) -> Home | None:
    known = state.homes.get(conversation)
    if known and known.until > now and (known.holder == state.me or known.holder in state.live):
        return known
    return None


def _route(state: Routes, now: int, parcel: Parcel) -> tuple[Routes, tuple[Action, ...]]:
    if parcel.expires_at <= now:
        return state, (Undelivered(parcel, "expired"),)
    home = _home(state, now, parcel.conversation)
    if home and home.holder == state.me:
        return state, (Handle(parcel, home.epoch),)
    if home is None:
        best = candidate(parcel.conversation, {*state.live, state.me}, parcel.place)
        if best == state.me or best is None:
            state, actions = _hold(state, now, parcel)
            return state, (*actions, Claim(parcel.conversation, parcel.place))
    else:
        best = home.holder
    if parcel.hops >= MOST_HOPS:
        # Two nodes take each other for the home: wait here until one of them knows better.
        return _hold(state, now, msgspec.structs.replace(parcel, hops=0))
    return state, (Forward(msgspec.structs.replace(parcel, hops=parcel.hops + 1), best),)


def _hold(state: Routes, now: int, parcel: Parcel) -> tuple[Routes, tuple[Action, ...]]:
    there = state.held.get(parcel.conversation, ())
    if any(one.id == parcel.id for one in there):
        return state, ()
    if state.count >= MOST_HELD:
        return state, (Undelivered(parcel, "too many wait"),)
    held = state.held | {parcel.conversation: (*there, parcel)}
    again_at = state.again_at if state.count else now + _AGAIN_MS
    return (
        msgspec.structs.replace(state, held=held, count=state.count + 1, again_at=again_at),
        (),
    )


def _again(state: Routes, now: int, conversation: str) -> tuple[Routes, tuple[Action, ...]]:
    """Route what waited for this conversation, in the order in which it came."""
    parcels = state.held.get(conversation, ())
    held = {name: there for name, there in state.held.items() if name != conversation}
    state = msgspec.structs.replace(state, held=held, count=state.count - len(parcels))
    actions: list[Action] = []
    for parcel in parcels:
        state, more = _route(state, now, parcel)
        actions += (one for one in more if not isinstance(one, Claim) or one not in actions)
    return state, tuple(actions)


def _all_again(state: Routes, now: int) -> tuple[Routes, tuple[Action, ...]]:
    state = msgspec.structs.replace(state, again_at=now + _AGAIN_MS)
    actions: list[Action] = []
    for conversation in state.held:
        state, more = _again(state, now, conversation)
        actions += more
    return state, tuple(actions)
