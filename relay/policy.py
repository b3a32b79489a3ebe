"""Whether an event may come in: one pure function, asked by the embedded relay and by strfry.

It does not guard against: many addresses (only the totals hold then), what an admitted key
writes below its rate, or a relay that does not ask. Signatures are checked before it is asked.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from relay.note import WRAPS, Note
from relay.rules import Rules

Reason = Literal[
    "ok",
    "too large",
    "from the future",
    "stale",
    "not for us",
    "not admitted",
    "no work",
    "too many",
    "malformed",
    "side door",
    "broken",
]

_DAY_S = 86_400
_ID_BITS = 256
_WORK_TAG = 3


class Seen(NamedTuple):
    """An event at the door: its JSON's bytes, where it came from, who vouches for that.

    `vouched`: a key that proved itself on this connection, by NIP-42.
    `metered`: whether it counts against the source; what the operator imports does not.
    """

    note: Note
    size: int
    source: str
    vouched: str = ""
    metered: bool = True


class Charge(NamedTuple):
    """What an event costs: one token of this meter, and what lacking it means."""

    meter: str
    per_minute: int
    reason: Reason


class Verdict(NamedTuple):
    """The answer; `says` is NIP-01's prefix and words. Charges have still to be paid."""

    reason: Reason
    says: str = ""
    charges: Sequence[Charge] = ()

    @property
    def accepted(self) -> bool:
        """Whether the event may come in, once its charges are paid."""
        return self.reason == "ok"


def judge(rules: Rules, seen: Seen, now: int) -> Verdict:
    """Decide about one event; `now` in seconds."""
    return _form(rules, seen, now) or _sender(rules, seen, now)


def unpaid(rules: Rules, charge: Charge) -> Verdict:
    """The answer to somebody who has used up what a meter grants."""
    if charge.reason == "no work":
        return Verdict("no work", f"pow: {rules.work_bits} bits of work are wanted just now")
    return Verdict("too many", "rate-limited: too many for now, come back in a minute")


def work_of(note: Note) -> int:
    """The work that an event proves and committed to, in bits. Source: NIP-13."""
    targets = [tag[2] for tag in note.tags if len(tag) >= _WORK_TAG and tag[0] == "nonce"]
    if not targets or not (targets[0].isascii() and targets[0].isdigit()):
        return 0
    done = _ID_BITS - int(note.id, 16).bit_length()
    return min(done, int(targets[0][:_WORK_TAG]))


def _form(rules: Rules, seen: Seen, now: int) -> Verdict | None:
    note = seen.note
    if seen.size > rules.event_bytes:
        return Verdict("too large", f"invalid: more than {rules.event_bytes} bytes")
    if len(note.tags) > rules.tags:
        return Verdict("too large", f"invalid: more than {rules.tags} tags")
    if any(len(tag[0]) == 1 and len(tag[1]) > rules.tag_bytes for tag in note.tags if tag[1:]):
        return Verdict("too large", f"invalid: a tag of more than {rules.tag_bytes} bytes")
    if note.created_at > now + rules.future_s:
        return Verdict("from the future", "invalid: created_at is too far in the future")
    if note.ephemeral and note.created_at < now - rules.live_s:
        return Verdict("stale", "invalid: this ephemeral event is stale")
    return None


def _sender(rules: Rules, seen: Seen, now: int) -> Verdict:
    note = seen.note
    for key in (note.pubkey, seen.vouched):
        if key in rules.owners:
            return Verdict("ok")
        if key in rules.admitted:
            charge = Charge(f"key {key}", rules.admitted_per_minute, "too many")
            return Verdict("ok", charges=(charge,) if seen.metered else ())
    if note.kind not in WRAPS:
        return Verdict("not admitted", "restricted: only the owner and admitted keys write here")
    return _stranger(rules, seen, now)


def _stranger(rules: Rules, seen: Seen, now: int) -> Verdict:
    note = seen.note
    to = tuple(note.values("p"))
    if len(to) != 1 or to[0] not in rules.served:
        return Verdict("not for us", "restricted: nobody here takes this message")
    if note.created_at < now - rules.wrap_days * _DAY_S:
        return Verdict("stale", f"invalid: older than {rules.wrap_days} days")
    if not seen.metered:
        return Verdict("ok")
    if work_of(note) >= rules.work_bits:
        worked = Charge(f"worked {seen.source}", rules.worked_per_minute, "too many")
        total = Charge("worked", rules.worked_total_per_minute, "too many")
        return Verdict("ok", charges=(worked, total))
    free = Charge(f"free {seen.source}", rules.free_per_minute, "no work")
    return Verdict("ok", charges=(free, Charge("free", rules.free_total_per_minute, "no work")))
