"""The voter's half of a lease: what was promised to whom, and when another may have it.

All by this node's own clock from the moment of receipt, which comes after the asker's: a promise
outlives the lease that rests on it, whatever the clocks show. Does not guard against clocks that
run at different rates by more than the grace.
"""

import msgspec

from hermes.mesh.lease_values import (
    LEAP,
    Action,
    Claim,
    Deny,
    Fence,
    Free,
    Grant,
    Known,
    Leases,
    Promise,
    Send,
    Store,
    Terms,
)


def restored(
    me: str, terms: Terms, promises: tuple[Promise, ...], now: int, *, turn: int = 0
) -> Leases:
    """Come back after an end: what was promised is held to in full, counted from now."""
    until = now + terms.lease_ms + terms.grace_ms
    kept = {one.key: msgspec.structs.replace(one, until=until) for one in promises}
    return Leases(me, terms, promises=kept, turn=turn)


def vote(state: Leases, now: int, asker: str, claim: Claim) -> tuple[Leases, tuple[Action, ...]]:
    """Grant or deny a claim, also one of this node's own."""
    held = state.promises.get(claim.key)
    if claim.epoch > LEAP + (held.epoch if held else 0):
        return state, ()
    if held and not _may(held, now, asker, claim):
        left = min(max(0, held.until - now), 86_400_000) if held.holds(now) else 0
        deny = Deny(claim.key, claim.turn, held.epoch, held.holder, left)
        return state, (Send(asker, deny),)
    span = min(claim.span_ms, 10 * state.terms.lease_ms)
    until = now + span + state.terms.grace_ms
    promise = Promise(claim.key, claim.epoch, asker, until)
    state = msgspec.structs.replace(state, promises=state.promises | {claim.key: promise})
    grant = Send(asker, Grant(claim.key, claim.epoch, claim.turn))
    if asker == state.me:
        return state, (Store(promise), grant)
    return state, (Store(promise), grant, Known(claim.key, Fence(claim.epoch, asker), until))


def _may(held: Promise, now: int, asker: str, claim: Claim) -> bool:
    if claim.epoch < held.epoch:
        return False
    if claim.epoch == held.epoch:
        return held.holder == asker and not held.freed
    return held.holder == asker or not held.holds(now)


def freed(state: Leases, holder: str, message: Free) -> tuple[Leases, tuple[Action, ...]]:
    """Let go of a promise whose holder is done; its epoch stays used."""
    held = state.promises.get(message.key)
    if held is None or (held.epoch, held.holder) != (message.epoch, holder) or held.freed:
        return state, ()
    promise = msgspec.structs.replace(held, freed=True)
    state = msgspec.structs.replace(state, promises=state.promises | {message.key: promise})
    return state, (Store(promise),)
