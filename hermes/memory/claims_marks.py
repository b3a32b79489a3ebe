"""How somebody says that a statement is meant to last, or that it replaces another one.

A mark stands before or behind the statement: "remember that", "from now on", "btw", "no,",
"we switched from X to Y:", ", not X", ", as I said". Marks are taken off, one after the other.
"""

import re
from typing import Literal, NamedTuple

Force = Literal["", "told", "ruled", "changed", "remember"]
_ORDER: tuple[Force, ...] = ("", "told", "changed", "ruled", "remember")


class Marked(NamedTuple):
    """A statement without its marks.

    `force`: the strongest mark. `changed`: it replaces something: `old` names the value that
    it replaces, `about` what it is about, where it says so. `joined`: a mark leads into it.
    """

    text: str
    force: Force = ""
    changed: bool = False
    old: str = ""
    about: str = ""
    joined: bool = False


class _Mark(NamedTuple):
    pattern: re.Pattern[str]
    force: Force
    changed: bool = False


def _before(force: Force, *patterns: str, changed: bool = False) -> list[_Mark]:
    lead, end = r"(?i)^(?:", r")(?=\W|$)[\s,:;.!\u2014-]*"
    return [_Mark(re.compile(lead + one + end), force, changed) for one in patterns]


def _behind(force: Force, pattern: str, *, changed: bool = False) -> _Mark:
    return _Mark(
        re.compile(
            r"(?i)(?<!\bfor)(?<!\bright)(?<!\bby)[\s,;\u2014-]+(?:" + pattern + r")[\s?!.]*$"
        ),
        force,
        changed,
    )


