"""What a person said that is to last: sentences of theirs that have the form of it.

Only a person's own words come here (`hermes.store.history`); of those only whole statements
of lasting things become claims, and none that holds a secret.
"""

import re
from collections.abc import Iterator, Sequence

from hermes.load import load
from hermes.memory.claims_doubt import doubtful, hollow, one_off
from hermes.memory.claims_form import Form, formed
from hermes.memory.claims_habits import habits
from hermes.memory.claims_marks import marked
from hermes.memory.claims_rules import FORGET, REFUSED
from hermes.memory.claims_text import INSTEAD, sentences
from hermes.memory.claims_time import ends_at
from hermes.memory.found import Found, Retraction, Spoken
from hermes.memory.subjects import is_slot, key_of, subjects_of
from hermes.store.claim import Claim
from hermes.store.history import Said

_THIS = re.compile(
    r"(?i)^(?:please |bitte )?(?:remember|keep|note|save|store|merk|souviens|recuerda)\w*"
    r"[^.]{0,20}\b(?:that|this|it|das|[çc]a|eso)\W*$"
)
_POLITE = re.compile(
    r"(?i)^(?:please |and |also )?(?:could|can|would|will) you (?:please )?(?:remember|note|keep)\b"
)
_LIST = re.compile(r"(?i)^\W*(?:please )?(?:remember|note|keep in mind|merke? dir)[^.]{0,40}:$")


def find(spoken: Sequence[Spoken], now_ms: int) -> list[Found]:
    """Every claim in some talk, oldest first; runs in a thread (it loads the scrubber)."""
    found = [one for each in spoken for one in _in_talk(each)]
    return [one for one in found if _is_fit(one, now_ms)]


def _in_talk(spoken: Spoken) -> Iterator[Found]:
    talk, project = spoken
    begun = talk.begun
    for said in talk.said:
        if said.role == "user" and said.text:
            yield from claims_in(said, project, begun=begun)
        begun = begun or said.role == "assistant"
    yield from habits(talk, project)


def claims_in(said: Said, project_hash: str, *, begun: bool) -> Iterator[Found]:
    """The claims of one message; `begun`: something was said before that it can answer."""
    own = sentences(said.text)
    if any(REFUSED.search(one) for one in own):
        return
    before = ""
    instead = ""
    listing = False
    for sentence in own:
        if INSTEAD.match(sentence):
            instead = sentence.rstrip(".! ")
            continue
        plain = f"{instead}: {sentence}" if instead else sentence
        instead = ""
        if _LIST.match(sentence):
            listing = True
            continue
        if listing or (before and _THIS.match(sentence)):
            plain = f"remember: {sentence if listing else before}"
        before = sentence.rstrip(".!")
        one = _found(plain, said, project_hash, begun=begun)
        if one is not None:
            yield one


def _found(text: str, said: Said, project: str, *, begun: bool) -> Found | None:
    bare = text.rstrip(" .!;?" if _POLITE.match(text) else " .!;")
    if (match := FORGET.match(bare)) is not None:
        about = next((words for words in match.groups() if words), "")
        return Retraction(project, about, said.session, said.cid, said.at)
    statement = marked(bare)
    if doubtful(text if text.endswith("?") and not statement.force else statement.text):
        return None
    form = formed(statement, begun=begun)
    return None if form is None else _claim(form, said, project)


def _claim(form: Form, said: Said, project: str) -> Claim | None:
    content = _content(form.content)
    ends = ends_at(content, said.at)
    subjects = subjects_of(content)
    known = bool(form.old) or any(map(is_slot, subjects))
    if hollow(content, least=1 if known else 2) or (ends is None and one_off(content)):
        return None
    return Claim(
        project_hash=project,
        memory_type=form.memory_type,
        content=content,
        key=key_of(content),
        session=said.session,
        cid=said.cid,
        rule=form.rule,
        at=said.at,
        expires_at=ends,
        asserted=form.asserted,
        subjects=subjects,
        changes=form.changes,
        instead_of=form.old,
        about=form.about,
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
