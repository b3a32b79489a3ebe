"""Whether a statement without its marks is one to keep, and as what kind of memory."""

import re
from typing import NamedTuple

from hermes.memory.claims_doubt import asking, guessed, passing, pointing
from hermes.memory.claims_marks import Marked
from hermes.memory.claims_rules import CLAUSE, CONTRAST, LETS, RULES, STATEMENT, Rule
from hermes.memory.claims_time import ends_at
from hermes.memory.subjects import is_slot, subjects_of
from hermes.store.claim import MemoryType

_LASTING = re.compile(
    r"(?i)\b(?:always|never|every|each|before|after|when|whenever|any|in future|while|unless|"
    r"immer|nie|vor|nach|wenn|toujours|jamais|avant|apr[èe]s|quand|siempre|nunca|antes|"
    r"despu[ée]s|cuando)\b"
)
_TO = re.compile(r"(?i)^(?:to|zu|de|d')\s+(?=\w)")
_IT = re.compile(r"(?i)^(?:it|this|that)(?: is|'s)\s+(?=\S)")
_ABOUT_PAST = re.compile(
    r"(?i)^(?:when|how|what|where|who|why|if|the time|as|our (?:chat|talk|conversation|"
    r"discussion|meeting|call|last)|wann|wie|quand|cuando)\b"
)
_STATED = re.compile(r"(?i)^(?:i|we|you|i'm|we're|ich|wir|je|j'|nous|on|yo|nosotros)\b")
_HERE = re.compile(r"(?i)\s+(?:here|hier|aqu[íi]|ici)$")
_WORDS = 3


class Form(NamedTuple):
    """A statement worth keeping; `old`, `about`: what it replaces, where it says so."""

    content: str
    memory_type: MemoryType
    rule: str
    asserted: bool
    changes: bool = False
    old: str = ""
    about: str = ""


def formed(statement: Marked, *, begun: bool) -> Form | None:
    """The form of a statement, unless it is said with doubt or for the moment."""
    statement = _resolved(statement)
    text = statement.text
    asked = not statement.force and asking(text)
    if asked or guessed(text) or _is_passing(statement) or pointing(text):
        return None
    rule = next((one for one in RULES if one.pattern.match(text)), None)
    match statement.force:
        case "remember":
            return _remembered(statement, rule)
        case "ruled":
            kind = rule.memory_type if rule and rule not in {LETS, STATEMENT} else "decision"
            kind = "correction" if statement.changed and begun else kind
            return _form(statement, kind, "from now on", asserted=True)
        case "changed" | "told":
            return _told(statement, rule, begun=begun)
        case _:
            if rule is None or (rule in {LETS, STATEMENT} and not _slotted(text)):
                return None
            return _form(statement, rule.memory_type, rule.name, asserted=rule.asserted)


def _is_passing(statement: Marked) -> bool:
    if statement.force:  # "… is our linter here": here is the project
        statement = statement._replace(text=_HERE.sub("", statement.text))
    ends = statement.force == "remember" and ends_at(statement.text, 0) is not None
    return passing(statement.text) and not ends


def _slotted(text: str) -> bool:
    """Whether it says what a project has one of: else a plain sentence is hardly one to keep."""
    return any(is_slot(one) for one in subjects_of(text))


def _remembered(statement: Marked, rule: Rule | None) -> Form | None:
    text = statement.text
    kind: MemoryType = rule.memory_type if rule else "fact"
    if to := _TO.match(text):
        order = text[to.end() :]
        lasting = _LASTING.search(order) is not None
        return _form(statement._replace(text=order), "pattern", "remember", asserted=lasting)
    if _ABOUT_PAST.match(text) and not (rule and rule.asserted):
        return None
    if rule is None and not statement.joined and not _STATED.match(text):
        return None
    return _form(statement, kind, "remember", asserted=True)


def _told(statement: Marked, rule: Rule | None, *, begun: bool) -> Form | None:
    """What informs or corrects has to state something by itself."""
    if rule is None:
        clause = CLAUSE.pattern.match(statement.text)
        whole = statement.text.endswith(f", not {statement.old}")  # of "not X but Y"
        spoken = statement.old and (whole or _STATED.match(statement.text))
        if not clause and not spoken and not _slotted(statement.text):
            return None
        rule = STATEMENT
    asserted = rule.asserted or rule is STATEMENT or bool(statement.old)
    kind: MemoryType = rule.memory_type
    if statement.force == "changed" and begun:
        kind = "correction"
    name = "correction" if statement.force == "changed" else "told"
    return _form(statement, kind, name if asserted else rule.name, asserted=asserted)


def _resolved(statement: Marked) -> Marked:
    """With "it" and "not X but Y" put in words that stand for themselves."""
    if statement.about and (match := _IT.match(statement.text)):
        return statement._replace(text=f"{statement.about} is {statement.text[match.end() :]}")
    if match := CONTRAST.pattern.match(statement.text):
        old = match["no"] or match["no2"]
        yes = match["yes"] or match["yes2"]
        text = f"{match['what']} {yes}" if match["what"] else f"{yes}, not {old}"
        force = "changed" if statement.force in {"", "told"} else statement.force
        return statement._replace(text=text, force=force, changed=True, old=old)
    return statement


def _form(statement: Marked, kind: MemoryType, rule: str, *, asserted: bool) -> Form | None:
    if len(statement.text.split()) < _WORDS - (statement.force == "remember"):
        return None
    return Form(
        statement.text, kind, rule, asserted, statement.changed, statement.old, statement.about
    )
