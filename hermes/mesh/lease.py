"""Fenced leases: one node at a time holds a key, and another takes over when it is gone.

A claim needs the grants of a majority; each voter grants an epoch once. Candidates wait by their
rendezvous rank, so that one claims and the others hear of it. Does not guard what is done under
a lease: whoever stores an effect compares fences.
"""

import msgspec

from hermes.mesh.lease_values import (
    LEAP,
    Action,
    Claim,
    Deny,
    Drop,
    Event,
    Fence,
    Fleet,
    Free,
    Gained,
    Grant,
    Heard,
    Known,
    Leases,
    Lost,
    Send,
    Stage,
    Tenure,
    Tick,
    Want,
)
from hermes.mesh.lease_votes import freed, vote
from hermes.mesh.quorum import quorum
from hermes.mesh.rendezvous import rank

_Result = tuple[Leases, tuple[Action, ...]]


def due(state: Leases) -> int | None:
    """When the next tick has something to do; None: never, as it stands."""
    times = [tenure.at for tenure in state.tenures.values()]
    times += [
        promise.until
        for key, promise in state.promises.items()
        if not promise.freed and key not in state.tenures
    ]
    return min(times, default=None)


def step(state: Leases, now: int, event: Event) -> _Result:
    """Take one event."""
    match event:
        case Fleet(voters, live):
            return msgspec.structs.replace(state, voters=voters, live=live), ()
        case Want(key, place):
            return _wanted(state, now, key, place)
        case Drop(key):
            return _dropped(state, key, "done")
        case Heard(sender, message):
            return _heard(state, now, sender, message) if sender in state.voters else (state, ())
        case Tick():
            return _tick(state, now)


def _heard(state: Leases, now: int, sender: str, message: object) -> _Result:
    match message:
        case Claim():
            return vote(state, now, sender, message)
        case Grant():
            return _granted(state, now, sender, message)
        case Deny():
            return _denied(state, now, sender, message)
        case Free():
            return freed(state, sender, message)
        case _:
            return state, ()


def _set(state: Leases, tenure: Tenure) -> Leases:
    return msgspec.structs.replace(state, tenures=state.tenures | {tenure.key: tenure})


def _unset(state: Leases, key: str) -> Leases:
    tenures = {name: one for name, one in state.tenures.items() if name != key}
    return msgspec.structs.replace(state, tenures=tenures)


def _wanted(state: Leases, now: int, key: str, place: str) -> _Result:
    if key in state.tenures:
        return state, ()
    promise = state.promises.get(key)
    # What an earlier life of this node holds, it may claim again.
    if promise and promise.holds(now) and promise.holder != state.me:
        return state, (Known(key, Fence(promise.epoch, promise.holder), promise.until),)
    at = now + rank(key, state.me, state.live, place) * state.terms.rank_ms
    state = _set(state, Tenure(key, Stage.WAITING, at))
    return _tick(state, now) if at <= now else (state, ())


def _dropped(state: Leases, key: str, why: str) -> _Result:
    tenure = state.tenures.get(key)
    if tenure is None:
        return state, ()
    state = _unset(state, key)
    if tenure.stage is Stage.WAITING:
        return state, (Lost(key, why),)
    free = Free(key, tenure.epoch)
    state, stored = freed(state, state.me, free)
    sends = tuple(Send(voter, free) for voter in state.voters if voter != state.me)
    return state, (*stored, Lost(key, why), *sends)


def _tick(state: Leases, now: int) -> _Result:
    actions: list[Action] = []
    for key, promise in state.promises.items():
        if key not in state.tenures and not promise.freed and now >= promise.until:
            # Not freed and not renewed: its holder is gone, and what it did waits for another.
            at = now + rank(key, state.me, state.live) * state.terms.rank_ms
            state = _set(state, Tenure(key, Stage.WAITING, at))
    for tenure in state.tenures.values():
        if tenure.at <= now:
            state, more = _go_on(state, now, tenure)
            actions += more
    return state, tuple(actions)


def _go_on(state: Leases, now: int, tenure: Tenure) -> _Result:
    if tenure.stage is Stage.HELD:
        if now >= tenure.until:
            return _dropped(state, tenure.key, "not renewed in time")
        return _ask(state, now, tenure)
    if tenure.stage is Stage.CLAIMING:
        if tenure.tries >= state.terms.tries:
            return _dropped(state, tenure.key, "no majority")
        return _ask(state, now, tenure)
    return _begin(state, now, tenure)


