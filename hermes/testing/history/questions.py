"""Questions about a made-up past, with answers, as LoCoMo and LongMemEval ask them.

Single-hop, multi-hop, temporal, knowledge update, abstention. None is worded by a model: each
is a phrase of the table, so that the right answer is known.
"""

from collections import defaultdict
from collections.abc import Sequence

from hermes.testing.history.subjects import filled
from hermes.testing.history.values import Fact, History, Kind, Question, Trap, Words

Place = tuple[int, str, str]


def questions(past: History) -> tuple[Question, ...]:
    """Every question that can be asked of a past."""
    baits: dict[Place, list[Words]] = defaultdict(list)
    for trap in past.traps:
        baits[_place(trap)].append(trap.words)
    known = {_place(fact) for fact in past.facts}
    asked = [_about(fact, baits[_place(fact)]) for fact in past.facts]
    asked += [_before(fact) for fact in past.facts if len(fact.values) > 1]
    asked += [_until(fact) for fact in past.facts if fact.until and fact.fate == "kept"]
    asked += _hops(past)
    for trap in past.traps:
        if _place(trap) not in known:
            asked.append(
                Question("abstention", trap.project, trap.ask, (), (trap.words,), trap.kind)
            )
    return tuple(asked)


def _about(fact: Fact, baits: Sequence[Words]) -> Question:
    if fact.fate != "kept":
        wrong = (*map(fact.words, fact.values), *baits)
        return Question("abstention", fact.project, fact.ask, (), wrong, fact.fate)
    kind: Kind = "update" if len(fact.values) > 1 else "single"
    wrong = (*map(fact.words, fact.values[:-1]), *baits)
    return Question(kind, fact.project, fact.ask, (fact.words(fact.value),), wrong, fact.style)


def _before(fact: Fact) -> Question:
    text = f"what was {fact.about} before it became {fact.value}?"
    return Question("temporal", fact.project, text, (fact.words(fact.values[-2]),), (), fact.style)


def _until(fact: Fact) -> Question:
    text = f"until when does it hold that {fact.about} is {fact.value}?"
    return Question("temporal", fact.project, text, ((fact.until, fact.value),), (), fact.style)


def _hops(past: History) -> list[Question]:
    """Where does the owner of a component work? Takes two facts, said months apart."""
    offices = {
        (one.project, one.component): one
        for one in past.facts
        if one.subject == "office" and one.fate == "kept"
    }
    found = []
    for owner in past.facts:
        office = offices.get((owner.project, owner.value))
        if owner.subject == "owner" and owner.fate == "kept" and office is not None:
            text = filled(past.hop, c=owner.component)
            needs = (owner.words(owner.value), office.words(office.value))
            wrong = tuple(map(office.words, office.values[:-1]))
            found.append(Question("multi", owner.project, text, needs, wrong, office.style))
    return found


def _place(one: Fact | Trap) -> Place:
    return one.project, one.subject, one.component
