"""What a person's message states, sentence by sentence: none that asks, guesses, orders or quotes.

The same doubts as the historian's, without its demand that a phrase be known. Heavy: it is
loaded where it is needed, in a thread.
"""

import hashlib
import re
from collections import OrderedDict
from typing import NamedTuple, TypeVar

from hermes.load import load
from hermes.memory.claims_doubt import asking, doubtful, guessed, one_off, passing, pointing
from hermes.memory.claims_marks import Marked, marked
from hermes.memory.claims_rules import FORGET, LETS, REFUSED, RULES, STATEMENT
from hermes.memory.claims_text import INSTEAD, sentences
from hermes.memory.claims_time import ends_at
from hermes.memory.subjects import about_keys, is_slot, subjects_of
from hermes.memory.values import Look, look
from hermes.memory.words import telling
from hermes.store.claim import Subject

T = TypeVar("T")

_ORDER = re.compile(
    r"(?i)^\W*(?:(?:please|now|then|and|also|ok(?:ay)?|just|first|next|so|well|bitte|jetzt|"
    r"maintenant|ahora)[\s,]+)*(?:(?:can|could|would|will) you|kannst du|k[öo]nntest du|peux-tu|"
    r"puedes|i(?:'d| would)? (?:want|need|like) you to|let'?s|let me|lass uns|add|apply|ask|build|"
    r"call|change|check|clean|clone|close|comment|commit|compare|compile|convert|copy|count|"
    r"create|cut|debug|define|delete|deploy|describe|do|don'?t|download|draw|edit|execute|explain|"
    r"extract|fetch|fill|find|fix|format|generate|get|give|go|help|implement|import|improve|"
    r"insert|install|investigate|keep|leave|lint|list|look|make|merge|move|open|paste|pick|plot|"
    r"print|push|put|read|rebase|refactor|release|reload|remove|rename|repeat|replace|restart|"
    r"return|revert|rewrite|run|save|search|send|set|show|skip|sort|split|start|stop|"
    r"summari[sz]e|switch|take|tell|test|translate|try|turn|undo|update|upgrade|use|verify|wait|"
    r"watch|wrap|write|zeig\w*|mach\w*|schreib\w*|f[üu]g\w*|l[öo]sch\w*|montre|ajoute|[ée]cris|"
    r"lance|muestra|a[ñn]ade|ejecuta|corre)\b"
)
_ELSEWHERE = re.compile(
    r"(?i)^(?:\[|\W*(?:but |and |so )?(?:in|at|for|im|bei|dans|en|chez) (?!this\b|dies)"
    r"(?:the |our |my |a |das |le |el )?(?:(?:\w+|[\w-]+'s) )?(?:other |old |last |previous )?"
    r"(?:project|repo|repository|codebase|company|firm|team|projekt|firma|projet|proyecto)\b|"
    r"\W*my (?:last|old|previous|former|other) (?:company|employer|firm|team|job|boss|project)\b)"
)
# Wider than what the historian takes for a refusal: here nothing has to be understood.
_NOT_KEPT = re.compile(
    r"(?i)\b(?:not|no|never|\w+n'?t)\b[^.:;]{0,25}\b(?:(?:keep|store|save|remember|note|record|"
    r"write|repeat)\w* (?:this|that|it)|(?:your|the|my) (?:notes?|record|memory|notebook))\b|"
    r"\bforget (?:that )?(?:i|we) (?:ever )?(?:said|told|mentioned)\b"
)
# "Search queries run on …", "Test data lives in …": a noun that looks like an order.
_NOUNS = re.compile(
    r"(?i)^\w+ "
    r"(?:(?!(?:the|an?|all|it|that|this|what|who|which|how|if|my|our|your|to)\b)[\w-]+ ){1,2}?"
    r"(?:is|are|was|were|has|have|had|can|must|may|will|should|goes|go|lives?|sits?|runs?|comes?|"
    r"needs?|uses?|belongs?|gets?|stays?|takes?|starts?|ends?|lasts?|lands?|costs?|carry|carries|"
    r"contains?|holds?|expires?|happens?|arrives?|leaves?|opens?|closes?)\b"
)
_EXISTS = re.compile(r"(?i)^there(?:'s| is| are| was| were) (?!no\b)[\w-]+ [\w-]+.* \w+ \w+")
_LEAST_WORDS, _MOST = 3, 300
_LEAD, _TELLS = 8, 4
_KEPT = 4_096


