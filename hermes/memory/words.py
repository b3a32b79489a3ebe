"""The telling words of a text: without the small ones, without endings, as the index has them.

Crude on purpose: a stem is only the beginning of words, so that the full-text index finds it.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_INSIDE = re.compile(r"(?<=[\w,;] )[^\W\d_a-z][^\W_]+")
_LEAST_STEM = 4  # shorter beginnings stand in too many other words
_MOST_WORDS = 32
_ENDINGS = (
    "ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied", "ers", "ed", "er", "es",
    "ly", "y", "s", "e",
)  # fmt: skip
_WHOLE = {("s", "s"), *(("y", vowel) for vowel in "aeou")}  # class, deploy: no endings


def plain_words(text: str) -> list[str]:
    """Every word, lower-case and without accents (SQLite's unicode61 does the same)."""
    if text.isascii():
        return _WORD.findall(text.lower())
    folded = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    return _WORD.findall(unicodedata.normalize("NFC", bare))


_SMALL = frozenset(
    plain_words("""
    a about after again all also always am an and any anything are as at be because been before
    being but by can could did do does doing done down each else ever every for from further get
    going got had has have having he help her here hers him his how however i if in into is it
    its just kindly know let like many may me might more most much must my need no nor not
    now of off ok okay on once one only or other our out over own please shall she should so some
    something still such tell than thank thanks that the their them then there these they thing
    things this those through to too under until up upon us use used using very want was we well
    were what whatever when where whether which while who whom whose why will with would yes you
    your d ll m re s t ve
    aber als also am an auch auf aus bei bin bis bitte da dann das dass dem den der des die diese
    dieser doch du ein eine einem einen einer er es für hat ich ihr im in ist ja kann man mein
    mich mir mit nach nicht noch nur oder sich sie sind so und uns unser vom von war was welche
    welcher wenn wer werden wie wir wird wo zu zum zur
    au aux avec ce ces cette dans de des du elle en est et il ils je la le les leur ma mais me
    mes mon nos notre nous on ou par pas pour quand que quel quelle qui sa se ses son sont sur un
    une vos votre vous
    como con cual cuando de del donde el ella en es esta este la las lo los mi no nos para pero
    por que se si sin son su sus un una usted y yo
    """)
)


def is_small(word: str) -> bool:
    """Whether a plain word says nothing by itself: "the", "with", "we"."""
    return word in _SMALL


def telling(text: str) -> tuple[str, ...]:
    """The stems of a text's telling words, each once, in order; all of them if all are small."""
    return telling_of(plain_words(text))


def telling_of(words: Sequence[str]) -> tuple[str, ...]:
    """The same of words that `plain_words` found."""
    kept = [word for word in words if word not in _SMALL] or words
    return tuple(dict.fromkeys(map(stem, kept)))[:_MOST_WORDS]


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """A word without its ending: the beginning that its other forms share."""
    for ending in _ENDINGS:
        left = word.removesuffix(ending)
        if left != word and len(left) >= _LEAST_STEM - 1:
            if (ending, left[-1]) in _WHOLE:
                return word
            doubled = len(left) >= _LEAST_STEM and left[-1] == left[-2] not in "aeiosl"
            return left[:-1] if doubled else left
    return word


def names(text: str) -> frozenset[str]:
    """The stems of words that look like names: a capital within a sentence, or a digit."""
    found = (one for one in _INSIDE.findall(text) if one[0].isupper())
    numbered = (one for one in _WORD.findall(text) if any(map(str.isdigit, one)))
    return frozenset(stem(word) for one in (*found, *numbered) for word in plain_words(one))


def begins_words(beginning: str) -> bool:
    """Whether the index is asked for all words that begin with a stem."""
    return len(beginning) >= _LEAST_STEM - 1


def alike(asked: str, there: str) -> float:
    """How well two stems match: 1 the same, less where one only begins with the other."""
    if asked == there:
        return 1.0
    begins = there.startswith(asked) or asked.startswith(there)
    return 0.6 if begins and min(len(asked), len(there)) >= _LEAST_STEM else 0.0
