"""What a person's words ask for: their content words, and whether they name a step.

Words are compared by how they begin, so that "tests" names pytest and "committing" a commit;
no language is known. Quoted lines, code blocks and what follows the first paragraph may be
somebody else's and do not count.
"""

import re
from collections.abc import Iterable

from hermes.policy.command import names

_FENCED = re.compile(r"(```|~~~).*?(\1|\Z)", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{3,24}")
_LONGEST = 600  # characters of an order
_MOST = 16
_LEAST_SHARED = 4
_SAY_NOTHING = names(
    "the and for with that this then than them they you your our are was were has have had can "
    "could would should will shall may might must not but from into onto out all any some more "
    "most now here there what when where which who why how please thanks thank just also again "
    "run make let get got use using new old one two its it's yes hello about after before "
    "der die das den dem und mit bitte für ein eine einen ist sind nicht auch noch dann mal "
    "les des une est pas pour avec dans por para con los las una que del"
)
_NAME_NOTHING = names("git make run npm npx yarn pnpm uv pip python python3 node cargo src main")


def own_words(text: str) -> tuple[str, ...]:
    """The content words of what the person says first, in order, without repeats."""
    plain = _FENCED.sub("\n\n", text[: 4 * _LONGEST]).strip()
    first = plain.partition("\n\n")[0][:_LONGEST]
    said = "\n".join(line for line in first.split("\n") if not line.lstrip().startswith(">"))
    found = (word.casefold() for word in _WORD.findall(said))
    return tuple(dict.fromkeys(w for w in found if w not in _SAY_NOTHING))[:_MOST]


def names_step(words: Iterable[str], tokens: Iterable[str]) -> bool:
    """Whether any of the words means any of a command's fixed tokens."""
    pieces = {
        piece.casefold()
        for token in tokens
        if not token.startswith("<")
        for piece in _WORD.findall(token)
    } - _NAME_NOTHING
    return any(alike(word, piece) for word in words for piece in pieces)


def alike(one: str, other: str) -> bool:
    """Whether two words share a stem, as far as their letters tell."""
    short, long = sorted((one, other), key=len)
    if short == long:
        return True
    if len(short) < _LEAST_SHARED:
        return long == f"{short}s"
    stem = short.removesuffix("s")
    if len(stem) >= _LEAST_SHARED and stem in long:
        return True
    shared = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return shared >= max(_LEAST_SHARED, len(short) - 2)