class Statement(NamedTuple):
    """A sentence that states something.

    `text`: as it was said. `core`: without the words that only lead to it. `retracts`: it takes
    back what it names. `old`: the value that it says is over. `ends`: when it is over, in ms.
    """

    text: str
    core: str
    stems: frozenset[str]
    look: Look
    slots: tuple[Subject, ...]
    old: frozenset[str]
    changed: bool
    retracts: bool
    ends: int | None


class Reader:
    """Reads messages and keeps what it found in them, by digest."""

    def __init__(self) -> None:
        self._read: OrderedDict[bytes, tuple[Statement, ...]] = OrderedDict()
        self._memories: OrderedDict[bytes, Statement] = OrderedDict()
        self._secret: OrderedDict[bytes, bool] = OrderedDict()

    def statements(self, text: str, at: int) -> tuple[Statement, ...]:
        """What a message that was typed at `at` states, in order."""
        name = _digest(f"{at} {text}")
        if (known := self._read.get(name)) is None:
            known = tuple(_statements(text, at))
            _keep(self._read, name, known)
        return known

    def memory(self, content: str) -> Statement:
        """What a memory states."""
        name = _digest(content)
        if (known := self._memories.get(name)) is None:
            known = _made(content, marked(content.rstrip(" .!;")), None, retracts=False)
            _keep(self._memories, name, known)
        return known

    def secret(self, text: str) -> bool:
        """Whether a text gives a secret away."""
        name = _digest(text)
        if (known := self._secret.get(name)) is None:
            known = bool(load("secrets").secret_in(text))
            _keep(self._secret, name, known)
        return known


def _statements(text: str, at: int) -> list[Statement]:
    own = sentences(text)
    if any(REFUSED.search(one) or _NOT_KEPT.search(one) for one in own):
        return []
    found: list[Statement] = []
    instead = ""
    for one in own:
        if INSTEAD.match(one):
            instead = one.rstrip(".! ")
            continue
        if (made := _statement(one, at)) is not None:
            told = marked(f"{instead}: {one}") if instead else None
            found.append(made if told is None else _corrected(made, told))
        instead = ""
    return found


def _corrected(made: Statement, told: Marked) -> Statement:
    return made._replace(changed=made.changed or told.changed, old=frozenset(telling(told.old)))


def _statement(sentence: str, at: int) -> Statement | None:
    bare = sentence.rstrip(" .!;")
    if match := FORGET.match(bare):
        about = next((words for words in match.groups() if words), "")
        return _made(sentence, Marked(about), None, retracts=True) if about else None
    found = _led(marked(bare.rstrip("?") if sentence.endswith("?") else bare))
    core = found.text
    if doubtful(sentence if sentence.endswith("?") and not found.force else core):
        return None
    if not len(core.split()) >= _LEAST_WORDS or len(sentence) > _MOST:
        return None
    ends = ends_at(core, at)
    if asking(core) or guessed(core) or _points(core) or (ends is None and one_off(core)):
        return None
    if (passing(core) and ends is None) or _is_order(found) or _ELSEWHERE.match(core):
        return None
    return _made(sentence, found, ends, retracts=False)


def _led(found: Marked) -> Marked:
    """Without an order that only leads to what is stated: "put this in your notes: …"."""
    lead, colon, rest = found.text.partition(": ")
    if not colon or not _ORDER.match(lead) or len(lead.split()) > _LEAD:
        return found
    return marked(rest)._replace(force=found.force or "told")


def _points(core: str) -> bool:
    """Whether it only says something of what stood elsewhere: with many words it says more."""
    return pointing(core) and len(telling(core)) < _TELLS and not _EXISTS.match(core)


def _is_order(found: Marked) -> bool:
    """Whether it orders something to be done now, not something that is to hold."""
    if found.force or not _ORDER.match(found.text) or _NOUNS.match(found.text):
        return False
    return not any(one.pattern.match(found.text) for one in RULES if one not in {LETS, STATEMENT})


def _made(text: str, found: Marked, ends: int | None, *, retracts: bool) -> Statement:
    core = found.text
    return Statement(
        text,
        core,
        frozenset(telling(core)),
        look(core),
        _slots(core, retracts=retracts),
        frozenset(telling(found.old)) if found.old else frozenset(),
        found.changed,
        retracts,
        ends,
    )


def _slots(core: str, *, retracts: bool) -> tuple[Subject, ...]:
    named = tuple(Subject(key, "") for key in about_keys(core)) if retracts else ()
    return (*named, *(one for one in subjects_of(core) if is_slot(one)))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def _keep(cache: OrderedDict[bytes, T], name: bytes, value: T) -> None:
    cache[name] = value
    if len(cache) > _KEPT:
        cache.popitem(last=False)
