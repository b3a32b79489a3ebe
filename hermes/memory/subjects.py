"""What a statement is about, in normal form, so that a later one about the same is recognised.

Rules over words of English, German, French and Spanish. A statement whose form they don't know
has no subject: then it contradicts nothing and stands beside the others.
"""

import re
from collections.abc import Iterator

from hermes.memory.kinds import KIND_OF, PURPOSE_OF
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
_USE = re.compile(
    r"(?i)\b(?:us(?:e|es|ing|ed)|go(?:ing)? with|went with|chose|choose|standardi[sz]ed? on|"
    r"switch(?:ed|ing)?(?: over)? to|moved? to|migrated? to|stick(?:ing)? (?:with|to)|prefer|"
    r"(?:be)?nutzen|verwenden|nehmen|setzen auf|benutze|nutze|verwende|bevorzuge|"
    r"utilis(?:e|ons|ez|er)|pr[ée]f[èe]re|employons|passons [àa]|"
    r"us(?:amos|o|ar|a)|utiliza(?:mos|r)?|prefiero)\s+(?P<what>.+)"
)
_FOR = re.compile(r"(?i)\s+(?:for|as|when|in|on|f[üu]r|als|bei|in|pour|comme|para|como|en)\s+")
_INSTEAD = re.compile(
    r"(?i)\s*,?\s*(?:\bover\b|\binstead of\b|\brather than\b|\band not\b|,\s*not\b|\bnot\b|"
    r"\bstatt\b|\banstelle von\b|,?\s*nicht\b|\bund nicht\b|\bau lieu de?\b|\bplut[ôo]t que\b|"
    r"\bet pas\b|,\s*pas\b|\ben (?:vez|lugar) de\b|\by no\b|,\s*no\b)\s+"
)
_BUT = re.compile(r"(?i)^(?:it'?s |that'?s )?not (?P<no>[^,]{1,60}?),? but (?P<yes>.{1,80})$")
_IS = re.compile(
    r"(?i)^(?:(?:our|the|my|this|that|your|unser\w*|der|die|das|mein\w*|notre|le|la|les|mon|ma|"
    r"nuestr\w+|el|los|las|mi)\s+|l')?(?P<what>[^,;:]{2,70}?)\s+(?:now |still |always |jetzt )?"
    r"(?P<verb>is|are|lives?|runs?|listens?|sits?|resides?|uses?|depends|takes?|goes|go|"
    r"works?|must be|should be|has to be|must have|has|have|needs?|contains?|ends?|starts?|begins?|"
    r"belongs?|ist|sind|liegt|l[äa]uft|wohnt|hei[sß]{1,2}t|hat|lauscht|est|sont|se trouve|tourne|"
    r"[ée]coute|es|son|est[áa]n?|vive|corre|escucha|was|were)\s+(?P<value>.+)$"
)
_DO = re.compile(
    r"(?i)^(?:(?:we|you|i|please|one|they|wir|du|bitte|on|nous|tu|nosotros)\s+)?"
    r"(?P<how>always|never|don'?t ever|don'?t|do not|must not|must|should never|should always|"
    r"should not|should|immer|nie|niemals|nicht|toujours|ne .{0,12}?jamais|siempre|nunca)\s+"
    r"(?P<what>.+)$"
)
_ME = re.compile(
    r"(?i)^(?:i|ich|je|yo)\s*(?:'m|am|bin|suis|soy)?\s*(?P<how>live|lives|living|moved|wohne|lebe|"
    r"habite|vivo|work|working|arbeite|travaille|trabajo)\s+(?:now |currently |jetzt )?"
    r"(?:in|at|to|for|as|bei|[àa]|en|chez)\s+(?P<value>.+)$"
)
_LIVE = frozenset(["live", "lives", "living", "moved", "wohne", "lebe", "habite", "vivo"])
_LEAD = re.compile(
    r"(?i)^(?:from now on|in (?:the )?future|going forward|ab jetzt|ab sofort|k[üu]nftig|"
    r"dor[ée]navant|d[ée]sormais|a partir de ahora|de ahora en adelante|actually|as of now|"
    r"we (?:decided|agreed) (?:to|that|on)|remember|and|so|now)[,:]?\s+"
)
_VERBS = {
    "live": "lives live liegt trouve sits resides reside sit wohnt vive esta",
    "run": "runs run lauft tourne corre",
    "listen": "listens listen lauscht ecoute escucha",
    "use": "uses",
    "depend": "depends",
    "have": "has have hat needs need contains contain takes take",
    "begin": "starts start begins begin",
    "end": "ends end",
    "go": "goes go belongs belong",
    "work": "works work",
}
_VERB_OF = {word: verb for verb, words in _VERBS.items() for word in words.split()}
_PLACE = re.compile(r"(?i)^(?:in|under|inside|at|within|dans|sous|unter|en|bajo)\s")
_DONE = re.compile(
    r"(?i)^(?:not )?(?P<done>\w{2,}(?:ed|en)|built|kept|made|set|run|ge\w+t)\s+(?P<rest>.+)$"
)
_PORT = re.compile(r"(?i)\bports? (?P<port>\d{2,5})\b|:(?P<bare>\d{2,5})\b")
_MOST = 300
_SHORT = 4


