"""Whether a question is about what was, and what it leads on to. Pure; by words alone."""

import re
from collections.abc import Collection

from hermes.memory.values import look
from hermes.memory.words import names, plain_words, stem, telling

_PAST = re.compile(
    r"(?i)\b(?:previously|formerly|originally|initially|used to|earlier|back then|in the past|"
    r"at first|no longer|any ?more|until when|"
    r"(?:was|were|did|had)\b.{1,80}\bbefore|before (?:it|that|this) (?:was|became|changed)|"
    r"before the (?:change|switch|move)|früher|vorher|zuvor|davor|damals|ehemals|"
    r"avant(?! de\b| que\b)|auparavant|autrefois|à l'époque|jusqu'(?:à quand|alors)|"
    r"antes(?! de\b)|anteriormente|antiguamente|solía\w*|hasta cuándo)\b"
)
_SINCE = re.compile(
    r"(?i)\s(?:before|bevor|avant que|antes de que) "
    r"(?:it|that|this|we|es|das|wir|[çc]a|on|eso)\b.*$"
)
_MOST = 2


def asks_past(question: str) -> bool:
    """Whether a question wants what held once: "before", "used to", "früher", "avant", "antes"."""
    return _PAST.search(question) is not None


def bare(question: str) -> str:
    """A question about the past without what came afterwards: of that the old says nothing."""
    return _SINCE.sub("", question)


def onward(question: str, covered: Collection[str], content: str) -> tuple[str, str]:
    """The name that the best answer gives and the question lacks, and a question about it.

    Two empty texts where there is none, or where the answer covers the whole question.
    """
    asked = telling(question)
    left = [one for one in asked if one not in covered]
    named = [one for one in (*look(content).names, *names(content)) if not one[0].isdigit()]
    new = [one for one in dict.fromkeys(named) if one not in asked]
    if not left or not new or len(new) > _MOST:
        return "", ""
    # The word itself: a stem would lose another ending.
    word = next((one for one in plain_words(content) if stem(one) == new[0]), new[0])
    return stem(word), f"of {word.capitalize()}, {' '.join(left)}"
