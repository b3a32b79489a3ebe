"""What a statement is about, in normal form, so that a later one about the same is recognised.

Rules over words of English, German, French and Spanish. A statement whose form they don't know
has no subject: then it contradicts nothing and stands beside the others.
"""

import re
from collections.abc import Iterator

from hermes.memory.claims_marks import marked
from hermes.memory.kinds import KIND_OF, NAME_OF, named, normal
from hermes.memory.relations import relations
from hermes.memory.words import plain_words, telling
from hermes.store.claim import Subject

_NEGATIONS = (
    "not never no dont doesnt isnt arent wont cannot cant without nicht nie niemals kein keine "
    "keinen pas jamais aucun sans nunca jamas sin stop avoid"
)
_NEGATIVE = frozenset(_NEGATIONS.split())
_MORE = re.compile(
    r"(?i)\b(?:also|too|as well|additionally|another|auch|ebenfalls|zus[aä]tzlich|aussi|"
    r"[ée]galement|tambi[ée]n|adem[aá]s)\b"
)
_LEAD = re.compile(
    r"(?i)^(?:(?:we|i|you|the team|let'?s|please|wir|nous|on)\s+)?(?:'?ve |have |"
    r"haben )?(?:just |now |all |"
    r"finally )?(?:(?:decided|agreed|chose|settled)(?: to| on| that| for)?|should always|"
    r"must always)\s+"
)
_WE = re.compile(
    r"(?i)^(?:in this (?:project|repo),?\s*)?(?:we|i|you|wir|nous|on|let'?s|please|everyone|"
    r"the team|"
    r"this (?:project|repo)|in this (?:project|repo))\b,?\s*"
    r"(?:always|all|only|now|currently|generally|usually|should|must|'ll|will)?\s*"
)
_USE = re.compile(
    r"(?i)^(?:us(?:e|es|ing)|go(?:ing)? with|chose|choose|standardi[sz]e on|switch(?:ed)? to|"
    r"moved? to|migrated? to|stick (?:with|to)|prefer|nutzen|verwenden|nehmen|benutze|nutze|"
    r"verwende|"
    r"utilis(?:e|ons|ez)|pr[ée]f[èe]re|usamos|usa|utilizamos|prefiero)\s+(?P<what>.+)$"
)
_AS = re.compile(
    r"(?i)\s+(?:for|as|when|f[üu]r|als|bei|pour|comme|para|como)\s+(?:the |our |all |a |an )?"
)
_INSTEAD = re.compile(
    r"(?i)\s*,?\s*(?:\bover\b|\binstead of\b|\brather than\b|,?\s*\band not\b|,\s*not\b|"
    r"\bstatt\b|,\s*nicht\b|"
    r"\bau lieu de?\b|\bplut[ôo]t que\b|,\s*pas\b|\ben (?:vez|lugar) de\b|,\s*no\b)\s+"
)
_IS = re.compile(
    r"(?i)^(?P<what>[^,;:]{2,70}?)(?:\s+here)?\s+(?:is|are|was|were|must be|should be|has to be|"
    r"ist|sind|est|sont|es|son|"
    r"hei[sß]{1,2}t|se llama)\s+(?:now |still |always )?(?P<value>.+)$"
)
_DONE = re.compile(
    r"(?i)^(?P<done>\w{3,}(?:ed|wn|en|ne|[ée]e?s?)|built|kept|made|set|run|sent|put|held|stored|"
    r"hosted|reset|cut|fed|hung|shut|split|read|paid|sold|bought|brought|told|led|ge\w+t)\s+"
    r"(?:with|in|as|to|at|on|through|by|under|for|from|every|each|before|after|when|once|mit|auf|"
    r"nach|vor|avec|dans|sur|con|en)\s+(?P<value>.+)$"
)
_CALLED = re.compile(r"(?i)^(?:called|named|known as)\s+(?P<value>.+)$")
_OURS = re.compile(r"(?i)^(?:the|our|my|what)\b\s*(?P<name>.+?)(?:\s+here)?$")
_AT = re.compile(
    r"(?i)^(?P<what>.{2,60}?)\s+(?:with|in|as|to|at|on|through|against|off|under|from|mit|auf|"
    r"über|bei|avec|dans|sur|"
    r"par|con|en|por)\s+(?:the |our |port )?(?P<value>[^\s]+(?: [^\s]+){0,3})$"
)
_HAS = re.compile(
    r"(?i)^(?P<what>.{2,50}?)\s+(?P<verb>uses?|has|have|holds?|sends?|wants?|carry|carries|"
    r"requires?|needs?|expires? after|"
    r"takes?|targets?)\s+(?P<value>[^\s]+(?: [^\s]+){0,4})$"
)
_HAVING = re.compile(r"(?i)(?:uses?|has|have)?$")
_NEVER = re.compile(
    r"(?i)^(?:we |i |you |please |wir |on |nous )*(?:never|don'?t ever|don'?t|do not|must not|"
    r"should never|"
    r"should not|avoid|nie|niemals|nicht|ne .{0,12}?jamais|nunca)\s+(?P<what>.+)$"
)
_ALWAYS = re.compile(
    r"(?i)^(?:we |i |you |please |wir |nous )*(?:always|immer|toujours|siempre)\s+(?P<what>.+)$"
)
_GENERIC = re.compile(
    r"(?i)\b(?:here|everywhere|everything|all|generally|project|projects?|repo|repository|"
    r"codebase)\b"
)
_SERVICE = re.compile(r"(?i)\b(?:services?|server|module|component)\b")
_SLOTS = frozenset(f"of {kind}" for kind in NAME_OF.values())
_S = "'s "
_MOST = 300
_SHORT = 4