_VALUE = r"(?P<old>[^,;:]{1,40}?)"
_BEFORE = (
    *_before(
        "",
        r"ok(?:ay)?|alright|right|great|thanks|thank you|perfect|good|yes|yeah|yep|well|so|hi|hey|hello",
        r"hermes|also|and|but|oh|ah|hm+|danke|gut|ja|merci|oui|gracias|s[íi]|bitte|por favor",
    ),
    *_before(
        "remember",
        r"(?:could|can|would|will) you (?:please )?(?:remember|note|keep in mind)(?: that)?",
        r"(?:please |pls |always )?(?:remember|keep in mind|bear in mind|make a note|take note|memori[sz]e|"
        r"write (?:this|that|it) down|save (?:this|that|to memory)|note (?:this|that)(?: down)?)(?: that| this(?=\s*[:,]))?",
        r"(?:please |pls )?(?:don'?t forget|do not forget|never forget)(?: that)?",
        r"(?:one|another) thing to (?:remember|know|note|keep in mind)(?: for [\w ]{3,20}?)?(?=\s*:)",
        r"(?:a )?note (?:for later|to self|for (?:next time|the future))|for the record|for future reference",
        r"please note(?: that)?|note(?= that|:)(?: that)?|(?:just )?(?:a )?reminder(?=:)|important(?=:)",
        r"(?:i want you to|i'?d like you to|you should|you need to) (?:remember|know)(?: that)?",
        r"(?:bitte )?(?:merke? dir|denke? daran|vergiss nicht|beachte|behalte|zur erinnerung|notiere?)"
        r"(?: bitte)?(?:, dass| dass)?",
        r"(?:souviens-?toi|rappelle-?toi|retiens|n'oublie pas|garde en t[êe]te|note bien|note|pour rappel)"
        r"(?: que| qu(?='))?(?= |'|,|:)",
        r"(?:recuerda|acu[ée]rdate de|no olvides|ten en cuenta|toma nota(?: de)?|anota(?: esto)?)(?: que)?",
        r"ricorda(?:ti)?(?: che)?|tieni presente(?: che)?|lembr[ae]-(?:se|te)(?: de)?(?: que)?",
    ),
    *_before(
        "ruled",
        r"from now on|from here on(?: out)?|from (?:today|tomorrow)(?: on)?|in (?:the )?future|going forward|"
        r"henceforth|as a rule|the rule(?: here)? is(?: that| to)?|decision|new rule|rule|policy|convention|"
        r"starting (?:today|now)|in general",
        r"(?P<until>(?:only )?(?:until|till|bis|jusqu'(?:[àa]u?|en)|hasta) [^,:;]{3,30})(?=\s*[,:])",
        r"ab (?:jetzt|sofort|heute)(?: gilt)?|von jetzt an|k[üu]nftig|in zukunft|dor[ée]navant|d[ée]sormais|"
        r"[àa] partir de maintenant|[àa] l'avenir|a partir de ahora|de ahora en adelante|en adelante|"
        r"d'ora in poi|a partir de agora",
    ),
    *_before(
        "changed",
        r"no|nope|wrong|actually|correction|not quite|that(?:'s| is| has)? (?:wrong|not (?:right|it|correct|true)|"
        r"incorrect|changed)|things have changed|i was wrong(?: earlier| before)?|i misspoke|my mistake|"
        r"as of (?:today|now|this week|\w+day)|on second thou?ght|sorry",
        r"(?:we|i|they)(?:'ve| have)? (?:just )?(?:switched|moved|migrated|changed)(?: over)? from "
        + _VALUE
        + r" to (?P<new>[^,;:]{1,40})(?=\s*[:;,])",
        r"(?:we|i|they)(?:'ve| have)? (?:just )?(?:moved away|switched away|migrated away|got away) from "
        + _VALUE
        + r"(?=\s*[:;,])",
        r"(?:we|i|they)(?:'ve| have)? (?:dropped|abandoned|replaced|retired) "
        + _VALUE
        + r"(?=\s*[:;,])",
        r"it(?:'s| is) (?:not|no longer) " + _VALUE + r"(?: any ?more| any longer)?(?=\s*[,;:])",
        r"(?:that is|that's) no longer " + _VALUE + r"(?=\s*[,;:])",
        r"scratch " + _VALUE + r"(?=\s*[,;:])",
        r"(?:please )?forget (?:about )?(?:what i (?:said|told you)|everything i said|what you know) about "
        r"(?P<about>[^:;,]{2,60})(?=\s*[:;,])",
        r"update (?:on|about|for) (?P<about2>[^:;,]{2,60})(?=\s*[:;,])",
        r"nein|falsch|das (?:ist falsch|stimmt nicht)|eigentlich|doch|korrektur|non|c'est faux|en fait|"
        r"en r[ée]alit[ée]|eso (?:es incorrecto|no es correcto)|en realidad|correcci[óo]n",
        changed=True,
    ),
    *_before(
        "told",
        r"fyi|btw|by the way|heads[- ]?up|so you know|just so you know|for context|for your information|"
        r"for info|as i said(?: before| earlier)?|as (?:i )?mentioned(?: before| earlier)?|like i said|"
        r"again(?=:)|you (?:already )?know that|one more thing|context|background",
        r"(?:i|we) (?:just )?(?:checked|talked|spoke|confirmed|cleared|settled|finally settled|discussed)(?: it| this)?"
        r"[^:;,.]{0,60}(?=:)",
        r"zur info|[üu]brigens|wie gesagt|pour info|au fait|comme je l'ai dit|por cierto|como dije|para que lo sepas",
    ),
)
_BEHIND = (
    _behind(
        "",
        r"please|thanks|thank you|ok(?:ay)?|bitte|danke|s'il te pla[îi]t|merci|por favor|gracias|"
        r"so check that first|so (?:please )?(?:mind|check|watch|keep) (?:that|it)[\w ]{0,20}",
    ),
    _behind(
        "remember", r"(?:please )?(?:remember|keep) (?:that|this|it)(?: in mind)?|merk dir das"
    ),
    _behind(
        "told",
        r"by the way|btw|fyi|in case (?:that|it|this) matters|just so you know|for your information|"
        r"remember|as i said|as mentioned|[üu]brigens|au fait|por cierto",
    ),
    _behind(
        "ruled",
        r"from (?:now|today|tomorrow) on|from now on|from today|from tomorrow|in (?:the )?future|going forward|"
        r"ab (?:jetzt|sofort|heute)|k[üu]nftig|dor[ée]navant|d[ée]sormais|a partir de ahora|de ahora en adelante",
    ),
    _behind(
        "changed",
        r"(?:instead of|rather than|statt(?= \S+$)|anstelle von|au lieu de|en (?:vez|lugar) de) "
        + _VALUE,
        changed=True,
    ),
    _Mark(
        re.compile(
            r"(?i)\s*(?:[,;\u2014-]|\band\b)\s*(?:and )?(?:not|no longer|no more|nicht(?: mehr)?|pas|plus|ya no|no) "
            + _VALUE
            + r"(?: any ?more| any longer)?[\s!.]*$"
        ),
        "changed",
        changed=True,
    ),
    _behind("told", r"now|any ?more|these days|as of today|jetzt|maintenant|ahora", changed=True),
)
_CLAUSE = re.compile(r"(?i)(?:\b(?:that|dass|que|che)|\bqu'|:)\s*$")
_NEEDS_STOP = frozenset(
    "no so right well good great decision rule policy doch convention context background note "
    "sorry non important wrong correction".split()
)
_MOST = 6
_SHORT = 5


def marked(sentence: str) -> Marked:
    """Take the marks off a sentence."""
    found = Marked(sentence.strip(" \t,;"))
    for _ in range(_MOST):
        stripped = _first(found, _BEFORE, lead=True) or _first(found, _BEHIND, lead=False)
        if stripped is None:
            break
        found = stripped
    return found._replace(text=found.text.strip(" ,;:-\u2014"))


def _first(found: Marked, marks: tuple[_Mark, ...], *, lead: bool) -> Marked | None:
    for mark in marks:
        match = mark.pattern.match(found.text) if lead else mark.pattern.search(found.text)
        if match is None:
            continue
        rest = found.text[match.end() :] if lead else found.text[: match.start()]
        if not rest.strip(" .,") or _is_part(match, lead=lead):
            continue
        groups = match.groupdict()
        until = (groups.get("until") or "").lower().removeprefix("only ")
        return Marked(
            f"{rest.strip()} {until}".strip(),
            max(found.force, mark.force, key=_ORDER.index),
            found.changed or mark.changed,
            found.old or (groups.get("old") or "").strip(" '\""),
            found.about or (groups.get("about") or groups.get("about2") or "").strip(),
            found.joined or (lead and _CLAUSE.search(match[0]) is not None),
        )
    return None


def _is_part(match: re.Match[str], *, lead: bool) -> bool:
    """Whether the words belong to the statement: "no tests are skipped"."""
    if lead:
        word = match[0].strip()
        return word.casefold() in _NEEDS_STOP
    old = match.groupdict().get("old")
    return bool(old) and len(str(old).split()) > _SHORT
