"""Asking relays for what an instance shows to anybody, under a key of the moment.

Only what the wire verified comes back. Loaded late: takes nostr-sdk.
"""

import secrets
from collections.abc import Iterable

from hermes.core.clock import SystemClock
from hermes.errors import RelayRefused
from hermes.identity.attest import GENESIS
from hermes.mesh.event import Filter
from hermes.mesh.lookup import KINDS, Found, Told, judge
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.public import ATTESTATION, CHECKPOINT, cosigners_named

_MOST_RELAYS, _MOST = 16, 64


async def look_at(author: str, urls: Iterable[str], before: str = "") -> Found:
    """Ask each relay and judge; raises ProofInvalid, see `hermes.mesh.lookup.judge`."""
    some = tuple(dict.fromkeys(url.rstrip("/") for url in urls))[:_MOST_RELAYS]
    async with Wire(NostrKeys(secrets.token_bytes(32)), SystemClock()) as wire:
        reached = await wire.connect(some)
        told: dict[str, Told] = {}
        for url in some:  # one after another, so that each answers for its own lies
            if reached[url]:
                told[url] = Told(reason=reached[url])
            else:
                told[url] = await _ask(wire, url, Filter(kinds=KINDS, authors=(author,)))
        named = {key for one in told.values() for key in _cosigners(one)}
        records = Filter(
            kinds=(ATTESTATION,), authors=tuple(sorted(named))[:_MOST], tags={"t": (GENESIS,)}
        )
        witnesses = [
            event
            for url in (some if named else ())
            if not reached[url]
            for event in (await _ask(wire, url, records)).events
        ]
    return judge(author, told, SystemClock().now_ms(), before, witnesses)


async def _ask(wire: Wire, url: str, wish: Filter) -> Told:
    before = wire.lies
    try:
        events = await wire.fetch(wish, url=url)
    except RelayRefused as error:
        return Told(reason=error.message)
    return Told(events, lies=wire.lies - before)


def _cosigners(told: Told) -> set[str]:
    return {
        key for event in told.events if event.kind == CHECKPOINT for key in cosigners_named(event)
    }
