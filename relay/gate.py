"""LocalRelay's two policies: what it asks before it takes an event, and before it searches.

An exception that escapes from here ends the whole process (nostr-sdk 0.45): both catch
everything, refuse, and count it as "broken".
"""

from nostr_sdk import (
    Event,
    Filter,
    QueryPolicy,
    QueryPolicyResult,
    WritePolicy,
    WritePolicyResult,
)

from hermes.core.clock import Clock
from hermes.store.relay_filter import Wanted
from relay.callers import Caller, Callers
from relay.counters import Counters
from relay.filters import FilterInvalid, read_filter
from relay.meters import Policy
from relay.note import WRAPS, read_note
from relay.policy import Seen, Verdict

_BROKEN = Verdict("broken", "error: the relay could not decide")
_SIDE_DOOR = Verdict("side door", "restricted: use the relay's own address")


class WriteGate(WritePolicy):  # type: ignore[misc] # nostr_sdk has no types
    """Asks the policy about each event."""

    def __init__(self, policy: Policy, callers: Callers, counters: Counters, clock: Clock) -> None:
        self._policy = policy
        self._callers = callers
        self._counters = counters
        self._clock = clock

    async def admit_event(self, event: Event, socket_addr: str) -> WritePolicyResult:
        """LocalRelay's question; never raises."""
        try:
            verdict, live = self._verdict(event.as_json(), self._callers.at(socket_addr))
        except Exception:  # noqa: BLE001 - it would end the process
            verdict, live = _BROKEN, False
        if verdict.accepted:
            self._counters.events["live"] += live
            return WritePolicyResult.ACCEPT()
        self._counters.events[verdict.reason] += 1
        return WritePolicyResult.REJECT(verdict.says)

    def _verdict(self, data: str, caller: Caller | None) -> tuple[Verdict, bool]:
        if caller is None:
            return _SIDE_DOOR, False
        now, note = self._clock.now_ms(), read_note(data)
        vouched = caller.vouched(self._policy.rules.served)
        seen = Seen(note, len(data.encode()), caller.address, vouched)
        return self._policy.admit(seen, now), note.ephemeral


class QueryGate(QueryPolicy):  # type: ignore[misc] # nostr_sdk has no types
    """Keeps wraps from those who do not say what they look for, and asks how often."""

    def __init__(self, policy: Policy, callers: Callers, counters: Counters, clock: Clock) -> None:
        self._policy = policy
        self._callers = callers
        self._counters = counters
        self._clock = clock

    async def admit_query(self, query: Filter, socket_addr: str) -> QueryPolicyResult:
        """LocalRelay's question; never raises."""
        try:
            says = self._refusal(query.as_json(), self._callers.at(socket_addr))
        except Exception:  # noqa: BLE001 - it would end the process
            says = _BROKEN.says
        self._counters.queries["refused" if says else "answered"] += 1
        return QueryPolicyResult.REJECT(says) if says else QueryPolicyResult.ACCEPT()

    def _refusal(self, data: str, caller: Caller | None) -> str:
        if caller is None:
            return _SIDE_DOOR.says
        known = caller.vouched(self._policy.rules.served)
        if not known and not self._policy.may_ask(caller.address, self._clock.now_ms()):
            return "rate-limited: too many questions, come back in a minute"
        try:
            wanted, _ = read_filter(data)
        except FilterInvalid as error:
            return str(error)
        return _private(wanted, caller)


def _private(wanted: Wanted, caller: Caller) -> str:
    """Why a filter may not see wraps that it could match, stored or new; empty: it may."""
    if wanted.kinds is None:
        if wanted.ids is not None or wanted.authors is not None:
            return ""  # wraps have throw-away authors, and the store gives none by id alone
        return "restricted: name the kinds, ids or authors that you look for"
    if not set(WRAPS) & set(wanted.kinds):
        return ""
    whose = dict(wanted.tags).get("p", ())
    if not whose:
        return "restricted: say whose (#p) messages you look for"
    if not caller.keys:
        return "auth-required: prove who you are (NIP-42)"
    return "" if caller.keys >= set(whose) else "restricted: these messages are somebody else's"