def _begin(state: Leases, now: int, tenure: Tenure) -> _Result:
    promise = state.promises.get(tenure.key)
    if promise and promise.holds(now) and promise.holder != state.me:
        known = Known(tenure.key, Fence(promise.epoch, promise.holder), promise.until)
        return _unset(state, tenure.key), (Lost(tenure.key, "another holds it"), known)
    epoch = 1 + max(promise.epoch if promise else 0, tenure.epoch)
    fresh = msgspec.structs.replace(tenure, stage=Stage.CLAIMING, epoch=epoch, tries=0)
    return _ask(state, now, fresh)


def _ask(state: Leases, now: int, tenure: Tenure) -> _Result:
    """Put the question anew, to all; grants of an earlier question no longer count."""
    terms = state.terms
    state = msgspec.structs.replace(state, turn=state.turn + 1)
    at = now + terms.answer_ms
    if tenure.stage is Stage.HELD:
        at = min(at, tenure.until)
    tenure = msgspec.structs.replace(
        tenure, turn=state.turn, asked_at=now, at=at, tries=tenure.tries + 1, granted=frozenset()
    )
    claim = Claim(tenure.key, tenure.epoch, tenure.turn, terms.lease_ms)
    state, own = vote(_set(state, tenure), now, state.me, claim)
    actions: list[Action] = []
    for action in own:
        if not isinstance(action, Send):
            actions.append(action)  # stored before the claim goes out
        elif isinstance(action.message, Deny):
            return _denied(state, now, state.me, action.message)
    actions += [Send(voter, claim) for voter in state.voters if voter != state.me]
    state, more = _granted(state, now, state.me, Grant(claim.key, claim.epoch, claim.turn))
    return state, (*actions, *more)


def _granted(state: Leases, now: int, sender: str, grant: Grant) -> _Result:
    tenure = state.tenures.get(grant.key)
    if tenure is None or (tenure.epoch, tenure.turn) != (grant.epoch, grant.turn):
        return state, ()
    tenure = msgspec.structs.replace(tenure, granted=tenure.granted | {sender})
    until = tenure.asked_at + state.terms.lease_ms
    if len(tenure.granted) < _quorum(state) or now >= until or until <= tenure.until:
        return _set(state, tenure), ()
    renewed = tenure.stage is Stage.HELD
    at = tenure.asked_at + state.terms.lease_ms // 3
    held = msgspec.structs.replace(tenure, stage=Stage.HELD, until=until, at=at, tries=0)
    fence = Fence(tenure.epoch, state.me)
    return _set(state, held), (Gained(tenure.key, fence, until, renewed),)


def _quorum(state: Leases) -> int:
    return quorum(state.me, state.voters, state.live, strict=state.terms.strict)


def _denied(state: Leases, now: int, sender: str, deny: Deny) -> _Result:
    tenure = state.tenures.get(deny.key)
    if tenure is None or tenure.turn != deny.turn or tenure.stage is Stage.WAITING:
        return state, ()
    theirs = Fence(deny.epoch, deny.holder)
    if deny.left_ms == 0 or deny.holder == state.me:
        stays = state.terms.strict or deny.epoch <= tenure.epoch
        if deny.epoch > tenure.epoch + LEAP or (tenure.stage is Stage.HELD and stays):
            return state, ()
        # Only the epoch was too low: once more, above it. For who holds, too: a part of the fleet
        # went on without a majority in a higher one, and hears no lower one any more.
        higher = msgspec.structs.replace(
            tenure, stage=Stage.WAITING, epoch=max(deny.epoch, tenure.epoch), at=now + 1
        )
        return _set(state, higher), ()
    if tenure.stage is Stage.HELD and theirs < Fence(tenure.epoch, state.me):
        return state, ()  # the other side of a healed partition: it will yield to us
    if tenure.stage is Stage.CLAIMING and deny.left_ms <= 2 * state.terms.grace_ms:
        # A voter that heard the last renewal a little later: its promise is about to end.
        free = Free(deny.key, tenure.epoch)
        state, stored = freed(state, state.me, free)
        again = msgspec.structs.replace(tenure, stage=Stage.WAITING, at=now + deny.left_ms + 1)
        sends = tuple(Send(voter, free) for voter in state.voters if voter != state.me)
        return _set(state, again), (*stored, *sends)
    state, actions = _dropped(state, deny.key, f"{sender} has promised it to another")
    return state, (*actions, Known(deny.key, theirs, now + deny.left_ms))
