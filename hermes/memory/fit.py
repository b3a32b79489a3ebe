"""How well a question and a text cover each other, by words of different worth. Pure."""

import math
from collections.abc import Collection, Mapping, Sequence

from hermes.memory.words import alike, plain_words, stem, telling_of
from hermes.store.likely import Weights

_NAMED = 2.0  # a name in the question says so much more: of another one it asks nothing


def worths(stems: Sequence[str], weights: Weights, named: Collection[str]) -> Mapping[str, float]:
    """What each word of the question says: a name and a rare one much, a frequent one little."""
    total = weights.total
    return {
        one: math.log(1.0 + (max(0, total - having) + 0.5) / (having + 0.5))
        * (_NAMED if one in named else 1.0)
        for one, having in zip(stems, weights.having, strict=True)
    }


def covered(worth: Mapping[str, float], content: str) -> tuple[float, tuple[str, ...]]:
    """How well a question and a text cover each other, and the words that they share."""
    if not worth:
        return 0.0, ()
    said = plain_words(content)
    plain = frozenset(map(stem, said))
    shares = {
        one: 1.0 if one in plain else max((alike(one, two) for two in plain), default=0.0)
        for one in worth
    }
    shared = tuple(one for one, share in shares.items() if share)
    if not shared:
        return 0.0, ()
    met = sum(worth[one] * share for one, share in shares.items())
    of_question = met / sum(worth.values())
    usual = sum(worth.values()) / len(worth)
    others = sum(not any(alike(one, two) for one in shared) for two in telling_of(said))
    of_text = met / (met + usual * others)
    return (of_question + of_text) / 2, shared
