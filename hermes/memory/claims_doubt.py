"""What looks like something to remember and is not: questions, guesses, the moment, other voices.

The expressions are in `doubts.toml`; precision comes first.
"""

import re

from hermes.memory.claims_text import has_hole
from hermes.memory.subjects import stems_of
from hermes.memory.tables import table

_TABLE = {name: re.compile(one) for name, one in table("doubts", dict[str, str]).items()}
_LEAST, _MOST = 6, 300
_LEAST_STEMS = 2


def doubtful(sentence: str) -> bool:
    """Whether a sentence is a question, or says what somebody else says."""
    return bool(
        has_hole(sentence)
        or _TABLE["question"].search(sentence)
        or _TABLE["others"].search(sentence)
    )


def asking(sentence: str) -> bool:
    """Whether it begins as questions do that nobody gave a question mark."""
    return _TABLE["asking"].match(sentence) is not None


def guessed(sentence: str) -> bool:
    """Whether it is a guess, an example, or words that somebody is to write somewhere."""
    return bool(_TABLE["guess"].search(sentence) or _TABLE["writing"].match(sentence))


def passing(sentence: str) -> bool:
    """Whether it is about the moment or the place at hand, or how something just is."""
    main = _TABLE["case"].sub("", sentence)
    return bool(
        _TABLE["moment"].search(sentence)
        or _TABLE["state"].search(main)
        or _TABLE["idiom"].match(sentence)
    )


def one_off(sentence: str) -> bool:
    """Whether it names a time at which it is over."""
    return _TABLE["one_off"].search(sentence) is not None


def pointing(content: str) -> bool:
    """Whether it only says something of what stood elsewhere."""
    return _TABLE["pointing"].match(content) is not None


def hollow(content: str, least: int = _LEAST_STEMS) -> bool:
    """Whether too little is left to be of use, or too much to be one memory."""
    return not _LEAST <= len(content) <= _MOST or len(stems_of(content)) < least
