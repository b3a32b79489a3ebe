"""Whether a text has what a question needs, and what became of a past in a store of memories."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from hermes.testing.history.values import History, Question, Words


class Kept(NamedTuple):
    """What the live memories of a past are.

    `true`: they say what was planted and holds. `stale`: a value that held once. `baits`: by the
    kind of trap. `junk`: they say nothing of what was planted. `doubles`: further ones that say
    the same current value.
    """

    memories: int
    true: int
    stale: int
    baits: Counter[str]
    secrets: int
    junk: tuple[str, ...]
    doubles: int

    @property
    def precision(self) -> float:
        """Which share of the memories says something that holds."""
        return self.true / self.memories if self.memories else 1.0


def says(text: str, words: Words) -> bool:
    """Whether all of these stand in a text, each as a word of its own."""
    return all(_pattern(word).search(text) for word in words)


def right(question: Question, texts: Sequence[str]) -> bool:
    """Whether texts, the best first, answer a question.

    Everything needed is there, and where a wrong value is named as well, one text with the
    right one stands before it. Without an answer: no wrong value is there.
    """
    if not question.needs:
        return not any(says(text, wrong) for text in texts for wrong in question.wrong)
    if not all(any(says(text, need) for text in texts) for need in question.needs):
        return False
    last = question.needs[-1]
    place = next(i for i, text in enumerate(texts) if says(text, last))
    return not misled(question, texts[:place])


def misled(question: Question, texts: Sequence[str]) -> bool:
    """Whether a text names a wrong value and not a right one."""
    return any(
        any(says(text, wrong) for wrong in question.wrong)
        and not any(says(text, need) for need in question.needs)
        for text in texts
    )


def kept(past: History, memories: Iterable[tuple[int, str]]) -> Kept:
    """Judge the live memories of a past, each as its project and its content."""
    baits, junk, seen = Counter[str](), list[str](), Counter[tuple[int, str]]()
    count = true = stale = secrets = 0
    facts = [[fact for fact in past.facts if fact.project == i] for i in range(past.projects)]
    traps = [[trap for trap in past.traps if trap.project == i] for i in range(past.projects)]
    for project, text in memories:
        count += 1
        secrets += any(secret in text for secret in past.secrets)
        found = [f for f in facts[project] if f.fate == "kept" and says(text, f.words(f.value))]
        bait = next((trap for trap in traps[project] if says(text, trap.words)), None)
        if found:
            true += 1
            seen[project, found[0].value] += 1
        elif bait is not None:
            baits[f"{bait.where}: {bait.kind}"] += 1
        elif any(says(text, f.words(value)) for f in facts[project] for value in f.values):
            stale += 1
        else:
            junk.append(text)
    doubles = sum(number - 1 for number in seen.values())
    return Kept(count, true, stale, baits, secrets, tuple(junk), doubles)


@lru_cache(maxsize=8192)
def _pattern(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.IGNORECASE)