def stems_of(text: str) -> frozenset[str]:
    """The telling stems of a text."""
    return frozenset(telling(text[:_MOST]))


def key_of(text: str) -> str:
    """A text's words in normal form: the same for the same said in another order."""
    words = set(plain_words(text[:_MOST].replace("'", "")))
    sign = "-" if words & _NEGATIVE else "+"
    return sign + " ".join(sorted(stems_of(text)))


def subjects_of(text: str) -> tuple[Subject, ...]:
    """What a statement says, of what; nothing where it says something more of it."""
    plain = _LEAD.sub("", text[:_MOST].strip().rstrip(".!")).strip()
    if _MORE.search(plain):
        return ()
    found = {subject.key: subject for subject in _subjects(plain) if subject.value}
    return tuple(found.values())


def _subjects(text: str) -> Iterator[Subject]:
    if match := _ME.match(text):
        home = match["how"].casefold() in _LIVE
        yield Subject("me live" if home else "me work", _normal(match["value"]))
        return
    if match := _BUT.match(text):
        yield from _pair(match["yes"], match["no"])
        yield from _use(match["yes"], "")
        return
    halves = _INSTEAD.split(text, maxsplit=1)
    text = halves[0]
    used = _USE.search(text)
    if len(halves) > 1:
        first = _for(used["what"])[0] if used else text.rpartition(" is ")[2]
        yield from _pair(first, _for(halves[1])[0])
    negated = set(plain_words(text.replace("'", ""))[:6]) & _NEGATIVE
    if used and not negated:
        yield from _use(*_for(used["what"]))
    elif match := _DO.match(text):
        never = set(plain_words(match["how"].replace("'", ""))) & _NEGATIVE
        yield Subject(f"do {_normal(match['what'])}", "no" if never else "yes")
    elif (match := _IS.match(text)) and not negated:
        yield from _being(match)


def _being(match: re.Match[str]) -> Iterator[Subject]:
    what, value = _normal(match["what"]), match["value"]
    verb = _VERB_OF.get(plain_words(match["verb"])[-1], "be")
    if not what or len(what.split()) > _SHORT + 2:
        return
    if port := _PORT.search(value):
        yield Subject(f"port of {what}", port["port"] or port["bare"])
        return
    if verb == "be" and _PLACE.match(value):
        verb = "live"
    if verb == "be" and (done := _DONE.match(value)):
        verb, value = _normal(done["done"]), done["rest"]
    if verb == "be" and what in PURPOSE_OF:
        yield from _use(value, what)
    else:
        yield Subject(f"{verb} of {what}", _normal(value))


def _pair(yes: str, no: str) -> Iterator[Subject]:
    chosen, other = _normal(yes), _normal(no)
    if chosen and other and max(len(chosen.split()), len(other.split())) <= _SHORT:
        yield Subject("choice " + " | ".join(sorted((chosen, other))), chosen)


def _use(what: str, purpose: str) -> Iterator[Subject]:
    """The slot that a thing fills: the purpose says which, else what kind of thing it is."""
    words = plain_words(what)[: _SHORT + 2]
    thing = next((word for word in words if word in KIND_OF), "")
    version = " ".join(word for word in words if word.isdigit())
    value = f"{thing} {version}".strip() if thing else _normal(what)
    if normal := _normal(purpose):
        slot = PURPOSE_OF.get(normal, "")
        yield Subject(f"the {slot}" if slot else f"use for {normal}", value)
    elif thing:
        yield Subject(f"the {KIND_OF[thing]}", value)


def _for(text: str) -> tuple[str, str]:
    """What is used, and what for."""
    what, *purpose = _FOR.split(text, maxsplit=1)
    return what, purpose[0] if purpose else ""


def _normal(text: str) -> str:
    return " ".join(sorted(stems_of(text)))
