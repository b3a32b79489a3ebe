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
from hermes.mesh.knock import KNOCK, Door
from relay.callers import Caller, Callers
from relay.counters import Counters
from relay.filters import FilterInvalid, read_filter
from relay.meters import Policy
from relay.note import LIVE_WRAP, Note, read_note
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
        self._door = Door(policy.rules.owners)

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
        seen = Seen(note, len(data.encode()), caller.address, caller.key)
        verdict = self._policy.admit(seen, now)
        if verdict.accepted and note.kind == KNOCK:
            self._let_in(note, caller, now // 1000)
        return verdict, note.ephemeral

    def _let_in(self, note: Note, caller: Caller, now: int) -> None:
        known = note.pubkey in self._policy.rules.served
        if known and self._door.opens(note.id, note.tags, note.created_at, now):
            caller.key = note.pubkey


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
        if not caller.key and not self._policy.may_ask(caller.address, self._clock.now_ms()):
            return "rate-limited: too many questions, come back in a minute"
        try:
            wanted, _ = read_filter(data)
        except FilterInvalid as error:
            return str(error)
        narrow = wanted.ids is not None or wanted.authors is not None
        if wanted.kinds is None and not narrow:
            # New events are matched without a word from us: wraps would go to everybody.
            return "restricted: name the kinds, ids or authors that you look for"
        if LIVE_WRAP in (wanted.kinds or ()) and "p" not in dict(wanted.tags):
            return "restricted: say whose (#p) messages you look for"
        return ""
