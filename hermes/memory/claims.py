"""What a person said that is to last: sentences of theirs that have the form of it.

Only a person's own words come here (`hermes.store.history`); of those only whole statements
of lasting things become claims, and none that holds a secret.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from hermes.core.ids import Cid
from hermes.load import load
from hermes.memory.claims_doubt import doubtful, guessed, hollow, one_off, passing, pointing
from hermes.memory.claims_habits import habits
from hermes.memory.claims_rules import (
    CONTRAST,
    CORRECTION,
    FORGET,
    LETS,
    REMEMBER,
    RULES,
    Rule,
)
from hermes.memory.claims_text import sentences
from hermes.memory.claims_time import ends_at
from hermes.memory.subjects import key_of, subjects_of
from hermes.store.claim import Claim, MemoryType
from hermes.store.history import Said, Talk

_TRIGGERS = re.compile(
    r"(?i)remember|forget|mind|note|record|fyi|future|from (?:now|here|today)|henceforth|forward|"
    r"always|never|ever|every|each|when|decided|agreed|settled|chose|opted|prefer|rather|favou?rite|"
    r"\buse|\bwe\b|\bour\b|\bmy\b|\bthe\b|\bi\b|i'm|call me|actually|\bno\b|nope|wrong|\bnot\b|stick|adopt|"
    r"follow|avoid|no longer|scratch|until|merk|denk|vergiss|beacht|behalt|info|\bab\b|k[üu]nftig|"
    r"zukunft|immer|\bnie|wir|ich|mein|unser|\bder\b|\bdie\b|\bdas\b|nein|falsch|doch|eigentlich|souviens|rappelle|retiens|"
    r"oublie|garde|pour|dor[ée]nav|d[ée]sormais|toujours|jamais|nous|\bon\b|j'|\bje\b|notre|\bla\b|\ble\b|non|"
    r"recuerda|acu[ée]rd|olvid|cuenta|toma|adelante|ahora|siempre|nunca|nuestr|usamos|utiliz|hemos|"
    r"vivo|trabajo|llamo|soy|\bel\b|ricord|lembr"
)
_LASTING = re.compile(
    r"(?i)\b(?:always|never|every|each|before|after|when|whenever|any|from now on|in future|while|unless|"
    r"immer|nie|vor|nach|wenn|toujours|jamais|avant|apr[èe]s|quand|siempre|nunca|antes|despu[ée]s|cuando)\b"
)
_STATED = re.compile(
    r"(?i)^(?:i|we|you|my|our|i'm|we're|ich|wir|mein\w*|unser\w*|je|j'|nous|on|mon|ma|notre|mi|yo|nuestr\w+)\b|"
    r"\b(?:is|are|was|were|am|be|has|have|had|use[sd]?|must|should|shall|need|needs|lives?|runs?|prefers?|"
    r"goes|go|wants?|works?|takes?|means?|stands? for|belongs?|depends?|listens?|expires?|likes?|don'?t|"
    r"do not|doesn'?t|can(?:not|'t)?|will|won'?t|requires?|ends?|starts?|happens?|closes?|opens?|"
    r"ist|sind|hat|haben|hei[sß]{1,2}t|l[äa]uft|liegt|muss|soll|darf|est|sont|a|ont|doit|faut|es|son|est[áa]n?|"
    r"tiene|debe|hay)\b"
)
_LEADING = re.compile(
    r"(?i)^(?:(?:ok(?:ay)?|alright|right|great|thanks|thank you|perfect|good|yes|yeah|yep|well|hi|hey|hello|"
    r"hermes|also|and|but|oh|ah|hm+|please note|danke|gut|ja|merci|oui|gracias|s[íi])\b[\s,!.:-]*)+(?=\S)"
)
_THIS = re.compile(
    r"(?i)^(?:remember|keep|note|save|store|merk|souviens|recuerda)\w*[^.]{0,20}\b(?:that|this|it|das|[çc]a|eso)\W*$"
)


class Retraction(msgspec.Struct, frozen=True):
    """A person says that something holds no longer; `about` empty: what was said last."""

    project_hash: str
    about: str
    session: str
    cid: Cid
    at: int


Found = Claim | Retraction


class Spoken(NamedTuple):
    """Unread talk, and the project that it is about."""

    talk: Talk
    project_hash: str


def find(spoken: Sequence[Spoken], now_ms: int) -> list[Found]:
    """Every claim in some talk, oldest first; runs in a thread (it loads the scrubber)."""
    found = [one for each in spoken for one in _in_talk(each)]
    return [one for one in found if _is_fit(one, now_ms)]


def _in_talk(spoken: Spoken) -> Iterator[Found]:
    talk, project = spoken
    begun = talk.begun
    for said in talk.said:
        if said.role == "user" and said.text and _TRIGGERS.search(said.text):
            yield from claims_in(said, project, begun=begun)
        begun = begun or said.role == "assistant"
    yield from habits(talk, project)


def claims_in(said: Said, project_hash: str, *, begun: bool) -> Iterator[Found]:
    """The claims of one message; `begun`: something was said before that it can answer."""
    before = ""
    listing = False
    for sentence in sentences(said.text):
        plain = _LEADING.sub("", sentence).strip()
        if listing and not REMEMBER.pattern.match(plain):
            plain, listing = f"remember: {plain}", True
        if _THIS.match(plain) and before:
            plain = f"remember: {before}"
        elif re.fullmatch(
            r"(?i)\W*(?:please )?(?:remember|note|keep in mind|merk dir)[^.]{0,30}:", plain
        ):
            listing = True
            continue
        one = _claim(plain, said, project_hash, begun=begun)
        before = sentence.rstrip(".!")
        if one is not None:
            yield one


def _claim(text: str, said: Said, project: str, *, begun: bool) -> Found | None:
    bare = text.rstrip(" .!;")
    if match := FORGET.pattern.match(bare):
        about = next((words for words in match.groups() if words), "")
        return Retraction(project, about, said.session, said.cid, said.at)
    if doubtful(text):
        return None
    found = _remembered(bare) or _formed(bare, begun=begun)
    if found is None:
        return None
    content = _content(found.content)
    ends = ends_at(content, said.at)
    if hollow(content) or (ends is None and one_off(content)):
        return None
    return Claim(
        project_hash=project,
        memory_type=found.memory_type,
        content=content,
        key=key_of(content),
        session=said.session,
        cid=said.cid,
        rule=found.rule,
        at=said.at,
        expires_at=ends,
        asserted=found.asserted,
        subjects=subjects_of(content),
    )


class _Form(NamedTuple):
    content: str
    memory_type: MemoryType
    rule: str
    asserted: bool


def _remembered(text: str) -> _Form | None:
    match = REMEMBER.pattern.match(text)
    if match is None or guessed(match["what"]):
        return None
    what = match["what"].strip()
    joined = match["join"] in {":", ","} or re.search(
        r"(?i)\b(?:that|dass|das|que|this)\s*$", text[: match.start("what")]
    )
    if what.casefold().startswith(("to ", "zu ", "de ", "d'")):
        what = what.split(maxsplit=1)[1] if " " in what else ""
        asserted = _LASTING.search(what) is not None
        return _Form(what, "pattern", "remember", asserted)
    if (
        pointing(what)
        or not (joined or _STATED.search(what))
        or (not _STATED.search(what)
        and len(what.split()) < 3)
    ):
        return None
    if passing(what) and not ends_at(what, 0):
        return None
    inner = _formed(what, begun=False)
    return _Form(what, inner.memory_type if inner else "fact", "remember", True)


def _formed(text: str, *, begun: bool) -> _Form | None:
    """The first form that a sentence has, unless it is said with doubt or for the moment."""
    if guessed(text) or passing(text):
        return None
    for rule in RULES:
        if match := rule.pattern.match(text):
            if rule is CORRECTION:
                return _corrected(match["what"].strip(), begun=begun)
            return _plain_form(rule, match, text, begun=begun)
    return None


def _plain_form(rule: Rule, match: re.Match[str], text: str, *, begun: bool) -> _Form | None:
    groups = match.groupdict()
    what = (
        text
        if rule.whole
        else next((w for n, w in groups.items() if n.startswith("what") and w), text)
    )
    if pointing(what) and rule is not CONTRAST:
        return None
    asserted = rule.asserted and (begun or not rule.answers)
    return _Form(what, rule.memory_type or "fact", rule.name, asserted)


def _corrected(what: str, *, begun: bool) -> _Form | None:
    """A correction has to state something by itself, and where it only says so, to contrast."""
    inner = _formed(what, begun=begun)
    if inner is None:
        return None
    contrast = CONTRAST.pattern.match(what) is not None
    asserted = inner.asserted or (contrast and begun)
    return _Form(
        inner.content,
        "correction" if begun else inner.memory_type,
        "correction" if inner.rule != LETS.name or contrast else LETS.name,
        asserted,
    )


def _content(text: str) -> str:
    plain = " ".join(text.split()).strip(" ,;:-\u2013\u2014")
    return plain[:1].upper() + plain[1:]


def _is_fit(one: Found, now_ms: int) -> bool:
    """Whether it still holds and gives no secret away."""
    if isinstance(one, Retraction):
        return True
    if one.expires_at is not None and one.expires_at <= now_ms:
        return False
    return not load("secrets").secret_in(one.content)