def stems_of(text: str) -> frozenset[str]:
    """The telling stems of a text."""
    return frozenset(telling(text[:_MOST].replace("'s ", " ")))


def key_of(text: str) -> str:
    """A text's words in normal form: the same for the same said in another order."""
    words = set(plain_words(text[:_MOST].replace("'", "")))
    sign = "-" if words & _NEGATIVE else "+"
    return sign + " ".join(sorted(stems_of(text)))


def about_keys(noun: str) -> tuple[str, str]:
    """The keys of a subject that is named by itself: "the port of billing"."""
    return _key(noun), _has(noun)


def is_slot(subject: Subject) -> bool:
    """Whether it is something of which there is one at a time, as far as is known."""
    return subject.key in _SLOTS or subject.key.startswith("has ")


def subjects_of(text: str) -> tuple[Subject, ...]:
    """What a statement says, of what; nothing where it says something more of it."""
    plain = marked(text[:_MOST].strip().rstrip(".!")).text
    if _MORE.search(plain):
        return ()
    found = {one.key: one for one in _subjects(plain) if one.value and one.key != "of "}
    return tuple(found.values())


def _subjects(text: str) -> Iterator[Subject]:
    halves = _INSTEAD.split(text, maxsplit=1)
    text = _LEAD.sub("", halves[0])
    if match := _NEVER.match(text):
        yield Subject(f"do {normal(match['what'])}", "no")
        return
    if match := _ALWAYS.match(text):
        text = match["what"]
    yield Subject(f"do {normal(text)}", "yes")
    plain = _WE.sub("", text)
    if len(halves) > 1:
        yield from _pair(plain, halves[1])
    if set(plain_words(text.replace("'", ""))) & _NEGATIVE:
        return
    for relation in (*relations(text), *relations(plain)):
        yield Subject(_has(f"{relation.thing} {relation.name}"), normal(relation.value))
        return
    yield from _general(text, plain)


def _general(text: str, plain: str) -> Iterator[Subject]:
    if match := _USE.match(plain):
        yield from _use(match["what"])
    elif match := _IS.match(text):
        yield _being(match["what"], match["value"])
    elif (match := _HAS.match(plain)) or (match := _AT.match(plain)):
        for_what = _AS.split(match["value"], maxsplit=1)
        verb = match.groupdict().get("verb") or ""
        own = f"{match['what']} {'' if _HAVING.match(verb) else verb}"
        left = for_what[1] if len(for_what) > 1 else own
        yield Subject(_key(left), normal(for_what[0]))


def _being(what: str, value: str) -> Subject:
    if (ours := _OURS.match(value)) and not _OURS.match(what):
        return Subject(_key(ours["name"]), normal(what))
    if _key(value) in _SLOTS and _key(what) not in _SLOTS:
        return Subject(_key(value), normal(what))
    if called := _CALLED.match(value):
        return Subject(_key(what), normal(called["value"]))
    if done := _DONE.match(value):
        return Subject(_key(f"{what} {done['done']}"), normal(done["value"]))
    return Subject(_key(what), normal(value))


def _use(what: str) -> Iterator[Subject]:
    """The slot that a thing fills: the purpose says which, else what kind of thing it is."""
    thing, *purpose = _AS.split(what, maxsplit=1)
    known = next((word for word in plain_words(thing)[: _SHORT + 2] if word in KIND_OF), "")
    if purpose:
        yield Subject(_key(purpose[0]), normal(thing))
    elif known:
        yield Subject(f"of {KIND_OF[known]}", normal(thing))


def _pair(yes: str, no: str) -> Iterator[Subject]:
    used = _USE.match(yes)
    chosen = normal(_AS.split(used["what"] if used else yes.rpartition(" is ")[2], maxsplit=1)[0])
    other = normal(_AS.split(no, maxsplit=1)[0])
    if chosen and other and max(len(chosen.split()), len(other.split())) <= _SHORT:
        yield Subject("choice " + " | ".join(sorted((chosen, other))), chosen)


def _has(noun: str) -> str:
    return "has " + normal(_SERVICE.sub(" ", noun.replace("'s ", " ")))


def _key(noun: str) -> str:
    return f"of {named(_GENERIC.sub(' ', noun.replace(_S, ' ')))}"
