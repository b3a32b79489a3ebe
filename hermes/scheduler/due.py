"""What to do with slots that have come: run one, record the others. Pure decision, no I/O."""

from dataclasses import dataclass

from hermes.scheduler.trigger import Slots, Trigger, next_after, slots_between

GRACE_MS = 3_600_000
"""How late the newest slot may still run."""

RECORDED = 100
"""Missed slots recorded one by one; the older ones share a record."""

_MISSED = "no owner ran at that time"


@dataclass(frozen=True)
class Plan:
    """`run`: the slot to run now. `missed`: slots to record, with a note. `next_due`: the next."""

    run: int | None
    missed: tuple[tuple[int, str], ...]
    next_due: int | None


def plan_due(trigger: Trigger, first_due: int, now_ms: int, grace_ms: int = GRACE_MS) -> Plan:
    """Decide over every slot from `first_due` to now, at least that one.

    The newest runs when it is within the grace, all others are missed.
    """
    slots = slots_between(trigger, first_due, now_ms, RECORDED)
    # `first_due` was promised to the person, so it counts whatever the trigger says now.
    newest = slots.kept or (first_due,)
    run = newest[-1] if now_ms - newest[-1] <= grace_ms else None
    missed = [(slot, _MISSED) for slot in newest if slot != run]
    if slots.kept:
        missed.insert(0, (first_due, _older(slots, first_due)))
    return Plan(run, tuple(missed), next_after(trigger, now_ms))


def _older(slots: Slots, first_due: int) -> str:
    if not slots.collapsed:
        return _MISSED
    span = " in the last two years" if slots.counted_from_ms > first_due else ""
    return f"{_MISSED}, nor at the {slots.collapsed} due times after it{span}"
