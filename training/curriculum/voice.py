"""How a request is typed: slips of the keyboard, capitals, punctuation, context around it.

Only the words around the values are touched: what a call must copy stays as it is.
"""

import random
import re
from collections.abc import Sequence

from training.curriculum.values import Values, lines


def speak(values: Values, text: str, kept: Sequence[str], *, asks: bool = True) -> str:
    """Give a filled phrasing a voice.

    Args:
        values: the source of chance and of the values in what is said around it.
        text: the request.
        kept: the values in it that must stay as they are.
        asks: whether it asks for something, so that `could you` may stand before it.
    """
    rng = values.rng
    if rng.random() < 0.16 and not _starts_with(text, kept):
        kind = "asking" if asks and rng.random() < 0.4 else "greeting"
        text = f"{rng.choice(lines(f'turns/{kind}.txt'))} {text}"
    if rng.random() < 0.16:
        text = _slips(rng, text, kept)
    if rng.random() < 0.3 and not _starts_with(text, kept):
        text = text[:1].upper() + text[1:]
    elif rng.random() < 0.15 and not _starts_with(text, kept):
        text = text[:1].lower() + text[1:]
    if rng.random() < 0.22:
        text = _ended(rng, text, kept)
    if rng.random() < 0.16:
        text = _around(values, text, kept)
    return text.strip(" ")


def _ended(rng: random.Random, text: str, kept: Sequence[str]) -> str:
    """Close a sentence, now and then right behind a value, as people do."""
    if text.endswith(tuple(kept) or "\0"):
        return text + rng.choice(("?", "?", ".", "!", " ?", ""))
    return text.rstrip(".?!") + rng.choice((".", "?", "!", "...", " ", "", "??"))


def _starts_with(text: str, kept: Sequence[str]) -> bool:
    return any(text.startswith(value) for value in kept if value)


def _around(values: Values, text: str, kept: Sequence[str]) -> str:
    rng = values.rng
    if rng.random() < 0.62:
        before = values.expand(rng.choice(lines("turns/before.txt")))
        joint = " " if before[-1:] in ".!?,:;" else rng.choice((". ", ", ", " - ", "\n", "... "))
        text = before + joint + text
    if rng.random() < 0.45:
        after = values.expand(rng.choice(lines("turns/after.txt")))
        joint = " " if text[-1:] in ".!?" else rng.choice((". ", "\n", ", ", "? ", "! "))
        if text.endswith(tuple(kept) or "\0"):
            joint = rng.choice(("\n", " - ", ", ", "? "))
        text += joint + after
    return text


def _slips(rng: random.Random, text: str, kept: Sequence[str]) -> str:
    """Mistype a letter or two, or write short, outside the kept values."""
    guarded = sorted({value for value in kept if value}, key=len, reverse=True)
    pattern = "(" + "|".join(map(re.escape, guarded)) + ")" if guarded else r"(?!)()"
    parts = re.split(pattern, text)
    style = rng.random()
    for place in range(0, len(parts), 2):
        parts[place] = _short(rng, parts[place]) if style < 0.35 else _mistyped(rng, parts[place])
    if style > 0.93:
        parts[::2] = [part.upper() for part in parts[::2]]
    return "".join(parts)


def _short(rng: random.Random, text: str) -> str:
    for line in lines("turns/short.txt"):
        long, _, forms = line.partition(": ")
        if long in text and rng.random() < 0.5:
            text = re.sub(rf"\b{re.escape(long)}\b", rng.choice(forms.split()), text)
    return text


def _mistyped(rng: random.Random, text: str) -> str:
    places = [m.start() for m in re.finditer(r"(?<=[a-z])[a-z](?=[a-z])", text)]
    for place in rng.sample(places, min(len(places), rng.choice((1, 1, 1, 2)))):
        kind, here = rng.random(), text[place]
        if place + 1 >= len(text):
            continue
        if kind < 0.35:
            text = text[:place] + text[place + 1] + here + text[place + 2 :]
        elif kind < 0.6:
            text = text[:place] + rng.choice("abcdefghijklmnopqrstuvwxyz") + text[place + 1 :]
        elif kind < 0.8:
            text = text[:place] + here + text[place:]
        else:
            text = text[:place] + text[place + 1 :]
    return text
