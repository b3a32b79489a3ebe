"""What came in: each envelope has its effect once, however often it comes.

Noted before the effect and kept past its expiry; what was noted but not finished when a node
ended comes back as interrupted, never as new. Does not check signatures: the envelope did.
"""

import msgspec

from hermes.mesh.shards import Shards

KEEP_MS = 172_800_000
"""How long past its expiry an id is kept: relays hold wraps dated up to two days back."""
MOST_A_SENDER = 20_000
_SWEEP_MS = 600_000


class Seen(msgspec.Struct, frozen=True, gc=False):
    """One envelope that came; durable before its effect."""

    id: str
    sender: str
    expires_at: int
    finished: bool = False


class Inbox(msgspec.Struct, frozen=True):
    """What has been seen; how much of each sender."""

    seen: Shards[Seen] = Shards()
    counts: dict[str, int] = {}
    sweep_at: int = 0


class Arrived(msgspec.Struct, frozen=True):
    """An envelope was opened, and is for this node."""

    id: str
    sender: str
    expires_at: int


class Finished(msgspec.Struct, frozen=True):
    """The effect is durable."""

    id: str


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


class Note(msgspec.Struct, frozen=True):
    """Make this durable before any later action of the same step."""

    seen: Seen


class Effect(msgspec.Struct, frozen=True):
    """Let it have its effect: told once."""

    id: str
    sender: str


class Acknowledge(msgspec.Struct, frozen=True):
    """Tell the sender that it need not come again."""

    id: str
    sender: str


class Interrupted(msgspec.Struct, frozen=True):
    """Its effect had begun when this node ended: to be looked at, not repeated."""

    id: str
    sender: str


class Refuse(msgspec.Struct, frozen=True):
    """It has no effect, for a reason that is counted."""

    id: str
    sender: str
    reason: str


class Forget(msgspec.Struct, frozen=True):
    """These ids may go: they can never be valid again."""

    ids: tuple[str, ...]


Event = Arrived | Finished | Tick
Action = Note | Effect | Acknowledge | Interrupted | Refuse | Forget


def restored(seen: tuple[Seen, ...]) -> tuple[Inbox, tuple[Interrupted, ...]]:
    """Come back after an end, with what was noted."""
    state = Inbox()
    for one in seen:
        state = _noted(state, one, 1)
    begun = tuple(Interrupted(one.id, one.sender) for one in seen if not one.finished)
    return state, begun


def due(state: Inbox) -> int | None:
    """When the next tick has something to do."""
    return state.sweep_at if len(state.seen) else None


def step(state: Inbox, now: int, event: Event) -> tuple[Inbox, tuple[Action, ...]]:
    """Take one event."""
    match event:
        case Arrived():
            return _arrived(state, now, event)
        case Finished(name):
            one = state.seen.get(name)
            if one is None or one.finished:
                return state, ()
            one = msgspec.structs.replace(one, finished=True)
            return _noted(state, one, 0), (Note(one), Acknowledge(name, one.sender))
        case Tick():
            return _swept(state, now) if now >= state.sweep_at else (state, ())


def _arrived(state: Inbox, now: int, event: Arrived) -> tuple[Inbox, tuple[Action, ...]]:
    one = state.seen.get(event.id)
    if one is not None and one.sender != event.sender:
        return state, (Refuse(event.id, event.sender, "forged"),)
    if one is not None:
        # Still at work: no word yet, the sender will ask again.
        return state, ((Acknowledge(event.id, event.sender),) if one.finished else ())
    if event.expires_at <= now:
        return state, (Refuse(event.id, event.sender, "stale"),)
    if state.counts.get(event.sender, 0) >= MOST_A_SENDER:
        return state, (Refuse(event.id, event.sender, "too many"),)
    one = Seen(event.id, event.sender, event.expires_at)
    return _noted(state, one, 1), (Note(one), Effect(event.id, event.sender))


def _noted(state: Inbox, one: Seen, more: int) -> Inbox:
    counts = state.counts
    if more:
        counts = counts | {one.sender: counts.get(one.sender, 0) + more}
    return msgspec.structs.replace(state, seen=state.seen.put(one.id, one), counts=counts)


def _swept(state: Inbox, now: int) -> tuple[Inbox, tuple[Action, ...]]:
    old = [one for _, one in state.seen.items() if one.expires_at + KEEP_MS <= now]
    seen, counts = state.seen, state.counts.copy()
    for one in old:
        seen = seen.drop(one.id)
        counts[one.sender] -= 1
        if not counts[one.sender]:
            del counts[one.sender]
    state = msgspec.structs.replace(state, seen=seen, counts=counts, sweep_at=now + _SWEEP_MS)
    return state, ((Forget(tuple(one.id for one in old)),) if old else ())
